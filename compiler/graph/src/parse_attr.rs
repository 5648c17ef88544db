//! Attribute values and constants in the printed form.
//!
//! A text like `[1, 2]` may be integers or dimensions, and `f32` an element type, a word or a symbol. The operator knows:
//! each value is offered as every kind that its text allows, until the operator takes it.

use crate::parse::{Elided, Parser, Result, is_modest};
use crate::text::is_plain;
use crate::tokens::Scanner;
use ops::{Attr, BinaryKind, CompareKind, Const, F64, Op, UnaryKind};
use tensor::{DType, Dim, Scalar, Tensor};

/// An attribute's value before its kind is known.
pub(crate) enum Raw {
    Quoted(String),
    Atom(String),
    List(Vec<Raw>),
    Tensor(Tensor),
}

/// Expressions longer than this are refused.
const MAX_DIM_TEXT: usize = 512;

/// A dimension, unless its text is of a kind that makes arithmetic explode.
pub(crate) fn dim(text: &str) -> Option<Dim> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Dim::from(number));
    }
    let dense: String = text.split_whitespace().collect();
    let small_numbers = dense
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .all(|word| word.parse::<u32>().is_ok());
    // A product of sums is never printed: expressions are sums of products.
    if dense.len() > MAX_DIM_TEXT || dense.contains("*(") || !small_numbers {
        return None;
    }
    dense.parse().ok()
}

fn float(text: &str) -> Option<f64> {
    match text {
        "nan" => Some(f64::NAN),
        _ if text.starts_with("0x") => bits(text).map(f64::from_bits),
        _ => text.parse().ok(),
    }
}

fn bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

