//! The vocabulary in which vector math is written.

/// Which IEEE format the floats of an [`Arith`] have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Format {
    /// Stored fraction bits.
    pub fn fraction(self) -> u32 {
        match self {
            Format::F32 => 23,
            Format::F64 => 52,
        }
    }

    /// Width in bits.
    pub fn width(self) -> u32 {
        match self {
            Format::F32 => 32,
            Format::F64 => 64,
        }
    }

    /// Exponent bias, which is the largest exponent too.
    pub fn bias(self) -> i64 {
        match self {
            Format::F32 => 127,
            Format::F64 => 1023,
        }
    }

    /// Bits of positive infinity.
    pub fn infinity(self) -> i64 {
        (2 * self.bias() + 1) << self.fraction()
    }

    /// Bits of the quiet NaN.
    pub fn nan(self) -> i64 {
        self.infinity() | 1 << (self.fraction() - 1)
    }

    /// Bits of the least normal number.
    pub fn min_normal(self) -> i64 {
        1 << self.fraction()
    }

    /// Bits of everything but the sign.
    pub fn magnitude(self) -> i64 {
        !(-1i64 << (self.width() - 1))
    }
}

/// Elementwise arithmetic on floats of one format, integers of the same width, and truth values.
///
/// A function written with it is a list of operations, not a computation: [`super::Lanes`] writes them as MLIR,
/// [`super::Interp32`] and [`super::Interp64`] do them. All methods take `&self` so that calls nest.
/// No operation may be reordered or fused: the error terms of range reductions depend on it.
pub trait Arith {
    /// Floats.
    type F: Copy;
    /// Integers of the floats' width.
    type I: Copy;
    /// Truth values.
    type B: Copy;

    /// The format of `F`.
    fn format(&self) -> Format;

    /// A constant, rounded to the format.
    fn f(&self, v: f64) -> Self::F;
    /// An integer constant, wrapped to the width.
    fn i(&self, v: i64) -> Self::I;

    /// Sum.
    fn add(&self, x: Self::F, y: Self::F) -> Self::F;
    /// Difference.
    fn sub(&self, x: Self::F, y: Self::F) -> Self::F;
    /// Product.
    fn mul(&self, x: Self::F, y: Self::F) -> Self::F;
    /// Quotient.
    fn div(&self, x: Self::F, y: Self::F) -> Self::F;
    /// `x * y + z` rounded once.
    fn fma(&self, x: Self::F, y: Self::F, z: Self::F) -> Self::F;
    /// The value with the other sign.
    fn neg(&self, x: Self::F) -> Self::F;
    /// Magnitude.
    fn abs(&self, x: Self::F) -> Self::F;
    /// The magnitude of `x` with the sign of `y`.
    fn copysign(&self, x: Self::F, y: Self::F) -> Self::F;
    /// Square root.
    fn sqrt(&self, x: Self::F) -> Self::F;
    /// Towards minus infinity.
    fn floor(&self, x: Self::F) -> Self::F;
    /// Towards plus infinity.
    fn ceil(&self, x: Self::F) -> Self::F;
    /// Towards zero.
    fn trunc(&self, x: Self::F) -> Self::F;
    /// To nearest, ties to even.
    fn round_even(&self, x: Self::F) -> Self::F;

    /// `x < y`, false for NaN.
    fn lt(&self, x: Self::F, y: Self::F) -> Self::B;
    /// `x <= y`, false for NaN.
    fn le(&self, x: Self::F, y: Self::F) -> Self::B;
    /// `x == y`, false for NaN.
    fn eq(&self, x: Self::F, y: Self::F) -> Self::B;
    /// True where `x` is NaN.
    fn is_nan(&self, x: Self::F) -> Self::B;
    /// `x` where `c` holds, else `y`.
    fn select(&self, c: Self::B, x: Self::F, y: Self::F) -> Self::F;

    /// Both.
    fn and(&self, x: Self::B, y: Self::B) -> Self::B;
    /// Either.
    fn or(&self, x: Self::B, y: Self::B) -> Self::B;
    /// Not.
    fn not(&self, x: Self::B) -> Self::B;

