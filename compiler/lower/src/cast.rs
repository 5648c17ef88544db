//! Conversions of element types on registers.

use crate::elementwise::narrow;
use crate::types::compute;
use kernels::float_format::{FloatFormat, RoundMode, load_code, store_code};
use kernels::text::{FloatCmp, IntCmp, Scalar, Ty, Val, Writer};
use tensor::DType;

/// Elements of type `from` as type `to`; see `ops::Cast` for the meaning.
pub(crate) fn cast(w: &mut Writer, x: Val, from: DType, to: DType, saturate: bool) -> Val {
    if from == to {
        return x;
    }
    if from.is_tiny_float() {
        let wide = load_code(w, code(from), x);
        return cast(w, wide, DType::F32, to, saturate);
    }
    if to.is_tiny_float() {
        let single = cast(w, x, from, DType::F32, saturate);
        return store_code(w, code(to), single, saturate, RoundMode::Nearest);
    }
    let elem = compute(to);
    match (from.is_float(), to.is_float()) {
        _ if to == DType::Bool => is_nonzero(w, x, from),
        (true, true) => w.float_to_float(x, elem),
        (true, false) => float_to_int(w, x, to),
        (false, true) => int_to_float(w, x, from, elem),
        (false, false) => {
            let resized = w.int_to_int(x, elem, from.is_signed_int());
            narrow(w, resized, to)
        }
    }
}

/// A number of type `i64` as an element type.
pub(crate) fn i64_as(w: &mut Writer, x: Val, to: DType) -> Val {
    match to {
        DType::Bool => is_nonzero(w, x, DType::I64),
        _ if to.is_float() && !to.is_tiny_float() => int_to_float(w, x, DType::I64, compute(to)),
        _ => w.int_to_int(x, compute(to), true),
    }
}

fn is_nonzero(w: &mut Writer, x: Val, from: DType) -> Val {
    let zero = w.zero(x.ty);
    if from.is_float() { w.cmpf(FloatCmp::Une, x, zero) } else { w.cmpi(IntCmp::Ne, x, zero) }
}

/// Truncation that never traps: NaN gives 0, too large values saturate to 64 bits and wrap from there.
fn float_to_int(w: &mut Writer, x: Val, to: DType) -> Val {
    let x = if x.ty.elem().bits() < 32 { w.extf(x, Scalar::F32) } else { x };
    let wide = x.ty.with_elem(Scalar::I64);
    let kind = if to == DType::U64 { "fptoui" } else { "fptosi" };
    let overload = |ty: Ty| if ty.is_vector() { format!("v{}{}", ty.lanes(), ty.elem()) } else { ty.to_string() };
    let name = format!("llvm.{kind}.sat.{}.{}", overload(wide), overload(x.ty));
    let ints = w.op(wide, format_args!("llvm.call_intrinsic \"{name}\"({x}) : ({}) -> {wide}", x.ty));
    let resized = w.int_to_int(ints, compute(to), true);
    narrow(w, resized, to)
}

/// To nearest even; through `f64` where the float is narrower than the integer, so that it rounds once.
fn int_to_float(w: &mut Writer, x: Val, from: DType, to: Scalar) -> Val {
    let narrow_float = to.bits() == 16;
    let target = if narrow_float { Scalar::F64 } else { to };
    let unsigned = !from.is_signed_int();
    let float = if unsigned { w.uitofp(x, target) } else { w.sitofp(x, target) };
    if narrow_float { w.float_to_float(float, to) } else { float }
}

/// The code of a float of at most eight bits.
fn code(dtype: DType) -> FloatFormat {
    match dtype {
        DType::F8E4M3FN => FloatFormat::F8E4M3FN,
        DType::F8E4M3FNUZ => FloatFormat::F8E4M3FNUZ,
        DType::F8E5M2 => FloatFormat::F8E5M2,
        DType::F8E5M2FNUZ => FloatFormat::F8E5M2FNUZ,
        DType::F8E8M0 => FloatFormat::F8E8M0,
        _ => FloatFormat::F4E2M1,
    }
}
