//! The functions by name, for callers that work from a table.

use super::{Arith, Lanes};
use crate::text::{Scalar, Val, Writer};

macro_rules! unary_functions {
    ($($variant:ident $function:ident $doc:literal,)*) => {
        /// A function of one argument.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Unary {
            $(#[doc = $doc] $variant,)*
        }

        impl Unary {
            /// All of them.
            pub const ALL: &[Unary] = &[$(Unary::$variant,)*];

            /// The name of the function in this module.
            pub fn name(self) -> &'static str {
                match self {
                    $(Unary::$variant => stringify!($function),)*
                }
            }

            /// The function as an expression.
            pub fn apply<A: Arith>(self, a: &A, x: A::F) -> A::F {
                match self {
                    $(Unary::$variant => super::$function(a, x),)*
                }
            }
        }
    };
}

unary_functions! {
    Exp exp "`e^x`.",
    ExpNonpositive exp_nonpositive "`e^x` for `x <= 0`.",
    Exp2 exp2 "`2^x`.",
    Expm1 expm1 "`e^x - 1`.",
    Sigmoid sigmoid "`1 / (1 + e^-x)`.",
    Log log "Natural logarithm.",
    Log2 log2 "Logarithm to base 2.",
    Log10 log10 "Logarithm to base 10.",
    Log1p log1p "`ln(1 + x)`.",
    Tanh tanh "Hyperbolic tangent.",
    Erf erf "Error function.",
}

/// Writes a function of a float value of any type; `f16` and `bf16` are computed in `f32` and rounded once more.
pub fn unary(w: &mut Writer, function: Unary, x: Val) -> Val {
    let elem = x.ty.elem();
    let wide = if elem == Scalar::F64 {
        x
    } else {
        w.extf(x, Scalar::F32)
    };
    let y = function.apply(&Lanes::new(w, wide.ty), wide);
    w.float_to_float(y, elem)
}