impl Raw {
    /// Every attribute that this may be, most likely first.
    fn candidates(&self) -> Vec<Attr> {
        fn all<T>(items: &[Raw], read: impl Fn(&Raw) -> Option<T>) -> Option<Vec<T>> {
            items.iter().map(read).collect()
        }
        match self {
            Raw::Quoted(text) => vec![Attr::Word(text.clone())],
            Raw::Tensor(tensor) => vec![Attr::Tensor(Const(tensor.clone()))],
            Raw::List(items) => [
                all(items, |raw| raw.atom()?.parse().ok()).map(Attr::Ints),
                all(items, |raw| dim(raw.atom()?)).filter(|dims| is_modest(dims)).map(Attr::Dims),
                all(items, Raw::word).map(Attr::Words),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Raw::Atom(text) => [
                text.parse().ok().map(Attr::Int),
                float(text).map(|v| Attr::Float(F64::from(v))),
                text.parse().ok().map(Attr::Bool),
                text.parse().ok().map(Attr::DType),
                dim(text).map(Attr::Dim),
                is_plain(text).then(|| Attr::Word(text.clone())),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    fn atom(&self) -> Option<&str> {
        match self {
            Raw::Atom(text) => Some(text),
            _ => None,
        }
    }

    fn word(&self) -> Option<String> {
        match self {
            Raw::Quoted(text) => Some(text.clone()),
            Raw::Atom(text) if is_plain(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// The operator of a printed name with its attributes.
pub(crate) fn operator(scanner: &Scanner, at: usize, name: &str, raw: Vec<(usize, String, Raw)>) -> Result<Op> {
    let mut candidates: Vec<(usize, String, Vec<Attr>)> =
        raw.into_iter().map(|(at, name, raw)| (at, name, raw.candidates())).collect();
    let elementwise = [
        ("unary", UnaryKind::ALL.iter().any(|k| k.word() == name)),
        ("binary", BinaryKind::ALL.iter().any(|k| k.word() == name)),
        ("compare", CompareKind::ALL.iter().any(|k| k.word() == name)),
    ];
    let family = elementwise.into_iter().find(|(_, is)| *is);
    let family = family.map_or(name, |(family, _)| family);
    if family != name {
        candidates.push((at, "kind".into(), vec![Attr::Word(name.into())]));
    }
    loop {
        if let Some((at, name, _)) = candidates.iter().find(|(_, _, kinds)| kinds.is_empty()) {
            return Err(scanner.error(*at, format!("bad value of attribute `{name}`")));
        }
        let attrs: Vec<(String, Attr)> =
            candidates.iter().map(|(_, name, kinds)| (name.clone(), kinds[0].clone())).collect();
        let error = match Op::from_attrs(family, &attrs) {
            None => return Err(scanner.error(at, format!("unknown operator `{name}`"))),
            Some(Ok(op)) => return known_only(scanner, op, &candidates),
            Some(Err(error)) => error,
        };
        match candidates.iter_mut().find(|(_, name, _)| *name == error.name) {
            None => return Err(scanner.error(at, format!("{name}: {error}"))),
            Some((_, _, kinds)) => {
                kinds.remove(0);
            }
        }
    }
}

fn known_only(scanner: &Scanner, op: Op, given: &[(usize, String, Vec<Attr>)]) -> Result<Op> {
    let attrs = op.attrs();
    let unknown = given.iter().find(|(_, name, _)| !attrs.iter().any(|(known, _)| known == name));
    match unknown {
        None => Ok(op),
        Some((at, name, _)) => {
            let message = format!("`{}` has no attribute `{name}`", op.name());
            Err(scanner.error(*at, message))
        }
    }
}

impl Parser<'_> {
    /// An attribute's value.
    pub(crate) fn raw_value(&mut self) -> Result<Raw> {
        if !self.scanner.eat("[") {
            return self.raw_item();
        }
        let mut items = Vec::new();
        while !self.scanner.eat("]") {
            if !items.is_empty() {
                self.scanner.expect(",")?;
            }
            items.push(self.raw_item()?);
        }
        Ok(Raw::List(items))
    }

    fn raw_item(&mut self) -> Result<Raw> {
        if self.scanner.peek() == Some('"') {
            return Ok(Raw::Quoted(self.scanner.quoted()?));
        }
        let at = self.scanner.position();
        let text = self.scanner.expression().to_string();
        if text.is_empty() {
            return self.scanner.fail("expected a value");
        }
        if self.scanner.peek() == Some('[') {
            self.scanner.rewind(at);
            return Ok(Raw::Tensor(self.tensor()?));
        }
        Ok(Raw::Atom(text))
    }

    /// A type, and its elements or the hash of their bytes.
    ///
    /// # Errors
    /// Where it is none, or its content cannot be found.
    pub fn tensor(&mut self) -> Result<Tensor> {
        let at = self.scanner.position();
        let ty = self.ty()?;
        let (dtype, shape) = (ty.dtype, ty.static_shape());
        let shape = shape.ok_or_else(|| self.scanner.error(at, "a constant's shape has symbols"))?;
        if self.scanner.eat("elided") {
            return self.elided(at, dtype, shape);
        }
        let mut bytes = Vec::new();
        self.scanner.expect("[")?;
        while !self.scanner.eat("]") {
            if !bytes.is_empty() {
                self.scanner.expect(",")?;
            }
            let at = self.scanner.position();
            let text = self.scanner.expression();
            let element = element(dtype, text);
            let element = element.ok_or_else(|| self.scanner.error(at, format!("`{text}` is not of type {dtype}")))?;
            bytes.extend_from_slice(&element[..dtype.size()]);
        }
        let tensor = Tensor::from_bytes(dtype, shape, bytes.into());
        tensor.map_err(|error| self.scanner.error(at, error.to_string()))
    }

    fn elided(&mut self, at: usize, dtype: DType, shape: Vec<usize>) -> Result<Tensor> {
        self.scanner.expect("(")?;
        let hash = self.scanner.name("a hash")?.to_string();
        self.scanner.expect(")")?;
        let elided = Elided { dtype, shape, hash };
        let found = (self.resolver)(&elided);
        found.filter(|t| t.dtype() == elided.dtype && t.shape() == elided.shape).ok_or_else(|| {
            let message = format!("the content of constant {} is not in the text", elided.hash);
            let error = self.scanner.error(at, message);
            error.note("print it whole (`--constants`), or keep the folder `constants` beside the text that was written with it")
        })
    }
}

/// The little-endian bytes of an element, at the front of eight.
fn element(dtype: DType, text: &str) -> Option<[u8; 8]> {
    let mut out = [0; 8];
    let scalar = match (dtype, text) {
        _ if text.starts_with("0x") && dtype.is_float() => {
            let bits = bits(text)?;
            let fits = dtype.size() == 8 || bits >> (dtype.size() * 8) == 0;
            return fits.then(|| bits.to_le_bytes());
        }
        (DType::Bool, _) => Scalar::Bool(text.parse().ok()?),
        (DType::F32, "nan") => Scalar::Float(f64::NAN),
        // Read as `f32` at once: by way of `f64` it would round twice.
        (DType::F32, _) => Scalar::Float(text.parse::<f32>().ok()?.into()),
        _ if dtype.is_float() => Scalar::Float(float(text)?),
        _ => {
            let value = text.parse::<i128>().ok()?;
            let (low, high) = dtype.int_range()?;
            Scalar::Int(Some(value).filter(|v| (low..=high).contains(v))?)
        }
    };
    scalar.store(dtype, &mut out);
    Some(out)
}
