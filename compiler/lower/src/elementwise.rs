//! Elementwise operators on registers.

use crate::cast::cast;
use crate::context::Cx;
use crate::types::compute;
use graph::Node;
use kernels::math;
use kernels::text::{FloatCmp, IntCmp, Val, Writer};
use ops::{BinaryKind, CompareKind, Op, UnaryKind};
use tensor::DType;

impl Cx<'_> {
    /// An elementwise operator on its operands' elements.
    pub(crate) fn elementwise(&self, w: &mut Writer, node: &Node, operands: &[Val]) -> Val {
        let dtype = self.ty(node.inputs[0]).dtype;
        let operands = Self::lift(w, operands);
        match &node.op {
            Op::Unary(op) => self.unary(w, node, op.kind, dtype, operands[0]),
            Op::Binary(op) => {
                let wide = binary(w, op.kind, dtype, operands[0], operands[1]);
                narrow(w, wide, dtype)
            }
            Op::Compare(op) => compare(w, op.kind, dtype, operands[0], operands[1]),
            Op::Select(_) => w.select(operands[0], operands[1], operands[2]),
            Op::Cast(op) => cast(w, operands[0], dtype, op.to, op.saturate),
            Op::Bitcast(op) => {
                let raw = w.bitcast(operands[0], compute(op.to));
                narrow(w, raw, op.to)
            }
            _ => unreachable!("{} is not elementwise", node.op.name()),
        }
    }

    fn unary(&self, w: &mut Writer, node: &Node, kind: UnaryKind, dtype: DType, x: Val) -> Val {
        if !dtype.is_float() {
            return int_unary(w, kind, dtype, x);
        }
        match kind {
            UnaryKind::Neg => w.negf(x),
            UnaryKind::Abs => w.absf(x),
            UnaryKind::Sign => float_sign(w, x),
            UnaryKind::Sqrt => w.sqrt(x),
            UnaryKind::Floor => w.floor(x),
            UnaryKind::Ceil => w.ceil(x),
            UnaryKind::Round => w.roundeven(x),
            UnaryKind::Trunc => w.trunc(x),
            UnaryKind::IsNan => w.cmpf(FloatCmp::Uno, x, x),
            other => match function(other) {
                Some(function) => math::unary(w, function, x),
                None => {
                    self.fail(node, "the function is not defined on floats");
                    x
                }
            },
        }
    }
}

/// The vector function that a kind stands for.
pub(crate) fn function(kind: UnaryKind) -> Option<math::Unary> {
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
        UnaryKind::Asinh => math::Unary::Asinh,
        UnaryKind::Acosh => math::Unary::Acosh,
        UnaryKind::Atanh => math::Unary::Atanh,
        UnaryKind::Tanh => math::Unary::Tanh,
        UnaryKind::Erf => math::Unary::Erf,
        UnaryKind::Sigmoid => math::Unary::Sigmoid,
        _ => return None,
    })
}

fn int_unary(w: &mut Writer, kind: UnaryKind, dtype: DType, x: Val) -> Val {
    match kind {
        UnaryKind::Neg => w.negi(x),
        UnaryKind::Abs if dtype.is_signed_int() => w.absi(x),
        UnaryKind::Not => w.noti(x),
        UnaryKind::Sign => {
            let (zero, one, minus) = (w.zero(x.ty), w.int(x.ty, 1), w.int(x.ty, -1));
            let nonzero = w.cmpi(IntCmp::Ne, x, zero);
            let positive = w.select(nonzero, one, zero);
            if dtype.is_unsigned_int() {
                return positive;
            }
            let negative = w.cmpi(IntCmp::Slt, x, zero);
            w.select(negative, minus, positive)
        }
        _ => x,
    }
}

fn float_sign(w: &mut Writer, x: Val) -> Val {
    let (zero, one, minus) = (w.zero(x.ty), w.float(x.ty, 1.0), w.float(x.ty, -1.0));
    let (above, below) = (w.cmpf(FloatCmp::Ogt, x, zero), w.cmpf(FloatCmp::Olt, x, zero));
    let nan = w.cmpf(FloatCmp::Uno, x, x);
    let rest = w.select(nan, x, zero);
    let rest = w.select(below, minus, rest);
    w.select(above, one, rest)
}

fn binary(w: &mut Writer, kind: BinaryKind, dtype: DType, a: Val, b: Val) -> Val {
    if dtype.is_float() { float_binary(w, kind, a, b) } else { int_binary(w, kind, dtype, a, b) }
}

