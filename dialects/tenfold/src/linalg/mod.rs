//! Graphs as `linalg` on tensors: one function that MLIR's own tools, and compilers built of them, can take on.
//!
//! The form is a second way to say what a graph means, in operations that we did not define. It is for reading, for other
//! compilers, and for tests: lowered by MLIR's stock passes it must give what `ops` gives.
//!
//! Each operator becomes one or a few operations of `linalg`, `tensor`, `arith` and `math`. A dimension that is not a number
//! is `?`; what it is follows from `tensor.dim` of an input by `arith` on `index`. Unsigned integers have no sign here, as
//! `arith` wants it. Elements are read by index only where no affine map says which: gathers, mirrored padding, steps backwards.
//!
//! Start reading at [`to_linalg`], then `form.rs`.

mod cast;
mod contraction;
mod dims;
mod elements;
mod form;
mod integers;
mod node;
mod picks;
mod reduce;
mod reshape;
mod views;
mod window;

use form::Form;
use graph::Graph;

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linalg {
    /// Constants of more elements are elided, as in [`crate::to_mlir`]; such a text can be read but not run.
    pub max_elements: usize,
    /// How functions that no instruction computes are said.
    pub functions: Functions,
    /// How the function gives its results.
    pub results: Results,
}

impl Default for Linalg {
    fn default() -> Self {
        Linalg { max_elements: usize::MAX, functions: Functions::Math, results: Results::Returned }
    }
}

/// How functions such as the exponential are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// As operations of the `math` dialect: whoever compiles them decides what they are.
    Math,
    /// As the same polynomials that our kernels use, written out with `arith` and `math.fma`.
    Written,
}

/// How the function gives its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// It returns tensors.
    Returned,
    /// It writes them to further parameters, which are `memref`s. Parameters that are tensors are not written.
    Destinations,
}

/// The form has no words for some nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct NoLinalg {
    /// All of them, in order.
    pub missing: Vec<Missing>,
}

/// A node that has no linalg form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}{} has no linalg form: {reason}", place(.loc))]
pub struct Missing {
    /// Its operator.
    pub op: String,
    /// Where it comes from.
    pub loc: diag::Loc,
    /// Why.
    pub reason: String,
}

fn place(loc: &diag::Loc) -> String {
    match loc {
        diag::Loc::Unknown => String::new(),
        known => format!(" ({known})"),
    }
}

/// A graph as an MLIR module with one function of `linalg`, `tensor`, `arith` and `math` operations.
///
/// # Errors
/// [`NoLinalg`] with every node that has no such form.
pub fn to_linalg(graph: &Graph, options: &Linalg) -> Result<String, NoLinalg> {
    let mut form = Form::new(graph, options);
    form.module();
    form.finish()
}
