//! Attributes and types of the graph as MLIR's.

use crate::literal::{MAX_ELEMENTS, dense, float};
use ops::Attr;
use tensor::{DType, TensorType};

/// An attribute. What MLIR has no attribute for (dimensions, words) is a string or a list of strings.
pub(crate) fn attribute(attr: &Attr) -> String {
    let strings = |words: Vec<String>| {
        let quoted: Vec<String> = words.iter().map(|w| quoted(w)).collect();
        format!("[{}]", quoted.join(", "))
    };
    match attr {
        Attr::Int(v) => format!("{v} : i64"),
        Attr::Ints(v) if v.is_empty() => "array<i64>".into(),
        Attr::Ints(v) => {
            let texts: Vec<String> = v.iter().map(ToString::to_string).collect();
            format!("array<i64: {}>", texts.join(", "))
        }
        Attr::Float(v) => format!("{} : f64", float(v.get(), DType::F64)),
        Attr::Bool(v) => v.to_string(),
        Attr::Word(v) => quoted(v),
        Attr::Words(v) => strings(v.clone()),
        Attr::Dim(v) => quoted(&v.to_string()),
        Attr::Dims(v) => strings(v.iter().map(ToString::to_string).collect()),
        Attr::DType(v) => element(*v).into(),
        Attr::Tensor(v) => format!("{} : {}", dense(&v.0, MAX_ELEMENTS), tensor(&v.0.ty())),
    }
}

/// The type of an element. Signed integers have no sign in MLIR, unsigned ones do.
pub(crate) fn element(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "i1",
        DType::I2 => "i2",
        DType::I4 => "i4",
        DType::I8 => "i8",
        DType::I16 => "i16",
        DType::I32 => "i32",
        DType::I64 => "i64",
        DType::U2 => "ui2",
        DType::U4 => "ui4",
        DType::U8 => "ui8",
        DType::U16 => "ui16",
        DType::U32 => "ui32",
        DType::U64 => "ui64",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::F32 => "f32",
        DType::F64 => "f64",
        DType::F8E4M3FN => "f8E4M3FN",
        DType::F8E4M3FNUZ => "f8E4M3FNUZ",
        DType::F8E5M2 => "f8E5M2",
        DType::F8E5M2FNUZ => "f8E5M2FNUZ",
        DType::F8E8M0 => "f8E8M0FNU",
        DType::F4E2M1 => "f4E2M1FN",
    }
}

/// The type of a value; every dimension that is not a number is `?`.
pub(crate) fn tensor(ty: &TensorType) -> String {
    let mut out = String::from("tensor<");
    for dim in &ty.shape {
        match dim.as_const() {
            Some(size) if size >= 0 => out.push_str(&size.to_string()),
            _ => out.push('?'),
        }
        out.push('x');
    }
    out + element(ty.dtype) + ">"
}

/// Whether [`tensor`] says less than the type does.
pub(crate) fn is_symbolic(ty: &TensorType) -> bool {
    ty.shape.iter().any(|dim| dim.as_const().is_none())
}

/// A string in MLIR's syntax, bytes outside printable ASCII as two digits.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', byte as char]),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out + "\""
}
