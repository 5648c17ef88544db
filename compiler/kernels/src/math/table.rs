//! The functions by name, for callers that work from a table.

use super::{Arith, Lanes};
use crate::text::{Scalar, Val, Writer};

macro_rules! functions {
    ($(#[$doc:meta])* $name:ident($($arg:ident),*): $($variant:ident $function:ident $about:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $(#[doc = $about] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The name of the function in this module.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => stringify!($function),)*
                }
            }

            /// The function as an expression.
            pub fn apply<A: Arith>(self, a: &A, $($arg: A::F),*) -> A::F {
                let function = match self {
                    $($name::$variant => super::$function::<A>,)*
                };
                function(a, $($arg),*)
            }
        }
    };
}

functions! {
    /// A function of one argument.
    Unary(x):
    Exp exp "`e^x`.",
    ExpNonpositive exp_nonpositive "`e^x` for `x <= 0`.",
    Exp2 exp2 "`2^x`.",
    Expm1 expm1 "`e^x - 1`.",
    Sigmoid sigmoid "`1 / (1 + e^-x)`.",
    Log log "Natural logarithm.",
    Log2 log2 "Logarithm to base 2.",
    Log10 log10 "Logarithm to base 10.",
    Log1p log1p "`ln(1 + x)`.",
    Sin sin "Sine.",
    Cos cos "Cosine.",
    Tan tan "Tangent.",
    Asin asin "Arcsine.",
    Acos acos "Arccosine.",
    Atan atan "Arctangent.",
    Sinh sinh "Hyperbolic sine.",
    Cosh cosh "Hyperbolic cosine.",
    Tanh tanh "Hyperbolic tangent.",
    Asinh asinh "Inverse hyperbolic sine.",
    Acosh acosh "Inverse hyperbolic cosine.",
    Atanh atanh "Inverse hyperbolic tangent.",
    Erf erf "Error function.",
    Rsqrt rsqrt "`1 / sqrt(x)`.",
}

functions! {
    /// A function of two arguments.
    Binary(x, y):
    Pow pow "`x^y`.",
    Atan2 atan2 "The angle of the point (y, x): the first argument is the ordinate, as in C.",
    Fmod fmod "The remainder of C's `fmod`.",
}

/// Writes a function of a float value of any type; `f16` and `bf16` are computed in `f32` and rounded once more.
///
/// On vectors, code that is seldom needed is branched around; scalars stay straight-line, fit for LLVM's vectoriser.
/// Where that is not wanted, take [`Unary::apply`] with a [`Lanes`] of your choice.
pub fn unary(w: &mut Writer, function: Unary, x: Val) -> Val {
    widened(w, &[x], |a, args| function.apply(a, args[0]))
}

/// Writes a function of two float values of one type, like [`unary`].
pub fn binary(w: &mut Writer, function: Binary, x: Val, y: Val) -> Val {
    widened(w, &[x, y], |a, args| function.apply(a, args[0], args[1]))
}

fn widened(w: &mut Writer, args: &[Val], write: impl FnOnce(&Lanes<'_>, &[Val]) -> Val) -> Val {
    let elem = args[0].ty.elem();
    let wide = if elem == Scalar::F64 { elem } else { Scalar::F32 };
    let args: Vec<Val> = args.iter().map(|&x| w.float_to_float(x, wide)).collect();
    let ty = args[0].ty;
    let y = match ty.is_vector() {
        true => write(&Lanes::branching(w, ty), &args),
        false => write(&Lanes::new(w, ty), &args),
    };
    w.float_to_float(y, elem)
}
