//! Elementwise operators.

use super::cast::{cast, float_to_float};
use super::form::{Form, Result, Tens, element};
use super::integers;
use graph::Node;
use kernels::math;
use kernels::text::{FloatCmp, Scalar, Val, Writer};
use ops::{BinaryKind, CompareKind, Op, UnaryKind};

impl Form<'_> {
    pub(super) fn elementwise(&mut self, node: &Node) -> Result<Tens> {
        let ins: Vec<Tens> = node.inputs.iter().map(|v| self.value(*v)).collect();
        let (from, to) = (self.ty(node.inputs[0]).dtype, self.ty(node.outputs[0]));
        let elem = element(to.dtype)?;
        let written = self.writes_functions();
        self.pointwise(&ins, elem, &to.shape, |form, args| {
            let w = &mut form.w;
            Ok(match &node.op {
                Op::Unary(op) if from.is_float() => float_unary(w, op.kind, args[0], written),
                Op::Unary(op) => integers::unary(w, op.kind, from, args[0]),
                Op::Binary(op) if from.is_float() => float_binary(w, op.kind, args[0], args[1], written),
                Op::Binary(op) => integers::binary(w, op.kind, from, args[0], args[1]),
                Op::Compare(op) if from.is_float() => w.cmpf(predicate(op.kind), args[0], args[1]),
                Op::Compare(op) => w.cmpi(integers::predicate(op.kind, from.is_signed_int()), args[0], args[1]),
                Op::Select(_) => w.select(args[0], args[1], args[2]),
                Op::Cast(op) => cast(w, args[0], from, op.to, elem),
                Op::Bitcast(_) => w.bitcast(args[0], elem),
                _ => return Err("it is not elementwise".into()),
            })
        })
    }
}

fn predicate(kind: CompareKind) -> FloatCmp {
    match kind {
        CompareKind::Eq => FloatCmp::Oeq,
        CompareKind::Ne => FloatCmp::Une,
        CompareKind::Lt => FloatCmp::Olt,
        CompareKind::Le => FloatCmp::Ole,
        CompareKind::Gt => FloatCmp::Ogt,
        CompareKind::Ge => FloatCmp::Oge,
    }
}

/// Functions are computed in `f32` for the 16-bit formats, and rounded once more.
fn widened(w: &mut Writer, args: &[Val], write: impl FnOnce(&mut Writer, &[Val]) -> Val) -> Val {
    let elem = args[0].ty.elem();
    let wide = if elem.bits() == 16 { Scalar::F32 } else { elem };
    let args: Vec<Val> = args.iter().map(|x| float_to_float(w, *x, wide)).collect();
    let result = write(w, &args);
    float_to_float(w, result, elem)
}

fn math_op(w: &mut Writer, name: &str, args: &[Val]) -> Val {
    let list: Vec<String> = args.iter().map(ToString::to_string).collect();
    let ty = args[0].ty;
    w.op(ty, format_args!("math.{name} {} : {ty}", list.join(", ")))
}

fn float_unary(w: &mut Writer, kind: UnaryKind, x: Val, written: bool) -> Val {
    let polynomial = function(kind).filter(|_| written);
    if let Some(function) = polynomial {
        return widened(w, &[x], |w, args| math::unary(w, function, args[0]));
    }
    let name = match kind {
        UnaryKind::Neg => return w.negf(x),
        UnaryKind::Abs => return w.absf(x),
        UnaryKind::Sign => return sign(w, x),
        UnaryKind::IsNan => return w.cmpf(FloatCmp::Uno, x, x),
        UnaryKind::Sigmoid => return widened(w, &[x], |w, args| sigmoid(w, args[0])),
        UnaryKind::Not => return x,
        UnaryKind::Round => "roundeven",
        UnaryKind::Sqrt => "sqrt",
        UnaryKind::Floor => "floor",
        UnaryKind::Ceil => "ceil",
        UnaryKind::Trunc => "trunc",
        UnaryKind::Exp => "exp",
        UnaryKind::Log => "log",
        UnaryKind::Log1p => "log1p",
        UnaryKind::Expm1 => "expm1",
        UnaryKind::Sin => "sin",
        UnaryKind::Cos => "cos",
        UnaryKind::Tan => "tan",
        UnaryKind::Asin => "asin",
        UnaryKind::Acos => "acos",
        UnaryKind::Atan => "atan",
        UnaryKind::Sinh => "sinh",
        UnaryKind::Cosh => "cosh",
        UnaryKind::Tanh => "tanh",
        UnaryKind::Asinh => "asinh",
        UnaryKind::Acosh => "acosh",
        UnaryKind::Atanh => "atanh",
        UnaryKind::Erf => "erf",
    };
    widened(w, &[x], |w, args| math_op(w, name, args))
}

