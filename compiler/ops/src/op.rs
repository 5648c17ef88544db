//! The closed enum over all operators and its dispatch.

use crate::{Attr, AttrError, AttrReader, EvalError, TypeError};
use tensor::{Dim, Symbol, Tensor, TensorType};

/// What every operator's file provides.
pub trait OpSpec {
    /// Result types from operand types, or the broken constraint.
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError>;

    /// The reference meaning. Attributes hold no symbols (see [`Op::substitute`]); operands fit `infer`.
    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError>;
}

macro_rules! op_set {
    ($($variant:ident),* $(,)?) => {
        /// An operator with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each variant is documented at its struct")]
        pub enum Op { $($variant(crate::$variant)),* }

        impl Op {
            /// The names of all operator structs; elementwise families appear under their family name.
            pub const FAMILIES: &'static [&'static str] = &[$(crate::$variant::NAME),*];

            /// Attributes by name, in declaration order.
            pub fn attrs(&self) -> Vec<(&'static str, Attr)> {
                match self { $(Op::$variant(op) => op.attrs()),* }
            }

            /// The operator of this family name with these attributes; `None` for an unknown name.
            pub fn from_attrs(family: &str, attrs: &[(String, Attr)]) -> Option<Result<Op, AttrError>> {
                let reader = AttrReader::new(attrs);
                $(if family == crate::$variant::NAME {
                    return Some(crate::$variant::from_attrs(&reader).map(Op::$variant));
                })*
                None
            }

            /// The family name: the struct's name in text forms.
            pub fn family(&self) -> &'static str {
                match self { $(Op::$variant(_) => crate::$variant::NAME),* }
            }

            /// Result types from operand types, or the broken constraint.
            pub fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
                match self { $(Op::$variant(op) => op.infer(inputs)),* }
            }

            /// The reference meaning.
            pub fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
                match self { $(Op::$variant(op) => op.eval(inputs)),* }
            }
        }

        $(impl From<crate::$variant> for Op {
            fn from(op: crate::$variant) -> Op { Op::$variant(op) }
        })*
    };
}

op_set! {
    Constant, Dims, Bind, Iota,
    Unary, Binary, Compare, Select, Cast, Bitcast,
    Reshape, Transpose, Broadcast, Slice, Pad, Concat,
    Gather, GatherElements, GatherNd, ScatterElements, ScatterNd,
    Reduce, ArgReduce, Cumulative,
    Dot, Conv, Pool, PoolArgMax,
    TopK, NonZero, Unique, NonMaxSuppression, Random,
    If, Loop,
}

impl Op {
    /// The operator's own name: `add` for the elementwise family `binary` of kind `add`.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Unary(op) => op.kind.word(),
            Op::Binary(op) => op.kind.word(),
            Op::Compare(op) => op.kind.word(),
            other => other.family(),
        }
    }

    /// The same operator with symbols in its attributes replaced.
    pub fn substitute(&self, lookup: &dyn Fn(&Symbol) -> Option<Dim>) -> Op {
        let attrs = self.attrs();
        if !attrs.iter().any(|(_, attr)| matches!(attr, Attr::Dim(_) | Attr::Dims(_))) {
            return self.clone();
        }
        let replaced: Vec<(String, Attr)> = attrs
            .into_iter()
            .map(|(name, attr)| {
                let attr = match attr {
                    Attr::Dim(dim) => Attr::Dim(dim.substitute(lookup)),
                    Attr::Dims(dims) => Attr::Dims(dims.iter().map(|dim| dim.substitute(lookup)).collect()),
                    other => other,
                };
                (name.to_string(), attr)
            })
            .collect();
        match Op::from_attrs(self.family(), &replaced) {
            Some(Ok(op)) => op,
            _ => self.clone(),
        }
    }

    /// Symbols that this operator's attributes mention.
    pub fn used_symbols(&self) -> Vec<Symbol> {
        let mut out = Vec::new();
        for (_, attr) in self.attrs() {
            match attr {
                Attr::Dim(dim) => dim.symbols(&mut out),
                Attr::Dims(dims) => dims.iter().for_each(|dim| dim.symbols(&mut out)),
                _ => {}
            }
        }
        out
    }

    /// Symbols that get their value when this operator runs: sizes that depend on data.
    pub fn defined_symbols(&self) -> Vec<Symbol> {
        let names = match self {
            Op::Bind(op) => op.symbols.clone(),
            Op::NonZero(op) => vec![op.count.clone()],
            Op::Unique(op) => vec![op.count.clone()],
            Op::NonMaxSuppression(op) => vec![op.count.clone()],
            Op::If(op) => op.symbols.clone(),
            Op::Loop(op) => op.symbols.clone(),
            _ => vec![],
        };
        names.iter().map(|name| Symbol::new(name)).collect()
    }

    /// Whether equal operands may give different results, so that two of them must not be merged.
    pub fn is_impure(&self) -> bool {
        matches!(self, Op::Random(_))
    }
}