fn float_binary(w: &mut Writer, kind: BinaryKind, a: Val, b: Val) -> Val {
    match kind {
        BinaryKind::Add => w.addf(a, b),
        BinaryKind::Sub => w.subf(a, b),
        BinaryKind::Mul => w.mulf(a, b),
        BinaryKind::Div => w.divf(a, b),
        BinaryKind::Max => nan_select(w, FloatCmp::Ogt, a, b),
        BinaryKind::Min => nan_select(w, FloatCmp::Olt, a, b),
        BinaryKind::Pow => math::binary(w, math::Binary::Pow, a, b),
        BinaryKind::Atan2 => math::binary(w, math::Binary::Atan2, a, b),
        BinaryKind::Rem => math::binary(w, math::Binary::Fmod, a, b),
        BinaryKind::Mod => float_mod(w, a, b),
        BinaryKind::And | BinaryKind::Or | BinaryKind::Xor | BinaryKind::Shl | BinaryKind::Shr => a,
    }
}

/// `a` where it compares so to `b` or is NaN, else `b`: NaN wins from either side.
fn nan_select(w: &mut Writer, cmp: FloatCmp, a: Val, b: Val) -> Val {
    let (better, nan) = (w.cmpf(cmp, a, b), w.cmpf(FloatCmp::Uno, a, a));
    let takes_a = w.ori(better, nan);
    w.select(takes_a, a, b)
}

/// Python's `%`: the remainder with the divisor's sign.
fn float_mod(w: &mut Writer, a: Val, b: Val) -> Val {
    let r = math::binary(w, math::Binary::Fmod, a, b);
    let zero = w.zero(r.ty);
    let (r_negative, b_negative) = (w.cmpf(FloatCmp::Olt, r, zero), w.cmpf(FloatCmp::Olt, b, zero));
    let signs_differ = w.xori(r_negative, b_negative);
    let nonzero = w.cmpf(FloatCmp::One, r, zero);
    let adjusts = w.andi(signs_differ, nonzero);
    let moved = w.addf(r, b);
    w.select(adjusts, moved, r)
}

fn int_binary(w: &mut Writer, kind: BinaryKind, dtype: DType, a: Val, b: Val) -> Val {
    let signed = dtype.is_signed_int();
    match kind {
        BinaryKind::Add => w.addi(a, b),
        BinaryKind::Sub => w.subi(a, b),
        BinaryKind::Mul => w.muli(a, b),
        BinaryKind::Max if signed => w.maxsi(a, b),
        BinaryKind::Max => w.maxui(a, b),
        BinaryKind::Min if signed => w.minsi(a, b),
        BinaryKind::Min => w.minui(a, b),
        BinaryKind::And => w.andi(a, b),
        BinaryKind::Or => w.ori(a, b),
        BinaryKind::Xor => w.xori(a, b),
        BinaryKind::Div => safe_division(w, signed, true, a, b),
        BinaryKind::Rem => safe_division(w, signed, false, a, b),
        BinaryKind::Mod => int_mod(w, signed, a, b),
        BinaryKind::Pow => int_pow(w, signed, a, b),
        BinaryKind::Shl => shift(w, a, b, false, |w, a, n| w.shli(a, n)),
        BinaryKind::Shr if signed => shift(w, a, b, true, |w, a, n| w.shrsi(a, n)),
        BinaryKind::Shr => shift(w, a, b, false, |w, a, n| w.shrui(a, n)),
        BinaryKind::Atan2 => a,
    }
}

/// A quotient or remainder that does not trap: 0 where the divisor is 0; the lowest number by -1 wraps.
fn safe_division(w: &mut Writer, signed: bool, quotient: bool, a: Val, b: Val) -> Val {
    let (zero, one, minus) = (w.zero(b.ty), w.int(b.ty, 1), w.int(b.ty, -1));
    let by_zero = w.cmpi(IntCmp::Eq, b, zero);
    let by_minus = w.cmpi(IntCmp::Eq, b, minus);
    let mut divisor = w.select(by_zero, one, b);
    if signed {
        divisor = w.select(by_minus, one, divisor);
    }
    let mut result = match (signed, quotient) {
        (true, true) => w.divsi(a, divisor),
        (true, false) => w.remsi(a, divisor),
        (false, true) => w.divui(a, divisor),
        (false, false) => w.remui(a, divisor),
    };
    if signed && quotient {
        let negated = w.negi(a);
        result = w.select(by_minus, negated, result);
    }
    w.select(by_zero, zero, result)
}

