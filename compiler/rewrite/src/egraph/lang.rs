//! The e-graph's language: operators by name, their attributes as leaves that pattern variables can bind.

use egg::{FromOp, Id, Language};
use ops::{Binary, BinaryKind, Compare, CompareKind, Op, Select, Unary, UnaryKind};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// What an e-node is, besides its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Head {
    /// An operator by its own name. If it is not elementwise, the first child is the leaf of its attributes.
    Op(&'static str),
    /// Attributes: an interned operator.
    Attr(u32),
    /// A value from outside.
    Input(u32),
    /// A constant, by handle: its content never enters the e-graph.
    Weight(u32),
    /// A node that rules do not look into: control flow, definers of symbols, random numbers, several results.
    Opaque(u32),
    /// One result of an opaque node.
    Result(u32),
}

/// An e-node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ENode {
    pub(crate) head: Head,
    pub(crate) children: Vec<Id>,
}

impl ENode {
    pub(crate) fn leaf(head: Head) -> ENode {
        ENode { head, children: Vec::new() }
    }
}

// egg looks for nodes of one discriminant by binary search, so arity must come before the children.
impl Ord for ENode {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |node: &ENode| (node.head, node.children.len());
        key(self).cmp(&key(other)).then_with(|| self.children.cmp(&other.children))
    }
}

impl PartialOrd for ENode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Language for ENode {
    type Discriminant = (Head, usize);

    fn discriminant(&self) -> Self::Discriminant {
        (self.head, self.children.len())
    }

    fn matches(&self, other: &Self) -> bool {
        self.discriminant() == other.discriminant()
    }

    fn children(&self) -> &[Id] {
        &self.children
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.children
    }
}

impl fmt::Display for ENode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.head {
            Head::Op(name) => f.write_str(name),
            other => write!(f, "{other:?}"),
        }
    }
}

/// A pattern names an operator that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("no operator `{0}`")]
pub(crate) struct UnknownOp(String);

impl FromOp for ENode {
    type Error = UnknownOp;

    fn from_op(op: &str, children: Vec<Id>) -> Result<Self, Self::Error> {
        let elementwise = ELEMENTWISE.keys().copied();
        let name = elementwise
            .chain(Op::FAMILIES.iter().copied())
            .find(|name| *name == op)
            .ok_or_else(|| UnknownOp(op.into()))?;
        Ok(ENode { head: Head::Op(name), children })
    }
}

/// Elementwise operators, which have no attributes but their kind, by name.
static ELEMENTWISE: LazyLock<BTreeMap<&'static str, Op>> = LazyLock::new(|| {
    let unary = UnaryKind::ALL.iter().map(|kind| Unary { kind: *kind }.into());
    let binary = BinaryKind::ALL.iter().map(|kind| Binary { kind: *kind }.into());
    let compare = CompareKind::ALL.iter().map(|kind| Compare { kind: *kind }.into());
    let select: Op = Select {}.into();
    unary.chain(binary).chain(compare).chain([select]).map(|op: Op| (op.name(), op)).collect()
});

/// The elementwise operator of this name.
pub(crate) fn elementwise(name: &str) -> Option<&'static Op> {
    ELEMENTWISE.get(name)
}

/// Whether an operator is named by its e-node's head alone.
pub(crate) fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_))
}
