//! [`Arith`] on plain Rust numbers, for tests and tables.

use super::arith::{Arith, Format};

/// Runs single-precision expressions on `f32`, `i32` and `bool`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Interp32;

/// Runs double-precision expressions on `f64`, `i64` and `bool`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Interp64;

macro_rules! interp {
    ($name:ident, $format:expr, $f:ty, $i:ty, $u:ty, $wide:ty) => {
        impl Arith for $name {
            type F = $f;
            type I = $i;
            type B = bool;

            fn format(&self) -> Format {
                $format
            }
            fn f(&self, v: f64) -> $f {
                v as $f
            }
            fn i(&self, v: i64) -> $i {
                v as $i
            }
            fn add(&self, x: $f, y: $f) -> $f {
                x + y
            }
            fn sub(&self, x: $f, y: $f) -> $f {
                x - y
            }
            fn mul(&self, x: $f, y: $f) -> $f {
                x * y
            }
            fn div(&self, x: $f, y: $f) -> $f {
                x / y
            }
            fn fma(&self, x: $f, y: $f, z: $f) -> $f {
                x.mul_add(y, z)
            }
            fn neg(&self, x: $f) -> $f {
                -x
            }
            fn abs(&self, x: $f) -> $f {
                x.abs()
            }
            fn copysign(&self, x: $f, y: $f) -> $f {
                x.copysign(y)
            }
            fn sqrt(&self, x: $f) -> $f {
                x.sqrt()
            }
            fn floor(&self, x: $f) -> $f {
                x.floor()
            }
            fn ceil(&self, x: $f) -> $f {
                x.ceil()
            }
            fn trunc(&self, x: $f) -> $f {
                x.trunc()
            }
            fn round_even(&self, x: $f) -> $f {
                x.round_ties_even()
            }
            fn lt(&self, x: $f, y: $f) -> bool {
                x < y
            }
            fn le(&self, x: $f, y: $f) -> bool {
                x <= y
            }
            fn eq(&self, x: $f, y: $f) -> bool {
                x == y
            }
            fn is_nan(&self, x: $f) -> bool {
                x.is_nan()
            }
            fn select(&self, c: bool, x: $f, y: $f) -> $f {
                if c { x } else { y }
            }
            fn and(&self, x: bool, y: bool) -> bool {
                x & y
            }
            fn or(&self, x: bool, y: bool) -> bool {
                x | y
            }
            fn not(&self, x: bool) -> bool {
                !x
            }
            fn iadd(&self, x: $i, y: $i) -> $i {
                x.wrapping_add(y)
            }
            fn isub(&self, x: $i, y: $i) -> $i {
                x.wrapping_sub(y)
            }
            fn imul(&self, x: $i, y: $i) -> $i {
                x.wrapping_mul(y)
            }
            fn umulhi(&self, x: $i, y: $i) -> $i {
                ((x as $u as $wide * y as $u as $wide) >> <$u>::BITS) as $i
            }
            fn iand(&self, x: $i, y: $i) -> $i {
                x & y
            }
            fn ior(&self, x: $i, y: $i) -> $i {
                x | y
            }
            fn ixor(&self, x: $i, y: $i) -> $i {
                x ^ y
            }
            // A wild distance is poison in MLIR and must not reach a result; here it may be anything but a panic.
            fn shl(&self, x: $i, n: $i) -> $i {
                x.checked_shl(n as u32).unwrap_or(0x5a)
            }
            fn lshr(&self, x: $i, n: $i) -> $i {
                (x as $u).checked_shr(n as u32).unwrap_or(0x5a) as $i
            }
            fn ashr(&self, x: $i, n: $i) -> $i {
                x.checked_shr(n as u32).unwrap_or(0x5a)
            }
            fn ilt(&self, x: $i, y: $i) -> bool {
                x < y
            }
            fn ult(&self, x: $i, y: $i) -> bool {
                (x as $u) < y as $u
            }
            fn ieq(&self, x: $i, y: $i) -> bool {
                x == y
            }
            fn iselect(&self, c: bool, x: $i, y: $i) -> $i {
                if c { x } else { y }
            }
            fn bits(&self, x: $f) -> $i {
                x.to_bits() as $i
            }
            fn float_of(&self, x: $i) -> $f {
                <$f>::from_bits(x as $u)
            }
            fn to_int(&self, x: $f) -> $i {
                x as $i
            }
            fn to_float(&self, x: $i) -> $f {
                x as $f
            }
            fn repeat(&self, mut state: $f, cond: impl Fn($f) -> bool, body: impl Fn($f) -> $f) -> $f {
                while cond(state) {
                    state = body(state);
                }
                // The other lanes of a vector would go on; see that it changes nothing.
                let again = body(state);
                assert!(again.to_bits() == state.to_bits(), "the body moves a lane that is done");
                state
            }
        }
    };
}

interp!(Interp32, Format::F32, f32, i32, u32, u64);
interp!(Interp64, Format::F64, f64, i64, u64, u128);