fn int_mod(w: &mut Writer, signed: bool, a: Val, b: Val) -> Val {
    let r = safe_division(w, signed, false, a, b);
    if !signed {
        return r;
    }
    let zero = w.zero(r.ty);
    let (r_negative, b_negative) = (w.cmpi(IntCmp::Slt, r, zero), w.cmpi(IntCmp::Slt, b, zero));
    let signs_differ = w.xori(r_negative, b_negative);
    let nonzero = w.cmpi(IntCmp::Ne, r, zero);
    let adjusts = w.andi(signs_differ, nonzero);
    let moved = w.addi(r, b);
    w.select(adjusts, moved, r)
}

/// Power by squaring: as many steps as the exponent has bits. Negative powers of anything but 1 and -1 are 0.
fn int_pow(w: &mut Writer, signed: bool, a: Val, b: Val) -> Val {
    let (zero, one) = (w.zero(a.ty), w.int(a.ty, 1));
    let steps = a.ty.elem().bits().min(64);
    let (lo, hi, step) = (w.i64(0), w.i64(steps.into()), w.i64(1));
    let power = w.for_loop(lo, hi, step, &[one, a, b], |w, _, carried| {
        let bit = w.andi(carried[2], one);
        let odd = w.cmpi(IntCmp::Ne, bit, zero);
        let times = w.muli(carried[0], carried[1]);
        let result = w.select(odd, times, carried[0]);
        vec![result, w.muli(carried[1], carried[1]), w.shrui(carried[2], one)]
    })[0];
    if !signed {
        return power;
    }
    let minus = w.int(a.ty, -1);
    let negative = w.cmpi(IntCmp::Slt, b, zero);
    let is_one = w.cmpi(IntCmp::Eq, a, one);
    let is_minus = w.cmpi(IntCmp::Eq, a, minus);
    let bit = w.andi(b, one);
    let odd = w.cmpi(IntCmp::Ne, bit, zero);
    let of_minus = w.select(odd, minus, one);
    let small = w.select(is_minus, of_minus, zero);
    let small = w.select(is_one, one, small);
    w.select(negative, small, power)
}

/// A shift by the width or more moves every bit out.
fn shift(w: &mut Writer, a: Val, n: Val, keeps_sign: bool, f: impl FnOnce(&mut Writer, Val, Val) -> Val) -> Val {
    let bits = i64::from(a.ty.elem().bits());
    let (width, last, zero) = (w.int(n.ty, bits), w.int(n.ty, bits - 1), w.zero(a.ty));
    let fits = w.cmpi(IntCmp::Ult, n, width);
    let distance = w.select(fits, n, last);
    let shifted = f(w, a, distance);
    if keeps_sign { shifted } else { w.select(fits, shifted, zero) }
}

/// Integers of less than eight bits wrap at their own width.
pub(crate) fn narrow(w: &mut Writer, x: Val, dtype: DType) -> Val {
    let bits = i64::from(dtype.bits());
    if !dtype.is_int() || bits >= 8 {
        return x;
    }
    let distance = w.int(x.ty, 8 - bits);
    let high = w.shli(x, distance);
    if dtype.is_signed_int() { w.shrsi(high, distance) } else { w.shrui(high, distance) }
}

fn compare(w: &mut Writer, kind: CompareKind, dtype: DType, a: Val, b: Val) -> Val {
    if dtype.is_float() {
        let cmp = match kind {
            CompareKind::Eq => FloatCmp::Oeq,
            CompareKind::Ne => FloatCmp::Une,
            CompareKind::Lt => FloatCmp::Olt,
            CompareKind::Le => FloatCmp::Ole,
            CompareKind::Gt => FloatCmp::Ogt,
            CompareKind::Ge => FloatCmp::Oge,
        };
        return w.cmpf(cmp, a, b);
    }
    // Truth values compare as unsigned numbers.
    let cmp = match (kind, dtype.is_signed_int()) {
        (CompareKind::Eq, _) => IntCmp::Eq,
        (CompareKind::Ne, _) => IntCmp::Ne,
        (CompareKind::Lt, true) => IntCmp::Slt,
        (CompareKind::Le, true) => IntCmp::Sle,
        (CompareKind::Gt, true) => IntCmp::Sgt,
        (CompareKind::Ge, true) => IntCmp::Sge,
        (CompareKind::Lt, false) => IntCmp::Ult,
        (CompareKind::Le, false) => IntCmp::Ule,
        (CompareKind::Gt, false) => IntCmp::Ugt,
        (CompareKind::Ge, false) => IntCmp::Uge,
    };
    w.cmpi(cmp, a, b)
}
