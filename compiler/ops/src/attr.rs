//! Attributes: the compile-time parameters of operators, in one uniform representation for text and e-graph.

use std::hash::{Hash, Hasher};
use tensor::{DType, Dim, Tensor};

/// A float with structural equality and order (by bits), so that operators can be compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct F64(u64);

impl From<f64> for F64 {
    fn from(v: f64) -> Self {
        F64(v.to_bits())
    }
}

impl F64 {
    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A constant tensor inside an operator: cheap to clone, compared by content.
#[derive(Clone, Debug)]
pub struct Const(pub Tensor);

impl Const {
    fn same_storage(&self, other: &Const) -> bool {
        let (a, b) = (self.0.bytes(), other.0.bytes());
        a.as_ptr() == b.as_ptr() && a.len() == b.len()
    }
}

impl PartialEq for Const {
    fn eq(&self, other: &Self) -> bool {
        self.0.dtype() == other.0.dtype()
            && self.0.shape() == other.0.shape()
            && (self.same_storage(other) || self.0.bytes() == other.0.bytes())
    }
}

impl Eq for Const {}

impl PartialOrd for Const {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Const {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let head = |c: &Const| (c.0.dtype(), c.0.shape().to_vec());
        head(self).cmp(&head(other)).then_with(|| {
            if self.same_storage(other) { std::cmp::Ordering::Equal } else { self.0.bytes().cmp(other.0.bytes()) }
        })
    }
}

impl Hash for Const {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Large weights are told apart by shape and a sample; equality looks at all bytes.
        let bytes = self.0.bytes();
        (self.0.dtype(), self.0.shape(), &bytes[..bytes.len().min(64)], &bytes[bytes.len().saturating_sub(64)..])
            .hash(state);
    }
}

/// One attribute value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Attr {
    Int(i64),
    Ints(Vec<i64>),
    Float(F64),
    Bool(bool),
    Word(String),
    Words(Vec<String>),
    Dim(Dim),
    Dims(Vec<Dim>),
    DType(DType),
    Tensor(Const),
}

/// An attribute is missing or of the wrong kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute `{name}` {what}")]
pub struct AttrError {
    /// Attribute name.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
}

/// A Rust type that is stored as an attribute.
pub trait AttrValue: Sized {
    /// Into the uniform representation.
    fn to_attr(&self) -> Attr;
    /// Back from it; `None` if it is of another kind.
    fn from_attr(attr: &Attr) -> Option<Self>;
}

macro_rules! attr_values {
    ($($ty:ty => |$this:ident| $to:expr, $pat:pat => $from:expr;)*) => {$(
        impl AttrValue for $ty {
            fn to_attr(&self) -> Attr { let $this = self; $to }
            fn from_attr(attr: &Attr) -> Option<Self> { match attr { $pat => $from, _ => None } }
        }
    )*};
}

attr_values! {
    i64 => |v| Attr::Int(*v), Attr::Int(v) => Some(*v);
    usize => |v| Attr::Int(*v as i64), Attr::Int(v) => usize::try_from(*v).ok();
    u64 => |v| Attr::Int(v.cast_signed()), Attr::Int(v) => Some(v.cast_unsigned());
    F64 => |v| Attr::Float(*v), Attr::Float(v) => Some(*v);
    bool => |v| Attr::Bool(*v), Attr::Bool(v) => Some(*v);
    String => |v| Attr::Word(v.clone()), Attr::Word(v) => Some(v.clone());
    Vec<String> => |v| Attr::Words(v.clone()), Attr::Words(v) => Some(v.clone());
    DType => |v| Attr::DType(*v), Attr::DType(v) => Some(*v);
    Const => |v| Attr::Tensor(v.clone()), Attr::Tensor(v) => Some(v.clone());
    Vec<i64> => |v| Attr::Ints(v.clone()), Attr::Ints(v) => Some(v.clone());
    Vec<usize> => |v| Attr::Ints(v.iter().map(|d| *d as i64).collect()),
        Attr::Ints(v) => v.iter().map(|d| usize::try_from(*d).ok()).collect();
    Dim => |v| Attr::Dim(v.clone()), Attr::Dim(v) => Some(v.clone());
    Vec<Dim> => |v| Attr::Dims(v.clone()), Attr::Dims(v) => Some(v.clone());
}

/// Reads the attributes of one operator by name.
pub struct AttrReader<'a> {
    attrs: &'a [(String, Attr)],
}

impl<'a> AttrReader<'a> {
    /// A reader over parsed attributes.
    pub fn new(attrs: &'a [(String, Attr)]) -> Self {
        AttrReader { attrs }
    }

    /// The attribute of this name.
    pub fn get<T: AttrValue>(&self, name: &str) -> Result<T, AttrError> {
        let fail = |what: &str| AttrError { name: name.into(), what: what.into() };
        let (_, attr) = self.attrs.iter().find(|(n, _)| n == name).ok_or_else(|| fail("is missing"))?;
        T::from_attr(attr).ok_or_else(|| fail("has the wrong kind of value"))
    }
}

/// Declares an operator's struct with its name and its conversion from and to attributes.
macro_rules! operator {
    ($(#[$meta:meta])* $name:literal $ty:ident { $($(#[$field_meta:meta])* $field:ident: $field_ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $ty { $($(#[$field_meta])* pub $field: $field_ty),* }

        impl $ty {
            /// The operator's name in text forms.
            pub const NAME: &'static str = $name;
            pub(crate) fn attrs(&self) -> Vec<(&'static str, $crate::Attr)> {
                vec![$((stringify!($field), $crate::AttrValue::to_attr(&self.$field))),*]
            }
            pub(crate) fn from_attrs(_reader: &$crate::AttrReader) -> Result<Self, $crate::AttrError> {
                Ok($ty { $($field: _reader.get(stringify!($field))?),* })
            }
        }
    };
}
pub(crate) use operator;

/// Declares an enumeration that is stored as a word attribute, one name per variant.
macro_rules! words {
    ($(#[$meta:meta])* $ty:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $ty { $($(#[$variant_meta])* $variant),* }

        impl $ty {
            /// Every variant, in declaration order.
            pub const ALL: &'static [$ty] = &[$($ty::$variant),*];
            /// The word in text forms.
            pub fn word(self) -> &'static str {
                match self { $($ty::$variant => $word),* }
            }
        }

        impl $crate::AttrValue for $ty {
            fn to_attr(&self) -> $crate::Attr { $crate::Attr::Word(self.word().into()) }
            fn from_attr(attr: &$crate::Attr) -> Option<Self> {
                match attr {
                    $crate::Attr::Word(word) => $ty::ALL.iter().copied().find(|v| v.word() == word),
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;
