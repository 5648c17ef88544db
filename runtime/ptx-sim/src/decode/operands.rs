//! Operands to registers.

use super::{Decoder, View, special_named};
use crate::code::{AccessSpace, Op, Place, Slot};
use crate::error::Error;
use crate::row::map1;
use crate::text::{Operand, RegType, Register};
use crate::ty::Ty;

impl Decoder<'_> {
    /// The declared register of an operand.
    pub(super) fn register(&self, view: &View<'_>, operand: &Operand) -> Result<Register, Error> {
        let Operand::Name(name) = operand else { return Err(view.unknown("a register was expected")) };
        let register = self.function.scopes.find(view.statement.scope, name);
        register.ok_or_else(|| view.unknown(format!("there is no register `{name}`")))
    }

    /// The register that a result goes to.
    pub(super) fn target(&mut self, view: &View<'_>, at: usize) -> Result<Slot, Error> {
        self.target_of(view, view.operand(at)?)
    }

    /// The register that a result goes to; `_` is one that nobody reads.
    pub(super) fn target_of(&mut self, view: &View<'_>, operand: &Operand) -> Result<Slot, Error> {
        match operand {
            Operand::Sink => Ok(self.temporary()),
            other => Ok(self.register(view, other)?.slot),
        }
    }

    /// Bits of the register that a result goes to.
    pub(super) fn width(&self, view: &View<'_>, operand: &Operand) -> u32 {
        match self.register(view, operand).map(|register| register.ty) {
            Ok(RegType::Bits(bits)) => bits,
            Ok(RegType::Pred) => 1,
            Err(_) => 64,
        }
    }

    /// The register that holds an operand's value.
    pub(super) fn source(&mut self, view: &View<'_>, at: usize, ty: Ty) -> Result<Slot, Error> {
        self.source_of(view, view.operand(at)?, ty)
    }

    /// The registers of operands from one on, all of the same type.
    pub(super) fn sources_from(&mut self, view: &View<'_>, first: usize, ty: Ty) -> Result<Vec<Slot>, Error> {
        (first..view.count()).map(|at| self.source(view, at, ty)).collect()
    }

    /// The register that holds an operand's value.
    pub(super) fn source_of(&mut self, view: &View<'_>, operand: &Operand, ty: Ty) -> Result<Slot, Error> {
        match operand {
            Operand::Int(value) => Ok(self.constant(int_bits(*value, ty))),
            Operand::F32(bits) => Ok(self.constant((*bits).into())),
            Operand::F64(bits) if ty == Ty::F32 => Ok(self.constant((f64::from_bits(*bits) as f32).to_bits().into())),
            Operand::F64(bits) => Ok(self.constant(*bits)),
            Operand::Not(name) => {
                let source = self.register(view, &Operand::Name(name.clone()))?.slot;
                let to = self.temporary();
                self.push_map(view, map1(|a: bool| !a), to, &[source]);
                Ok(to)
            }
            Operand::Name(name) => self.named(view, name),
            _ => Err(view.unknown("a register or number was expected")),
        }
    }

    fn named(&mut self, view: &View<'_>, name: &str) -> Result<Slot, Error> {
        if let Some(register) = self.function.scopes.find(view.statement.scope, name) {
            return Ok(register.slot);
        }
        if let Some(symbol) = self.symbols.get(name) {
            let address = symbol.address;
            return Ok(self.constant(address));
        }
        match name {
            "%clock" | "%clock64" | "%globaltimer" | "%clock_hi" | "%globaltimer_lo" => {
                let to = self.temporary();
                self.push(view, Op::Clock(to));
                return Ok(to);
            }
            _ => {}
        }
        let special = name.strip_prefix('%').and_then(special_named);
        let special = special.ok_or_else(|| view.unknown(format!("there is no register or variable `{name}`")))?;
        Ok(self.special(special))
    }

    /// An address operand.
    pub(super) fn place(&mut self, view: &View<'_>, at: usize, space: AccessSpace) -> Result<Place, Error> {
        self.place_operand(view, view.operand(at)?, space)
    }

    /// An address operand.
    pub(super) fn place_operand(
        &mut self,
        view: &View<'_>,
        operand: &Operand,
        space: AccessSpace,
    ) -> Result<Place, Error> {
        let Operand::Address(base, offset) = operand else { return Err(view.unknown("an address was expected")) };
        let slot = self.source_of(view, base, Ty::B(64))?;
        Ok(Place { space, slot, offset: *offset })
    }

    /// The label that a statement goes to, as the index of a statement.
    pub(super) fn label(&self, view: &View<'_>, operand: &Operand) -> Result<usize, Error> {
        let Operand::Name(name) = operand else { return Err(view.unknown("a label was expected")) };
        let found = self.function.scopes.find_label(view.statement.scope, name);
        found.ok_or_else(|| view.unknown(format!("there is no label `{name}`")))
    }

    /// The elements of `{a, b}`, or the one operand.
    pub(super) fn elements<'o>(&self, operand: &'o Operand) -> &'o [Operand] {
        match operand {
            Operand::Vector(items) => items,
            other => std::slice::from_ref(other),
        }
    }

    /// The registers of `{a, b}`, or the one operand, as sources.
    pub(super) fn sources(&mut self, view: &View<'_>, at: usize, ty: Ty) -> Result<Vec<Slot>, Error> {
        let operand = view.operand(at)?;
        self.elements(operand).iter().map(|item| self.source_of(view, item, ty)).collect()
    }

    /// The registers of `{a, b}`, or the one operand, as targets.
    pub(super) fn targets(&mut self, view: &View<'_>, at: usize) -> Result<Vec<Slot>, Error> {
        let operand = view.operand(at)?;
        self.elements(operand).iter().map(|item| self.target_of(view, item)).collect()
    }

    /// An operand that must be a number.
    pub(super) fn number(&self, view: &View<'_>, at: usize) -> Result<u64, Error> {
        match view.operand(at)? {
            Operand::Int(value) => Ok(*value),
            _ => Err(view.unknown(format!("operand {} must be a number", at + 1))),
        }
    }
}

/// An integer in the bits of a type.
fn int_bits(value: u64, ty: Ty) -> u64 {
    match ty.bits() {
        bits @ 1..64 => value & ((1 << bits) - 1),
        _ => value,
    }
}
