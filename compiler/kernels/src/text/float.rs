//! Floating-point operations, elementwise on scalars and vectors.
//!
//! Intrinsics of the `llvm` dialect are used where `math` would lower to a library call. They have no such fall back
//! on any target this compiler serves: `fma` needs FMA3 on x86, roundings need SSE4.1.

use std::fmt;

use super::{Val, Writer};

/// Predicates of `arith.cmpf`: `O` is false and `U` true where an operand is NaN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are MLIR's own")]
pub enum FloatCmp {
    Oeq,
    Ogt,
    Oge,
    Olt,
    Ole,
    One,
    Ord,
    Ueq,
    Ugt,
    Uge,
    Ult,
    Ule,
    Une,
    Uno,
}

impl FloatCmp {
    fn name(self) -> &'static str {
        match self {
            FloatCmp::Oeq => "oeq",
            FloatCmp::Ogt => "ogt",
            FloatCmp::Oge => "oge",
            FloatCmp::Olt => "olt",
            FloatCmp::Ole => "ole",
            FloatCmp::One => "one",
            FloatCmp::Ord => "ord",
            FloatCmp::Ueq => "ueq",
            FloatCmp::Ugt => "ugt",
            FloatCmp::Uge => "uge",
            FloatCmp::Ult => "ult",
            FloatCmp::Ule => "ule",
            FloatCmp::Une => "une",
            FloatCmp::Uno => "uno",
        }
    }
}

/// Liberties a float operation grants the optimiser. The default grants none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FastMath {
    /// May be reordered with its like.
    pub reassoc: bool,
    /// May be fused into a multiply-add.
    pub contract: bool,
    /// A zero may have either sign.
    pub any_zero: bool,
}

impl FastMath {
    /// No liberty.
    pub const NONE: FastMath = FastMath { reassoc: false, contract: false, any_zero: false };
    /// Fusing only.
    pub const CONTRACT: FastMath = FastMath { contract: true, ..FastMath::NONE };
    /// Fusing and reordering.
    pub const REASSOC: FastMath = FastMath { reassoc: true, ..FastMath::CONTRACT };
    /// Zeros of either sign only: of maxima and minima, which x86 computes in one instruction then.
    pub const ANY_ZERO: FastMath = FastMath { any_zero: true, ..FastMath::NONE };

    fn flags(self) -> String {
        let flags = [(self.reassoc, "reassoc"), (self.any_zero, "nsz"), (self.contract, "contract")];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect::<Vec<_>>().join(",")
    }
}

/// ` fastmath<...>` as `arith` operations want it.
impl fmt::Display for FastMath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.flags() {
            "" => Ok(()),
            flags => write!(f, " fastmath<{flags}>"),
        }
    }
}

macro_rules! float_ops {
    ($($name:ident: $doc:literal;)*) => {
        impl Writer { $(
            #[doc = concat!("`arith.", stringify!($name), "`: ", $doc, ".")]
            pub fn $name(&mut self, a: Val, b: Val) -> Val {
                debug_assert_eq!(a.ty, b.ty, "operands of arith.{}", stringify!($name));
                let fast = self.fast;
                self.op(a.ty, format_args!("arith.{} {a}, {b}{fast} : {}", stringify!($name), a.ty))
            }
        )* }
    };
}

float_ops! {
    addf: "sum";
    subf: "difference";
    mulf: "product";
    divf: "quotient";
    remf: "C's `fmod`; a library call on the host";
    maximumf: "maximum, NaN if an operand is NaN";
    minimumf: "minimum, NaN if an operand is NaN";
    maxnumf: "maximum, the other operand if one is NaN";
    minnumf: "minimum, the other operand if one is NaN";
}

macro_rules! float_intrinsics {
    ($($method:ident $name:literal: $doc:literal;)*) => {
        impl Writer { $(
            #[doc = concat!("`llvm.intr.", $name, "`: ", $doc, ".")]
            pub fn $method(&mut self, a: Val) -> Val {
                self.float_intrinsic($name, &[a])
            }
        )* }
    };
}

