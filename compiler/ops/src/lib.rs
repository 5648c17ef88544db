//! The closed operator set of the graph: one file per operator, holding all of its meaning.
//!
//! An operator's file has its documentation with numbered constraints `(C1)`, its attributes, `infer` (types and
//! symbolic shapes) and `eval` (the reference, written to be read).
//! [`Op`] is the closed enum over all of them; [`op_set!`](crate::op) is the only registration.
//!
//! # Invariants
//! - Operators are plain data: equality, order and hash are structural; there is no interior mutability.
//! - `infer` never guesses: what cannot be proved about symbolic dimensions is accepted and checked at run time.
//! - Elementwise operators demand equal shapes; broadcasting is always an explicit [`Broadcast`].
//! - `eval` defines the meaning. Every optimisation and every device is measured against it.
//!
//! Start reading at [`Op`], then `transpose.rs` as an example of an operator.

mod attr;
mod contract;
mod elementwise_eval;
mod error;
mod eval_util;
mod op;

mod arg_reduce;
mod bind;
mod bitcast;
mod broadcast;
mod cast;
mod concat;
mod constant;
mod control;
mod conv;
mod cumulative;
mod dims;
mod dot;
mod elementwise;
mod gather;
mod gather_elements;
mod gather_nd;
mod iota;
mod non_max_suppression;
mod nonzero;
mod pad;
mod pool;
mod random;
mod reduce;
mod reshape;
mod scatter_elements;
mod scatter_nd;
mod select;
mod slice;
mod topk;
mod transpose;
mod unique;

pub use attr::{Attr, AttrError, AttrReader, AttrValue, Const, F64};
pub use error::{EvalError, TypeError};
pub use op::{Op, OpSpec};

pub use arg_reduce::{ArgKind, ArgReduce};
pub use bind::Bind;
pub use bitcast::Bitcast;
pub use broadcast::Broadcast;
pub use cast::Cast;
pub use concat::Concat;
pub use constant::Constant;
pub use control::{If, Loop};
pub use conv::Conv;
pub use cumulative::{CumKind, Cumulative};
pub use dims::Dims;
pub use dot::Dot;
pub use elementwise::{Binary, BinaryKind, Compare, CompareKind, Unary, UnaryKind};
pub use gather::Gather;
pub use gather_elements::GatherElements;
pub use gather_nd::GatherNd;
pub use iota::Iota;
pub use non_max_suppression::NonMaxSuppression;
pub use nonzero::NonZero;
pub use pad::{Pad, PadMode};
pub use pool::{Pool, PoolArgMax, PoolKind};
pub use random::{Random, RandomKind};
pub use reduce::{Reduce, ReduceKind};
pub use reshape::Reshape;
pub use scatter_elements::ScatterElements;
pub use scatter_nd::{ScatterKind, ScatterNd};
pub use select::Select;
pub use slice::Slice;
pub use topk::TopK;
pub use transpose::Transpose;
pub use unique::Unique;
