//! Arithmetic of integers and truth values, with a result where `arith` has none.

use kernels::text::{IntCmp, Val, Writer};
use ops::{BinaryKind, CompareKind, UnaryKind};
use tensor::DType;

/// A function of an integer or truth value.
pub(super) fn unary(w: &mut Writer, kind: UnaryKind, dtype: DType, x: Val) -> Val {
    match kind {
        UnaryKind::Neg => w.negi(x),
        UnaryKind::Not => w.noti(x),
        UnaryKind::Abs if dtype.is_signed_int() => w.op(x.ty, format_args!("math.absi {x} : {}", x.ty)),
        UnaryKind::Sign if dtype.is_signed_int() => {
            let (low, high) = (w.int(x.ty, -1), w.int(x.ty, 1));
            let bounded = w.maxsi(x, low);
            w.minsi(bounded, high)
        }
        UnaryKind::Sign => {
            let one = w.int(x.ty, 1);
            w.minui(x, one)
        }
        _ => x,
    }
}

/// A function of two integers or truth values.
pub(super) fn binary(w: &mut Writer, kind: BinaryKind, dtype: DType, a: Val, b: Val) -> Val {
    let (signed, bool) = (dtype.is_signed_int(), dtype == DType::Bool);
    match kind {
        BinaryKind::Min | BinaryKind::Mul if bool => w.andi(a, b),
        BinaryKind::Max | BinaryKind::Add if bool => w.ori(a, b),
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
        BinaryKind::Div if signed => divided(w, a, b, true),
        BinaryKind::Rem if signed => divided(w, a, b, false),
        BinaryKind::Mod if signed => {
            let rest = divided(w, a, b, false);
            let (sum, zero) = (w.addi(rest, b), w.int(a.ty, 0));
            let signs = w.xori(rest, b);
            let differ = w.cmpi(IntCmp::Slt, signs, zero);
            let some = w.cmpi(IntCmp::Ne, rest, zero);
            let moves = w.andi(differ, some);
            w.select(moves, sum, rest)
        }
        BinaryKind::Div => by_nonzero(w, a, b, |w, b| w.divui(a, b)),
        BinaryKind::Rem | BinaryKind::Mod => by_nonzero(w, a, b, |w, b| w.remui(a, b)),
        BinaryKind::Pow => power(w, signed, a, b),
        BinaryKind::Shl => shifted(w, a, b, |w, n| w.shli(a, n), None),
        BinaryKind::Shr if signed => {
            let last = w.int(a.ty, i64::from(a.ty.elem().bits()) - 1);
            let sign = w.shrsi(a, last);
            shifted(w, a, b, |w, n| w.shrsi(a, n), Some(sign))
        }
        BinaryKind::Shr => shifted(w, a, b, |w, n| w.shrui(a, n), None),
        BinaryKind::Atan2 => a,
    }
}

/// 0 by 0, and no division by 0 anywhere.
fn by_nonzero(w: &mut Writer, a: Val, b: Val, divide: impl FnOnce(&mut Writer, Val) -> Val) -> Val {
    let (zero, one) = (w.int(a.ty, 0), w.int(a.ty, 1));
    let by_zero = w.cmpi(IntCmp::Eq, b, zero);
    let divisor = w.select(by_zero, one, b);
    let quotient = divide(w, divisor);
    w.select(by_zero, zero, quotient)
}

/// A signed quotient or remainder. By -1 it is told without a division, as the lowest number has no negative.
fn divided(w: &mut Writer, a: Val, b: Val, quotient: bool) -> Val {
    by_nonzero(w, a, b, |w, b| {
        let (zero, one, minus) = (w.int(a.ty, 0), w.int(a.ty, 1), w.int(a.ty, -1));
        let by_minus = w.cmpi(IntCmp::Eq, b, minus);
        let divisor = w.select(by_minus, one, b);
        let negative = w.subi(zero, a);
        match quotient {
            true => {
                let divided = w.divsi(a, divisor);
                w.select(by_minus, negative, divided)
            }
            false => w.remsi(a, divisor),
        }
    })
}

/// What a shift by the width or more gives is said by the caller.
fn shifted(w: &mut Writer, a: Val, n: Val, shift: impl FnOnce(&mut Writer, Val) -> Val, beyond: Option<Val>) -> Val {
    let (zero, width) = (w.int(a.ty, 0), w.int(a.ty, a.ty.elem().bits().into()));
    let fits = w.cmpi(IntCmp::Ult, n, width);
    let distance = w.select(fits, n, zero);
    let moved = shift(w, distance);
    w.select(fits, moved, beyond.unwrap_or(zero))
}

/// A power by squaring, one bit of the exponent at a time.
fn power(w: &mut Writer, signed: bool, base: Val, exponent: Val) -> Val {
    let (zero, one, minus) = (w.int(base.ty, 0), w.int(base.ty, 1), w.int(base.ty, -1));
    let bits = i64::from(base.ty.elem().bits());
    let [lo, hi, step] = [0, bits, 1].map(|n| w.int(kernels::text::Ty::INDEX, n));
    let raised = w.for_loop(lo, hi, step, &[one, base, exponent], |w, _, carried| {
        let [result, square, left] = [carried[0], carried[1], carried[2]];
        let bit = w.andi(left, one);
        let counts = w.cmpi(IntCmp::Ne, bit, zero);
        let times = w.muli(result, square);
        vec![w.select(counts, times, result), w.muli(square, square), w.shrui(left, one)]
    })[0];
    if !signed {
        return raised;
    }
    // To a negative power only 1 and -1 have a result; that of -1 depends on the exponent's last bit as before.
    let negative = w.cmpi(IntCmp::Slt, exponent, zero);
    let (is_one, is_minus) = (w.cmpi(IntCmp::Eq, base, one), w.cmpi(IntCmp::Eq, base, minus));
    let unit = w.ori(is_one, is_minus);
    let kept = w.select(unit, raised, zero);
    w.select(negative, kept, raised)
}

/// The predicate of a comparison.
pub(super) fn predicate(kind: CompareKind, signed: bool) -> IntCmp {
    match (kind, signed) {
        (CompareKind::Eq, _) => IntCmp::Eq,
        (CompareKind::Ne, _) => IntCmp::Ne,
        (CompareKind::Lt, true) => IntCmp::Slt,
        (CompareKind::Lt, false) => IntCmp::Ult,
        (CompareKind::Le, true) => IntCmp::Sle,
        (CompareKind::Le, false) => IntCmp::Ule,
        (CompareKind::Gt, true) => IntCmp::Sgt,
        (CompareKind::Gt, false) => IntCmp::Ugt,
        (CompareKind::Ge, true) => IntCmp::Sge,
        (CompareKind::Ge, false) => IntCmp::Uge,
    }
}
