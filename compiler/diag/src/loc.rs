//! Locations: which part of the user's input something comes from.

use std::fmt;
use std::sync::Arc;

/// Where a graph node, a kernel or a diagnostic comes from. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loc {
    /// The file as a whole, or nothing known.
    #[default]
    Unknown,
    /// A whole file.
    File(Arc<str>),
    /// A node of a model.
    Node(Arc<NodeLoc>),
    /// A place in a text.
    Text {
        /// File name.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
    /// Several places that a rewrite or a fusion brought together, sorted and without repetition.
    Fused(Arc<[Loc]>),
}

/// A node of a model file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeLoc {
    /// Model file name.
    pub model: Arc<str>,
    /// Position among the nodes of its graph.
    pub index: usize,
    /// The node's name, or `Conv -> %out` made from its type and first output where it has none.
    pub name: String,
    /// Operator type.
    pub op_type: String,
}

impl Loc {
    /// A node of a model.
    pub fn node(model: Arc<str>, index: usize, name: impl Into<String>, op_type: impl Into<String>) -> Loc {
        Loc::Node(Arc::new(NodeLoc { model, index, name: name.into(), op_type: op_type.into() }))
    }

    /// The union of several places.
    pub fn fuse<'a>(locs: impl IntoIterator<Item = &'a Loc>) -> Loc {
        let mut all: Vec<Loc> = Vec::new();
        for loc in locs {
            match loc {
                Loc::Unknown => {}
                Loc::Fused(parts) => all.extend(parts.iter().cloned()),
                other => all.push(other.clone()),
            }
        }
        all.sort();
        all.dedup();
        match all.len() {
            0 => Loc::Unknown,
            1 => all.remove(0),
            _ => Loc::Fused(all.into()),
        }
    }

    /// The names of the model's nodes in it, in order.
    pub fn node_names(&self) -> Vec<&str> {
        match self {
            Loc::Node(node) => vec![&node.name],
            Loc::Fused(parts) => parts.iter().flat_map(|part| part.node_names()).collect(),
            Loc::Unknown | Loc::File(_) | Loc::Text { .. } => vec![],
        }
    }
}

impl fmt::Display for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loc::Unknown => f.write_str("(unknown place)"),
            Loc::File(file) => f.write_str(file),
            Loc::Node(node) => {
                write!(f, "{}: node #{} \"{}\" ({})", node.model, node.index, node.name, node.op_type)
            }
            Loc::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Loc::Fused(parts) => {
                for (idx, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if idx > 0 { " + " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}