    /// Integer sum.
    fn iadd(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Integer difference.
    fn isub(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Low half of the integer product.
    fn imul(&self, x: Self::I, y: Self::I) -> Self::I;
    /// High half of the unsigned integer product.
    fn umulhi(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Bitwise and.
    fn iand(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Bitwise or.
    fn ior(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Bitwise exclusive or.
    fn ixor(&self, x: Self::I, y: Self::I) -> Self::I;
    /// Shift left by less than the width.
    fn shl(&self, x: Self::I, n: Self::I) -> Self::I;
    /// Shift right with zeros by less than the width.
    fn lshr(&self, x: Self::I, n: Self::I) -> Self::I;
    /// Shift right with the sign by less than the width.
    fn ashr(&self, x: Self::I, n: Self::I) -> Self::I;
    /// Signed `x < y`.
    fn ilt(&self, x: Self::I, y: Self::I) -> Self::B;
    /// Unsigned `x < y`.
    fn ult(&self, x: Self::I, y: Self::I) -> Self::B;
    /// `x == y`.
    fn ieq(&self, x: Self::I, y: Self::I) -> Self::B;
    /// `x` where `c` holds, else `y`.
    fn iselect(&self, c: Self::B, x: Self::I, y: Self::I) -> Self::I;

    /// The bits of a float.
    fn bits(&self, x: Self::F) -> Self::I;
    /// The float with these bits.
    fn float_of(&self, x: Self::I) -> Self::F;
    /// Towards zero; of any value where the result does not fit.
    fn to_int(&self, x: Self::F) -> Self::I;
    /// `x * 2^n` with one rounding, where an instruction does that.
    fn ldexp(&self, _x: Self::F, _n: Self::I) -> Option<Self::F> {
        None
    }

    /// To nearest even.
    fn to_float(&self, x: Self::I) -> Self::F;

    /// `slow()` where `c` holds, else `usual`. `c` seldom holds: the slow way may be branched around.
    fn rarely(
        &self,
        c: Self::B,
        usual: (Self::F, Self::I),
        slow: impl FnOnce() -> (Self::F, Self::I),
    ) -> (Self::F, Self::I) {
        let slow = slow();
        (self.select(c, slow.0, usual.0), self.iselect(c, slow.1, usual.1))
    }

    /// `state`, replaced by `body(state)` while `cond(state)` holds in any lane. The body must leave alone the lanes
    /// in which it does not.
    fn repeat(&self, state: Self::F, cond: impl Fn(Self::F) -> Self::B, body: impl Fn(Self::F) -> Self::F) -> Self::F;
}

/// Compounds of [`Arith`]'s operations that many functions use.
pub trait ArithExt: Arith {
    /// The constant that fits the format: coefficients differ, values of the same thing do not.
    fn pick(&self, single: f64, double: f64) -> Self::F {
        match self.format() {
            Format::F32 => self.f(single),
            Format::F64 => self.f(double),
        }
    }

    /// Positive infinity.
    fn inf(&self) -> Self::F {
        self.f(f64::INFINITY)
    }

    /// A NaN.
    fn nan(&self) -> Self::F {
        self.f(f64::NAN)
    }

    /// `x > y`, false for NaN.
    fn gt(&self, x: Self::F, y: Self::F) -> Self::B {
        self.lt(y, x)
    }

    /// `x >= y`, false for NaN.
    fn ge(&self, x: Self::F, y: Self::F) -> Self::B {
        self.le(y, x)
    }

    /// `x`, but `low` where `x` is less. NaN stays. One instruction on x86.
    fn at_least(&self, x: Self::F, low: Self::F) -> Self::F {
        self.select(self.lt(x, low), low, x)
    }

    /// `x`, but `high` where `x` is more. NaN stays. One instruction on x86.
    fn at_most(&self, x: Self::F, high: Self::F) -> Self::F {
        self.select(self.lt(high, x), high, x)
    }

    /// The polynomial with these coefficients, highest power first, by Horner's rule.
    fn poly(&self, x: Self::F, coefficients: &[f64]) -> Self::F {
        let mut sum = self.f(coefficients[0]);
        for &c in &coefficients[1..] {
            sum = self.fma(sum, x, self.f(c));
        }
        sum
    }

    /// [`ArithExt::poly`] with the coefficients of the format.
    fn poly_of(&self, x: Self::F, single: &[f64], double: &[f64]) -> Self::F {
        match self.format() {
            Format::F32 => self.poly(x, single),
            Format::F64 => self.poly(x, double),
        }
    }

    /// Shift left by a constant.
    fn shl_by(&self, x: Self::I, n: u32) -> Self::I {
        self.shl(x, self.i(n.into()))
    }

    /// Shift right with zeros by a constant.
    fn lshr_by(&self, x: Self::I, n: u32) -> Self::I {
        self.lshr(x, self.i(n.into()))
    }

    /// Shift right with the sign by a constant.
    fn ashr_by(&self, x: Self::I, n: u32) -> Self::I {
        self.ashr(x, self.i(n.into()))
    }

    /// 2 to the power `n`, a normal number.
    fn pow2(&self, n: Self::I) -> Self::F {
        let format = self.format();
        self.float_of(self.shl_by(self.iadd(n, self.i(format.bias())), format.fraction()))
    }

    /// `x * 2^n` with one rounding for all results that double the format's exponent range at most.
    fn scale(&self, x: Self::F, n: Self::I) -> Self::F {
        if let Some(scaled) = self.ldexp(x, n) {
            return scaled;
        }
        let half = self.ashr_by(n, 1);
        let rest = self.isub(n, half);
        self.mul(self.mul(x, self.pow2(half)), self.pow2(rest))
    }

    /// The nearest integer of a float below 2^22 (2^51) in magnitude, as a float and as an integer: adding a large
    /// constant leaves it in the low bits, which is cheaper than a rounding and a conversion.
    fn nearest(&self, x: Self::F) -> (Self::F, Self::I) {
        self.nearest_product(x, self.f(1.0))
    }

    /// [`ArithExt::nearest`] of `x * y`, with no rounding of the product.
    fn nearest_product(&self, x: Self::F, y: Self::F) -> (Self::F, Self::I) {
        let big = self.pick(12_582_912.0, 6_755_399_441_055_744.0);
        let sum = self.fma(x, y, big);
        (self.sub(sum, big), self.isub(self.bits(sum), self.bits(big)))
    }
}

impl<A: Arith> ArithExt for A {}