/// The polynomial of a function; none for what is an instruction or a few.
fn function(kind: UnaryKind) -> Option<math::Unary> {
    Some(match kind {
        UnaryKind::Exp => math::Unary::Exp,
        UnaryKind::Log => math::Unary::Log,
        UnaryKind::Log1p => math::Unary::Log1p,
        UnaryKind::Expm1 => math::Unary::Expm1,
        UnaryKind::Sin => math::Unary::Sin,
        UnaryKind::Cos => math::Unary::Cos,
        UnaryKind::Tan => math::Unary::Tan,
        UnaryKind::Asin => math::Unary::Asin,
        UnaryKind::Acos => math::Unary::Acos,
        UnaryKind::Atan => math::Unary::Atan,
        UnaryKind::Sinh => math::Unary::Sinh,
        UnaryKind::Cosh => math::Unary::Cosh,
        UnaryKind::Tanh => math::Unary::Tanh,
        UnaryKind::Asinh => math::Unary::Asinh,
        UnaryKind::Acosh => math::Unary::Acosh,
        UnaryKind::Atanh => math::Unary::Atanh,
        UnaryKind::Erf => math::Unary::Erf,
        UnaryKind::Sigmoid => math::Unary::Sigmoid,
        UnaryKind::Neg
        | UnaryKind::Abs
        | UnaryKind::Sign
        | UnaryKind::Not
        | UnaryKind::Sqrt
        | UnaryKind::Floor
        | UnaryKind::Ceil
        | UnaryKind::Round
        | UnaryKind::Trunc
        | UnaryKind::IsNan => return None,
    })
}

fn sign(w: &mut Writer, x: Val) -> Val {
    let (zero, one, minus) = (w.zero(x.ty), w.float(x.ty, 1.0), w.float(x.ty, -1.0));
    let (above, below) = (w.cmpf(FloatCmp::Ogt, x, zero), w.cmpf(FloatCmp::Olt, x, zero));
    let nan = w.cmpf(FloatCmp::Uno, x, x);
    let rest = w.select(nan, x, zero);
    let rest = w.select(below, minus, rest);
    w.select(above, one, rest)
}

fn sigmoid(w: &mut Writer, x: Val) -> Val {
    let one = w.float(x.ty, 1.0);
    let minus = w.negf(x);
    let e = math_op(w, "exp", &[minus]);
    let sum = w.addf(one, e);
    w.divf(one, sum)
}

fn float_binary(w: &mut Writer, kind: BinaryKind, a: Val, b: Val, written: bool) -> Val {
    let function = |w: &mut Writer, name: &str, polynomial: math::Binary| {
        widened(w, &[a, b], |w, args| match written {
            true => math::binary(w, polynomial, args[0], args[1]),
            false => math_op(w, name, args),
        })
    };
    match kind {
        BinaryKind::Add => w.addf(a, b),
        BinaryKind::Sub => w.subf(a, b),
        BinaryKind::Mul => w.mulf(a, b),
        BinaryKind::Div => w.divf(a, b),
        BinaryKind::Max => w.maximumf(a, b),
        BinaryKind::Min => w.minimumf(a, b),
        BinaryKind::Pow => function(w, "powf", math::Binary::Pow),
        BinaryKind::Atan2 => function(w, "atan2", math::Binary::Atan2),
        BinaryKind::Rem => widened(w, &[a, b], |w, args| w.remf(args[0], args[1])),
        BinaryKind::Mod => widened(w, &[a, b], |w, args| modulo(w, args[0], args[1])),
        BinaryKind::And | BinaryKind::Or | BinaryKind::Xor | BinaryKind::Shl | BinaryKind::Shr => a,
    }
}

/// The remainder with the divisor's sign, also where it is zero.
fn modulo(w: &mut Writer, a: Val, b: Val) -> Val {
    let rest = w.remf(a, b);
    let zero = w.zero(rest.ty);
    let (rest_below, b_below) = (w.cmpf(FloatCmp::Olt, rest, zero), w.cmpf(FloatCmp::Olt, b, zero));
    let differ = w.xori(rest_below, b_below);
    let sum = w.addf(rest, b);
    let moved = w.select(differ, sum, rest);
    let none = w.cmpf(FloatCmp::Oeq, rest, zero);
    let signed_zero = w.copysign(zero, b);
    w.select(none, signed_zero, moved)
}
