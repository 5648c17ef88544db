//! [`Arith`] as MLIR text, on scalars or vectors of any width.

use std::cell::RefCell;

use super::arith::{Arith, Format};
use crate::text::{FastMath, FloatCmp, IntCmp, Reduce, Scalar, Ty, Val, Writer};

/// Writes expressions as operations on values of one type: `f32`, `f64` or a vector of them.
/// No fastmath flag is written, whatever the writer's state: see [`Arith`].
pub struct Lanes<'w> {
    writer: RefCell<&'w mut Writer>,
    ty: Ty,
    format: Format,
    fast: FastMath,
    branching: bool,
}

impl<'w> Lanes<'w> {
    /// For values of this type, whose element is `f32` or `f64`.
    pub fn new(writer: &'w mut Writer, ty: Ty) -> Lanes<'w> {
        let format = match ty.elem() {
            Scalar::F64 => Format::F64,
            elem => {
                assert_eq!(elem, Scalar::F32, "vector math is done in f32 or f64");
                Format::F32
            }
        };
        let fast = writer.set_fastmath(FastMath::NONE);
        Lanes { writer: RefCell::new(writer), ty, format, fast, branching: false }
    }

    /// The same, which may also branch around code that is seldom needed. Faster, but a loop around it is not
    /// vectorised by LLVM: for values that are vectors already, and for GPU threads.
    pub fn branching(writer: &'w mut Writer, ty: Ty) -> Lanes<'w> {
        let mut lanes = Lanes::new(writer, ty);
        lanes.branching = true;
        lanes
    }

    /// A single truth value: whether any lane's holds.
    fn any(&self, c: Val) -> Val {
        self.w(|w| w.reduce(Reduce::Or, c))
    }

    fn w<R>(&self, write: impl FnOnce(&mut Writer) -> R) -> R {
        write(&mut self.writer.borrow_mut())
    }

    fn cmpf(&self, cmp: FloatCmp, x: Val, y: Val) -> Val {
        self.w(|w| w.cmpf(cmp, x, y))
    }
}

impl Drop for Lanes<'_> {
    fn drop(&mut self) {
        self.writer.borrow_mut().set_fastmath(self.fast);
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident),*) = $method:ident;)*) => {
        $(fn $name(&self, $($arg: Val),*) -> Val {
            self.w(|w| w.$method($($arg),*))
        })*
    };
}

impl Arith for Lanes<'_> {
    type F = Val;
    type I = Val;
    type B = Val;

    fn format(&self) -> Format {
        self.format
    }
    fn f(&self, v: f64) -> Val {
        self.w(|w| w.float(self.ty, v))
    }
    fn i(&self, v: i64) -> Val {
        self.w(|w| w.int(self.ty.as_int(), v))
    }

    forward! {
        add(x, y) = addf;
        sub(x, y) = subf;
        mul(x, y) = mulf;
        div(x, y) = divf;
        fma(x, y, z) = fma;
        neg(x) = negf;
        abs(x) = absf;
        copysign(x, y) = copysign;
        sqrt(x) = sqrt;
        floor(x) = floor;
        ceil(x) = ceil;
        trunc(x) = trunc;
        round_even(x) = roundeven;
        select(c, x, y) = select;
        and(x, y) = andi;
        or(x, y) = ori;
        not(x) = noti;
        iadd(x, y) = addi;
        isub(x, y) = subi;
        imul(x, y) = muli;
        iand(x, y) = andi;
        ior(x, y) = ori;
        ixor(x, y) = xori;
        shl(x, n) = shli;
        lshr(x, n) = shrui;
        ashr(x, n) = shrsi;
        iselect(c, x, y) = select;
    }

    fn umulhi(&self, x: Val, y: Val) -> Val {
        self.w(|w| w.mului_extended(x, y)).1
    }
    fn lt(&self, x: Val, y: Val) -> Val {
        self.cmpf(FloatCmp::Olt, x, y)
    }
    fn le(&self, x: Val, y: Val) -> Val {
        self.cmpf(FloatCmp::Ole, x, y)
    }
    fn eq(&self, x: Val, y: Val) -> Val {
        self.cmpf(FloatCmp::Oeq, x, y)
    }
    fn is_nan(&self, x: Val) -> Val {
        self.cmpf(FloatCmp::Uno, x, x)
    }
    fn ilt(&self, x: Val, y: Val) -> Val {
        self.w(|w| w.cmpi(IntCmp::Slt, x, y))
    }
    fn ult(&self, x: Val, y: Val) -> Val {
        self.w(|w| w.cmpi(IntCmp::Ult, x, y))
    }
    fn ieq(&self, x: Val, y: Val) -> Val {
        self.w(|w| w.cmpi(IntCmp::Eq, x, y))
    }
    fn bits(&self, x: Val) -> Val {
        self.w(|w| w.bitcast(x, x.ty.as_int().elem()))
    }
    fn float_of(&self, x: Val) -> Val {
        self.w(|w| w.bitcast(x, self.ty.elem()))
    }
    fn to_int(&self, x: Val) -> Val {
        self.w(|w| w.fptosi(x, x.ty.as_int().elem()))
    }
    fn ldexp(&self, x: Val, n: Val) -> Option<Val> {
        self.w(|w| w.native_ldexp(x, n))
    }
    fn to_float(&self, x: Val) -> Val {
        self.w(|w| w.sitofp(x, self.ty.elem()))
    }

    fn rarely(&self, c: Val, usual: (Val, Val), slow: impl FnOnce() -> (Val, Val)) -> (Val, Val) {
        let either = |slow: (Val, Val)| vec![self.select(c, slow.0, usual.0), self.iselect(c, slow.1, usual.1)];
        let r = match self.branching {
            false => either(slow()),
            true => {
                let any = self.any(c);
                let r = self.w(|w| w.begin_if(any, &[usual.0.ty, usual.1.ty]));
                let vals = either(slow());
                self.w(|w| {
                    w.begin_else(&r, &vals);
                    w.end_region(&r, &[usual.0, usual.1]);
                });
                r
            }
        };
        (r[0], r[1])
    }
    fn repeat(&self, state: Val, cond: impl Fn(Val) -> Val, body: impl Fn(Val) -> Val) -> Val {
        let (results, before) = self.w(|w| w.begin_while(&[state]));
        let go = self.any(cond(before[0]));
        let after = self.w(|w| w.begin_do(go, &before));
        let next = body(after[0]);
        self.w(|w| w.end_do(&results, &[next]));
        results[0]
    }
}