float_intrinsics! {
    sqrt "sqrt": "square root";
    absf "fabs": "magnitude";
    floor "floor": "rounding towards minus infinity";
    ceil "ceil": "rounding towards plus infinity";
    trunc "trunc": "rounding towards zero";
    roundeven "roundeven": "rounding to nearest, ties to even";
}

impl Writer {
    /// Runs `body` with these liberties for all float operations it writes.
    pub fn with_fastmath<R>(&mut self, fast: FastMath, body: impl FnOnce(&mut Writer) -> R) -> R {
        let before = self.set_fastmath(fast);
        let r = body(self);
        self.fast = before;
        r
    }

    /// Sets the liberties of the float operations written from now on; returns those in force before.
    pub fn set_fastmath(&mut self, fast: FastMath) -> FastMath {
        std::mem::replace(&mut self.fast, fast)
    }

    /// `arith.negf`.
    pub fn negf(&mut self, a: Val) -> Val {
        let fast = self.fast;
        self.op(a.ty, format_args!("arith.negf {a}{fast} : {}", a.ty))
    }

    /// `arith.cmpf`.
    pub fn cmpf(&mut self, cmp: FloatCmp, a: Val, b: Val) -> Val {
        debug_assert_eq!(a.ty, b.ty, "operands of arith.cmpf");
        self.op(a.ty.mask(), format_args!("arith.cmpf {}, {a}, {b} : {}", cmp.name(), a.ty))
    }

    /// `a * b + c` with one rounding.
    pub fn fma(&mut self, a: Val, b: Val, c: Val) -> Val {
        self.float_intrinsic("fma", &[a, b, c])
    }

    /// The magnitude of `a` with the sign of `b`.
    pub fn copysign(&mut self, a: Val, b: Val) -> Val {
        self.float_intrinsic("copysign", &[a, b])
    }

    /// Whether the target multiplies vectors of `f32` with powers of two in one instruction, as AVX-512 does.
    pub fn set_native_scale(&mut self, native: bool) {
        self.native_scale = native;
    }

    /// Each lane times two to the power of an integer, rounded once. Only where the target has the instruction: elsewhere it
    /// becomes calls of a library.
    pub(crate) fn native_ldexp(&mut self, x: Val, n: Val) -> Option<Val> {
        let single = x.ty.is_vector() && x.ty.elem() == super::Scalar::F32;
        if !single || !self.native_scale {
            return None;
        }
        let lanes = x.ty.lanes();
        let name = format!("llvm.ldexp.v{lanes}f32.v{lanes}i32");
        let (ty, power) = (x.ty, n.ty);
        Some(self.op(ty, format_args!("llvm.call_intrinsic \"{name}\"({x}, {n}) : ({ty}, {power}) -> {ty}")))
    }

    /// Whether the functions that both dialects have are written as `math.NAME` instead of `llvm.intr.NAME`: for text that
    /// tools of MLIR read, which know nothing about the latter.
    pub fn set_math_dialect(&mut self, math: bool) {
        self.math_dialect = math;
    }

    /// `llvm.intr.NAME` on values of one float type.
    pub fn float_intrinsic(&mut self, name: &str, args: &[Val]) -> Val {
        debug_assert!(args.iter().all(|a| a.ty == args[0].ty), "operands of llvm.intr.{name}");
        let ty = args[0].ty;
        if self.math_dialect {
            let name = if name == "fabs" { "absf" } else { name };
            let fast = self.fast;
            return self.op(ty, format_args!("math.{name} {}{fast} : {ty}", super::writer::List(args)));
        }
        let flags = match &*self.fast.flags() {
            "" => String::new(),
            flags => format!(" {{fastmathFlags = #llvm.fastmath<{}>}}", flags.replace(',', ", ")),
        };
        let tys = super::writer::Types(args.iter().map(|a| a.ty));
        self.op(ty, format_args!("llvm.intr.{name}({}){flags} : ({tys}) -> {ty}", super::writer::List(args)))
    }
}
