//! Integer operations of `arith`, elementwise on scalars and vectors.

use super::fold::Folded;
use super::{Ty, Val, Writer};

/// Predicates of `arith.cmpi`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are MLIR's own")]
pub enum IntCmp {
    Eq,
    Ne,
    Slt,
    Sle,
    Sgt,
    Sge,
    Ult,
    Ule,
    Ugt,
    Uge,
}

impl IntCmp {
    fn name(self) -> &'static str {
        match self {
            IntCmp::Eq => "eq",
            IntCmp::Ne => "ne",
            IntCmp::Slt => "slt",
            IntCmp::Sle => "sle",
            IntCmp::Sgt => "sgt",
            IntCmp::Sge => "sge",
            IntCmp::Ult => "ult",
            IntCmp::Ule => "ule",
            IntCmp::Ugt => "ugt",
            IntCmp::Uge => "uge",
        }
    }

    fn eval(self, x: i64, y: i64) -> bool {
        let (ux, uy) = (x as u64, y as u64);
        match self {
            IntCmp::Eq => x == y,
            IntCmp::Ne => x != y,
            IntCmp::Slt => x < y,
            IntCmp::Sle => x <= y,
            IntCmp::Sgt => x > y,
            IntCmp::Sge => x >= y,
            IntCmp::Ult => ux < uy,
            IntCmp::Ule => ux <= uy,
            IntCmp::Ugt => ux > uy,
            IntCmp::Uge => ux >= uy,
        }
    }
}

/// What an integer operation promises not to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// No signed wrap.
    Nsw,
    /// No unsigned wrap.
    Nuw,
    /// Neither.
    Both,
}

impl Overflow {
    fn name(self) -> &'static str {
        match self {
            Overflow::Nsw => "nsw",
            Overflow::Nuw => "nuw",
            Overflow::Both => "nsw, nuw",
        }
    }
}

macro_rules! int_ops {
    ($($name:ident: $doc:literal;)*) => {
        impl Writer { $(
            #[doc = concat!("`arith.", stringify!($name), "`: ", $doc, ".")]
            pub fn $name(&mut self, a: Val, b: Val) -> Val {
                self.int_op(stringify!($name), a, b)
            }
        )* }
    };
}

int_ops! {
    addi: "sum";
    subi: "difference";
    muli: "product";
    divsi: "signed quotient towards zero";
    divui: "unsigned quotient";
    remsi: "signed remainder, with the sign of the dividend";
    remui: "unsigned remainder";
    floordivsi: "signed quotient towards minus infinity";
    ceildivsi: "signed quotient towards plus infinity";
    ceildivui: "unsigned quotient upwards";
    andi: "bitwise and";
    ori: "bitwise or";
    xori: "bitwise exclusive or";
    shli: "shift left; a distance of the width or more is poison";
    shrsi: "shift right with the sign; a distance of the width or more is poison";
    shrui: "shift right with zeros; a distance of the width or more is poison";
    minsi: "signed minimum";
    maxsi: "signed maximum";
    minui: "unsigned minimum";
    maxui: "unsigned maximum";
}

impl Writer {
    fn int_op(&mut self, name: &str, a: Val, b: Val) -> Val {
        debug_assert_eq!(a.ty, b.ty, "operands of arith.{name}");
        match self.fold(name, a, b) {
            Some(Folded::Int(value)) => self.int(a.ty, value),
            Some(Folded::Same(v)) => v,
            None => self.op(a.ty, format_args!("arith.{name} {a}, {b} : {}", a.ty)),
        }
    }

    /// `addi`, `subi`, `muli` or `shli` (named without dialect) with a promise not to wrap.
    pub fn int_op_no_wrap(&mut self, name: &str, a: Val, b: Val, flags: Overflow) -> Val {
        match self.fold(name, a, b) {
            Some(Folded::Int(value)) => self.int(a.ty, value),
            Some(Folded::Same(v)) => v,
            None => self.op(a.ty, format_args!("arith.{name} {a}, {b} overflow<{}> : {}", flags.name(), a.ty)),
        }
    }

    /// Both halves of the double-width unsigned product: low, high.
    pub fn mului_extended(&mut self, a: Val, b: Val) -> (Val, Val) {
        let r = self.ops(&[a.ty, a.ty], format_args!("arith.mului_extended {a}, {b} : {}", a.ty));
        (r[0], r[1])
    }

    /// `arith.cmpi`.
    pub fn cmpi(&mut self, cmp: IntCmp, a: Val, b: Val) -> Val {
        debug_assert_eq!(a.ty, b.ty, "operands of arith.cmpi");
        if let (Some(x), Some(y)) = (self.known_int(a), self.known_int(b)) {
            return self.int(a.ty.mask(), cmp.eval(x, y).into());
        }
        self.op(a.ty.mask(), format_args!("arith.cmpi {}, {a}, {b} : {}", cmp.name(), a.ty))
    }

    /// `arith.select`: `a` where `cond` holds, else `b`. The condition is `i1` or as many lanes as the values.
    pub fn select(&mut self, cond: Val, a: Val, b: Val) -> Val {
        debug_assert_eq!(a.ty, b.ty, "arms of arith.select");
        match self.known_int(cond) {
            _ if a == b => a,
            Some(0) => b,
            Some(_) => a,
            None if cond.ty.is_vector() => {
                self.op(a.ty, format_args!("arith.select {cond}, {a}, {b} : {}, {}", cond.ty, a.ty))
            }
            None => self.op(a.ty, format_args!("arith.select {cond}, {a}, {b} : {}", a.ty)),
        }
    }

    /// Logical not of truth values, bitwise not of other integers.
    pub fn noti(&mut self, a: Val) -> Val {
        let ones = self.int(a.ty, -1);
        self.xori(a, ones)
    }

    /// Zero minus the value.
    pub fn negi(&mut self, a: Val) -> Val {
        let zero = self.int(a.ty, 0);
        self.subi(zero, a)
    }

    /// `math.absi` by maximum of the value and its negative.
    pub fn absi(&mut self, a: Val) -> Val {
        let neg = self.negi(a);
        self.maxsi(a, neg)
    }

    /// Number of one bits.
    pub fn ctpop(&mut self, a: Val) -> Val {
        self.int_intrinsic("ctpop", a)
    }

    /// Number of leading zero bits; the width for zero.
    pub fn ctlz(&mut self, a: Val) -> Val {
        let t = a.ty;
        self.op(t, format_args!("\"llvm.intr.ctlz\"({a}) <{{is_zero_poison = false}}> : ({t}) -> {t}"))
    }

    fn int_intrinsic(&mut self, name: &str, a: Val) -> Val {
        let t: Ty = a.ty;
        self.op(t, format_args!("llvm.intr.{name}({a}) : ({t}) -> {t}"))
    }
}
