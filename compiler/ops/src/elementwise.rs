//! Elementwise operators: one row each in a table of names.

use crate::attr::{operator, words};
use crate::elementwise_eval::{compare, map_binary, map_unary};
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

words! {
    /// Operators of one operand.
    UnaryKind {
        /// `-x`; integers wrap.
        Neg = "neg",
        /// `|x|`; integers wrap.
        Abs = "abs",
        /// -1, 0 or 1; NaN stays, zero keeps no sign.
        Sign = "sign",
        /// Logical not of booleans, bitwise not of integers.
        Not = "not",
        /// `e^x`.
        Exp = "exp",
        /// Natural logarithm.
        Log = "log",
        /// `ln(1 + x)`.
        Log1p = "log1p",
        /// `e^x - 1`.
        Expm1 = "expm1",
        /// Square root, correctly rounded.
        Sqrt = "sqrt",
        /// Sine of radians.
        Sin = "sin",
        /// Cosine of radians.
        Cos = "cos",
        /// Tangent of radians.
        Tan = "tan",
        /// Inverse sine.
        Asin = "asin",
        /// Inverse cosine.
        Acos = "acos",
        /// Inverse tangent.
        Atan = "atan",
        /// Hyperbolic sine.
        Sinh = "sinh",
        /// Hyperbolic cosine.
        Cosh = "cosh",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// Inverse hyperbolic sine.
        Asinh = "asinh",
        /// Inverse hyperbolic cosine.
        Acosh = "acosh",
        /// Inverse hyperbolic tangent.
        Atanh = "atanh",
        /// Error function.
        Erf = "erf",
        /// `1 / (1 + e^-x)`.
        Sigmoid = "sigmoid",
        /// Towards negative infinity.
        Floor = "floor",
        /// Towards positive infinity.
        Ceil = "ceil",
        /// To nearest, ties to even.
        Round = "round",
        /// Towards zero.
        Trunc = "trunc",
        /// Whether the element is NaN, as `bool`.
        IsNan = "isnan",
    }
}

words! {
    /// Operators of two operands of the same type.
    BinaryKind {
        /// Sum; integers wrap.
        Add = "add",
        /// Difference; integers wrap.
        Sub = "sub",
        /// Product; integers wrap.
        Mul = "mul",
        /// Quotient; integers truncate towards zero, by 0 gives 0.
        Div = "div",
        /// Power. An integer base takes an integer power; 0 to a negative power is 0.
        Pow = "pow",
        /// The larger; NaN if either is.
        Max = "max",
        /// The smaller; NaN if either is.
        Min = "min",
        /// Remainder with the divisor's sign; integers by 0 give 0.
        Mod = "mod",
        /// Remainder with the dividend's sign, as C's `fmod`; integers by 0 give 0.
        Rem = "rem",
        /// Inverse tangent of `a / b` in the right quadrant.
        Atan2 = "atan2",
        /// Logical or bitwise and.
        And = "and",
        /// Logical or bitwise or.
        Or = "or",
        /// Logical or bitwise exclusive or.
        Xor = "xor",
        /// Shift towards higher bits; by the width or more gives 0.
        Shl = "shl",
        /// Logical (unsigned) or arithmetic (signed) shift towards lower bits; by the width or more gives 0 or -1.
        Shr = "shr",
    }
}

words! {
    /// Comparisons of two operands of the same type, giving `bool`. All but `ne` are false on NaN.
    CompareKind {
        /// Equal.
        Eq = "eq",
        /// Not equal.
        Ne = "ne",
        /// Less.
        Lt = "lt",
        /// Less or equal.
        Le = "le",
        /// Greater.
        Gt = "gt",
        /// Greater or equal.
        Ge = "ge",
    }
}

operator! {
    /// A function of each element.
    ///
    /// # Constraints
    /// - (C1) The element type is one that the function is defined for: `not` on booleans and integers; `neg`, `abs`, `sign` on numbers; all others on floats of at least 16 bits.
    "unary" Unary {
        /// Which function.
        kind: UnaryKind,
    }
}

