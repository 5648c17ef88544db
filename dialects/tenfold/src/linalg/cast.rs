//! Conversions of element types, with a result for every element.

use kernels::text::{FloatCmp, IntCmp, Scalar, Ty, Val, Writer};
use tensor::DType;

/// An element of one type as another; see `ops::Cast`. `elem` is the register type of `to`.
pub(super) fn cast(w: &mut Writer, x: Val, from: DType, to: DType, elem: Scalar) -> Val {
    match (from.is_float(), to.is_float()) {
        _ if from == to => x,
        (true, _) if to == DType::Bool => {
            let zero = w.zero(x.ty);
            w.cmpf(FloatCmp::Une, x, zero)
        }
        (false, _) if to == DType::Bool => {
            let zero = w.zero(x.ty);
            w.cmpi(IntCmp::Ne, x, zero)
        }
        (true, true) => float_to_float(w, x, elem),
        (true, false) => float_to_int(w, x, to, elem),
        (false, true) => int_to_float(w, x, from, elem),
        (false, false) => w.int_to_int(x, elem, from.is_signed_int()),
    }
}

/// Between the 16-bit formats by way of `f32`, which holds both.
pub(super) fn float_to_float(w: &mut Writer, x: Val, to: Scalar) -> Val {
    let from = x.ty.elem();
    match (from.bits(), to.bits()) {
        _ if from == to => x,
        (16, 16) => {
            let wide = w.extf(x, Scalar::F32);
            w.truncf(wide, to)
        }
        (a, b) if a < b => w.extf(x, to),
        _ => w.truncf(x, to),
    }
}

/// Through the type that holds every element exactly, or rounds once.
fn int_to_float(w: &mut Writer, x: Val, from: DType, to: Scalar) -> Val {
    let exact = if from.bits() <= 16 { Scalar::F32 } else { Scalar::F64 };
    let through = if to.bits() == 16 { exact } else { to };
    let wide = if from.is_signed_int() { w.sitofp(x, through) } else { w.uitofp(x, through) };
    float_to_float(w, wide, to)
}

/// Truncation to 64 bits, where too large values saturate and NaN is 0; then the low bits.
fn float_to_int(w: &mut Writer, x: Val, to: DType, elem: Scalar) -> Val {
    let x = if x.ty.elem().bits() == 16 { w.extf(x, Scalar::F32) } else { x };
    let zero = w.zero(x.ty);
    let bound = w.float(x.ty, 2f64.powi(63));
    let low = w.float(x.ty, -2f64.powi(63));
    let (below, above) = (w.cmpf(FloatCmp::Oge, x, low), w.cmpf(FloatCmp::Olt, x, bound));
    let inside = w.andi(below, above);
    let safe = w.select(inside, x, zero);
    let fits = w.fptosi(safe, Scalar::I64);
    let (min, max) = (w.int(Ty::I64, i64::MIN), w.int(Ty::I64, i64::MAX));
    let too_low = w.cmpf(FloatCmp::Olt, x, low);
    let too_high = w.cmpf(FloatCmp::Oge, x, bound);
    let mut wide = w.select(too_low, min, fits);
    wide = match to {
        DType::U64 => {
            let top = w.float(x.ty, 2f64.powi(64));
            let in_upper = w.cmpf(FloatCmp::Olt, x, top);
            let upper = w.andi(too_high, in_upper);
            let safe = w.select(upper, x, zero);
            let unsigned = w.fptoui(safe, Scalar::I64);
            let ones = w.int(Ty::I64, -1);
            let high = w.select(upper, unsigned, ones);
            w.select(too_high, high, wide)
        }
        _ => w.select(too_high, max, wide),
    };
    w.int_to_int(wide, elem, true)
}
