//! Operands of instructions, as they are written.

use super::lex::Kind;
use super::module::Parser;
use crate::error::Error;

/// An operand, with names that are not resolved yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// A register, variable, special register, label or function.
    Name(String),
    /// `!%p1`.
    Not(String),
    /// An integer.
    Int(u64),
    /// `0f...`.
    F32(u32),
    /// `0d...`.
    F64(u64),
    /// `[base + offset]`; the base is a name or a number.
    Address(Box<Operand>, i64),
    /// `[a, b]`, as tensor copies have it.
    Addresses(Vec<Operand>),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `(a, b)`.
    List(Vec<Operand>),
    /// `p|q`.
    Pair(Box<Operand>, Box<Operand>),
    /// `_`.
    Sink,
}

impl Parser<'_> {
    /// `a, b, c` up to `;`, which is consumed.
    pub(super) fn operands(&mut self) -> Result<Vec<Operand>, Error> {
        let mut operands = vec![];
        if self.eat(';') {
            return Ok(operands);
        }
        loop {
            operands.push(self.operand()?);
            if self.eat(';') {
                return Ok(operands);
            }
            self.expect(',')?;
        }
    }

    fn operand(&mut self) -> Result<Operand, Error> {
        let first = self.primary()?;
        if self.eat('|') {
            return Ok(Operand::Pair(Box::new(first), Box::new(self.primary()?)));
        }
        Ok(first)
    }

    fn primary(&mut self) -> Result<Operand, Error> {
        match self.take()? {
            Kind::Word("_") => Ok(Operand::Sink),
            Kind::Word("WARP_SZ") => Ok(Operand::Int(32)),
            Kind::Word(name) => Ok(Operand::Name(name.into())),
            Kind::Int(value) => Ok(Operand::Int(value)),
            Kind::F32(bits) => Ok(Operand::F32(bits)),
            Kind::F64(bits) => Ok(Operand::F64(bits)),
            Kind::Punct('-') => match self.take()? {
                Kind::Int(value) => Ok(Operand::Int(value.wrapping_neg())),
                Kind::F64(bits) => Ok(Operand::F64(bits ^ (1 << 63))),
                _ => Err(self.fail("a number is missing after `-`")),
            },
            Kind::Punct('!') => match self.take()? {
                Kind::Word(name) => Ok(Operand::Not(name.into())),
                _ => Err(self.fail("a register is missing after `!`")),
            },
            Kind::Punct('{') => Ok(Operand::Vector(self.list('}')?)),
            Kind::Punct('(') => Ok(Operand::List(self.list(')')?)),
            Kind::Punct('[') => self.address(),
            _ => Err(self.fail("an operand is missing")),
        }
    }

    fn list(&mut self, end: char) -> Result<Vec<Operand>, Error> {
        let mut items = vec![];
        if self.eat(end) {
            return Ok(items);
        }
        loop {
            items.push(self.operand()?);
            if self.eat(end) {
                return Ok(items);
            }
            self.expect(',')?;
        }
    }

    fn address(&mut self) -> Result<Operand, Error> {
        let first = self.based()?;
        if self.eat(']') {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat(',') {
            items.push(match self.peek() {
                Some(Kind::Punct('{')) => self.primary()?,
                _ => self.based()?,
            });
        }
        self.expect(']')?;
        Ok(Operand::Addresses(items))
    }

    /// `base`, `base+4` or `base+-4`.
    fn based(&mut self) -> Result<Operand, Error> {
        let base = self.primary()?;
        let mut offset = 0i64;
        if self.eat('+') {
            let Operand::Int(value) = self.primary()? else { return Err(self.fail("an offset is missing after `+`")) };
            offset = value.cast_signed();
        } else if self.eat('-') {
            let Operand::Int(value) = self.primary()? else { return Err(self.fail("an offset is missing after `-`")) };
            offset = value.cast_signed().wrapping_neg();
        }
        Ok(Operand::Address(Box::new(base), offset))
    }
}
