//! Numbers and constant tensors in MLIR's syntax.

use tensor::{DType, Scalar, Tensor};

/// Constants of more elements than this are elided, as MLIR's own printer does on demand.
pub(crate) const MAX_ELEMENTS: usize = 64;

/// A constant without its type: `dense<[1, 2]>`. One of more elements than `max` is elided.
pub(crate) fn dense(tensor: &Tensor, max: usize) -> String {
    if tensor.is_empty() {
        return "dense<>".into();
    }
    let size = tensor.dtype().size();
    let first = &tensor.bytes()[..size];
    if tensor.bytes().chunks_exact(size).all(|bytes| bytes == first) {
        return format!("dense<{}>", number(tensor.dtype(), first));
    }
    if tensor.len() > max {
        return "dense_resource<__elided__>".into();
    }
    if tensor.len() > MAX_ELEMENTS && tensor.dtype() != DType::Bool {
        let digits: String = tensor.bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        return format!("dense<\"0x{digits}\">");
    }
    let mut elements = tensor.bytes().chunks_exact(size).map(|bytes| number(tensor.dtype(), bytes));
    format!("dense<{}>", nested(tensor.shape(), &mut elements))
}

fn nested(shape: &[usize], elements: &mut dyn Iterator<Item = String>) -> String {
    let Some((first, rest)) = shape.split_first() else { return elements.next().unwrap_or_default() };
    let parts: Vec<String> = (0..*first).map(|_| nested(rest, elements)).collect();
    format!("[{}]", parts.join(", "))
}

fn number(dtype: DType, bytes: &[u8]) -> String {
    match Scalar::load(dtype, bytes) {
        Scalar::Bool(v) => v.to_string(),
        Scalar::Int(v) => v.to_string(),
        Scalar::Float(_) if dtype.is_tiny_float() || dtype == DType::BF16 || dtype == DType::F16 => hex(bytes, dtype),
        Scalar::Float(v) if v.is_finite() => float(v, dtype),
        Scalar::Float(_) => hex(bytes, dtype),
    }
}

/// The bits. A hexadecimal number may not say more bits than the type has.
fn hex(bytes: &[u8], dtype: DType) -> String {
    let bits = bytes.iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
    let digits = dtype.bits().div_ceil(4) as usize;
    format!("0x{bits:0digits$X}")
}

/// A float that reads back to the same bits: the shortest decimal, with the point that MLIR asks for.
pub(crate) fn float(v: f64, dtype: DType) -> String {
    if !v.is_finite() {
        return format!("0x{:016X}", v.to_bits());
    }
    let text = match dtype {
        DType::F32 => format!("{:e}", v as f32),
        _ => format!("{v:e}"),
    };
    // MLIR reads a decimal as f64 and rounds that to f32, which for a few numbers differs from reading it as f32.
    let text = match text.parse::<f64>() {
        Ok(read) if dtype == DType::F32 && read as f32 != v as f32 => format!("{v:e}"),
        _ => text,
    };
    match text.split_once('e') {
        Some((digits, "0")) if digits.contains('.') => digits.into(),
        Some((digits, "0")) => format!("{digits}.0"),
        Some((digits, power)) if digits.contains('.') => format!("{digits}e{power}"),
        Some((digits, power)) => format!("{digits}.0e{power}"),
        None => text,
    }
}
