//! A small writer of MLIR text.
//!
//! [`Writer`] owns the output, the indentation and the numbering of SSA values; [`Val`] is a value with its [`Ty`].
//! Methods are named after the operation they write (`addf` writes `arith.addf`).
//! Three conveniences keep the text small: constants are written once, at the entry of the function that uses them;
//! trivial integer arithmetic is folded; and locations are aliases printed once at the end.
//!
//! ```
//! use kernels::text::{Function, Param, Ty, Writer};
//! let mut w = Writer::new();
//! w.function(Function::host("twice", &[Param::of(Ty::PTR)]), |w, args| {
//!     let (lo, hi, step) = (w.i64(0), w.i64(8), w.i64(1));
//!     w.for_loop(lo, hi, step, &[], |w, i, _| {
//!         let p = w.gep(args[0], i, Ty::F32);
//!         let x = w.load(p, Ty::F32, 4);
//!         let y = w.addf(x, x);
//!         w.store(y, p, 4);
//!         vec![]
//!     });
//!     vec![]
//! });
//! assert!(w.finish().contains("arith.addf"));
//! ```

mod cast;
mod constant;
mod control;
mod float;
mod fold;
mod int;
mod memory;
mod ty;
mod vector;
mod writer;

#[cfg(test)]
mod tests;

pub use control::{Function, FunctionKind, Param};
pub use float::{FastMath, FloatCmp};
pub use int::{IntCmp, Overflow};
pub use memory::Access;
pub use ty::{Scalar, Ty};
pub use vector::Reduce;
pub use writer::{Val, Writer};