operator! {
    /// A function of each pair of elements.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same type, and equal shapes as far as symbols tell.
    /// - (C2) The element type is one that the function is defined for: `and`, `or`, `xor` on booleans and integers; shifts on integers; `max` and `min` also on booleans; `atan2` on floats; all others on numbers. Floats have at least 16 bits.
    "binary" Binary {
        /// Which function.
        kind: BinaryKind,
    }
}

operator! {
    /// A comparison of each pair of elements.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same type, and equal shapes as far as symbols tell; floats have at least 16 bits.
    "compare" Compare {
        /// Which comparison.
        kind: CompareKind,
    }
}

impl UnaryKind {
    /// Whether the function is defined on elements of this type.
    pub fn accepts(self, dtype: DType) -> bool {
        use UnaryKind::*;
        match self {
            Not => dtype == DType::Bool || dtype.is_int(),
            Neg | Abs | Sign => dtype.is_int() || is_arithmetic_float(dtype),
            _ => is_arithmetic_float(dtype),
        }
    }
}

impl BinaryKind {
    /// Whether the function is defined on elements of this type.
    pub fn accepts(self, dtype: DType) -> bool {
        use BinaryKind::*;
        match self {
            And | Or | Xor => dtype == DType::Bool || dtype.is_int(),
            Shl | Shr => dtype.is_int(),
            Max | Min => dtype == DType::Bool || dtype.is_int() || is_arithmetic_float(dtype),
            Atan2 => is_arithmetic_float(dtype),
            Add | Sub | Mul | Div | Pow | Mod | Rem => dtype.is_int() || is_arithmetic_float(dtype),
        }
    }
}

fn is_arithmetic_float(dtype: DType) -> bool {
    dtype.is_float() && !dtype.is_tiny_float()
}

/// Whether two shapes may be equal: no dimension differs by a known number.
pub(crate) fn shapes_may_equal(a: &TensorType, b: &TensorType) -> bool {
    a.rank() == b.rank()
        && a.shape.iter().zip(&b.shape).all(|(x, y)| (x.clone() - y.clone()).as_const().is_none_or(|d| d == 0))
}

/// The shape of elementwise results: constants win over expressions, so that facts are not lost.
pub(crate) fn merged_shape(a: &TensorType, b: &TensorType) -> Vec<tensor::Dim> {
    a.shape.iter().zip(&b.shape).map(|(x, y)| if y.as_const().is_some() { y } else { x }.clone()).collect()
}

impl OpSpec for Unary {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let op = self.kind.word();
        let [x] = inputs else {
            return Err(TypeError::new(op, "C1", "takes one operand"));
        };
        ensure!(self.kind.accepts(x.dtype), op, "C1", "is not defined on {x}");
        let dtype = if self.kind == UnaryKind::IsNan { DType::Bool } else { x.dtype };
        Ok(vec![TensorType { dtype, shape: x.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        Ok(vec![map_unary(self.kind, &inputs[0])])
    }
}

impl OpSpec for Binary {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let op = self.kind.word();
        let [a, b] = inputs else {
            return Err(TypeError::new(op, "C1", "takes two operands"));
        };
        ensure!(a.dtype == b.dtype && shapes_may_equal(a, b), op, "C1", "operands are {a} and {b}");
        ensure!(self.kind.accepts(a.dtype), op, "C2", "is not defined on {a}");
        Ok(vec![TensorType { dtype: a.dtype, shape: merged_shape(a, b) }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        Ok(vec![map_binary(self.kind, &inputs[0], &inputs[1])])
    }
}

impl OpSpec for Compare {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let op = self.kind.word();
        let [a, b] = inputs else {
            return Err(TypeError::new(op, "C1", "takes two operands"));
        };
        let fits = a.dtype == b.dtype && shapes_may_equal(a, b) && !a.dtype.is_tiny_float();
        ensure!(fits, op, "C1", "operands are {a} and {b}");
        Ok(vec![TensorType { dtype: DType::Bool, shape: merged_shape(a, b) }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let [a, b] = [&inputs[0], &inputs[1]];
        let holds: Vec<bool> = a.iter().zip(b.iter()).map(|(a, b)| compare(self.kind, a, b)).collect();
        Ok(vec![Tensor::from_bools(a.shape().to_vec(), &holds)])
    }
}
