//! Integer formulas that run both in a kernel's text and in a test.

use crate::text::{Val, Writer};

/// Arithmetic on 32-bit unsigned numbers, written down or done.
pub trait Ints {
    /// A number.
    type Num: Copy;
    /// A constant.
    fn num(&mut self, value: u32) -> Self::Num;
    /// Sum.
    fn add(&mut self, a: Self::Num, b: Self::Num) -> Self::Num;
    /// Product with a constant.
    fn times(&mut self, a: Self::Num, by: u32) -> Self::Num;
    /// Quotient by a constant.
    fn over(&mut self, a: Self::Num, by: u32) -> Self::Num;
    /// Remainder by a power of two.
    fn rest(&mut self, a: Self::Num, by: u32) -> Self::Num;
    /// Bitwise and with a constant.
    fn and(&mut self, a: Self::Num, mask: u32) -> Self::Num;
    /// Exclusive or.
    fn xor(&mut self, a: Self::Num, b: Self::Num) -> Self::Num;
}

/// Does the arithmetic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Ints for Plain {
    type Num = u32;
    fn num(&mut self, value: u32) -> u32 {
        value
    }
    fn add(&mut self, a: u32, b: u32) -> u32 {
        a + b
    }
    fn times(&mut self, a: u32, by: u32) -> u32 {
        a * by
    }
    fn over(&mut self, a: u32, by: u32) -> u32 {
        a / by
    }
    fn rest(&mut self, a: u32, by: u32) -> u32 {
        a % by
    }
    fn and(&mut self, a: u32, mask: u32) -> u32 {
        a & mask
    }
    fn xor(&mut self, a: u32, b: u32) -> u32 {
        a ^ b
    }
}

impl Ints for Writer {
    type Num = Val;
    fn num(&mut self, value: u32) -> Val {
        self.i32(value.cast_signed())
    }
    fn add(&mut self, a: Val, b: Val) -> Val {
        self.addi(a, b)
    }
    fn times(&mut self, a: Val, by: u32) -> Val {
        let by = self.num(by);
        self.muli(a, by)
    }
    fn over(&mut self, a: Val, by: u32) -> Val {
        let by = self.num(by);
        self.divui(a, by)
    }
    fn rest(&mut self, a: Val, by: u32) -> Val {
        let by = self.num(by);
        self.remui(a, by)
    }
    fn and(&mut self, a: Val, mask: u32) -> Val {
        let mask = self.num(mask);
        self.andi(a, mask)
    }
    fn xor(&mut self, a: Val, b: Val) -> Val {
        self.xori(a, b)
    }
}
