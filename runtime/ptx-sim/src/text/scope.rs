//! Names within a function: registers, labels and variables, in nested blocks.

use std::collections::BTreeMap;

/// The declared type of a register: its size, or that it is a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegType {
    /// `.pred`.
    Pred,
    /// So many bits.
    Bits(u32),
}

/// A register: where its first row lies, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) slot: u32,
    pub(crate) ty: RegType,
}

/// One block of a function.
#[derive(Debug, Default)]
struct Scope {
    parent: Option<usize>,
    registers: BTreeMap<String, Register>,
    /// `%r<10>`: prefix to the first register and the count.
    ranges: BTreeMap<String, (Register, u32)>,
    labels: BTreeMap<String, usize>,
}

/// All blocks of a function.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    scopes: Vec<Scope>,
    /// Rows of all registers so far.
    pub(crate) slots: u32,
}

impl Scopes {
    /// Opens a block; gives its index.
    pub(crate) fn open(&mut self, parent: Option<usize>) -> usize {
        self.scopes.push(Scope { parent, ..Scope::default() });
        self.scopes.len() - 1
    }

    /// The block around a block.
    pub(crate) fn parent(&self, scope: usize) -> Option<usize> {
        self.scopes[scope].parent
    }

    /// Declares registers: one, or `count` with numbered names.
    pub(crate) fn declare(&mut self, scope: usize, name: &str, count: Option<u32>, ty: RegType) {
        let rows: u32 = if ty == RegType::Bits(128) { 2 } else { 1 };
        let register = Register { slot: self.slots, ty };
        self.slots = self.slots.saturating_add(rows.saturating_mul(count.unwrap_or(1)));
        match count {
            None => {
                self.scopes[scope].registers.insert(name.into(), register);
            }
            Some(count) => {
                self.scopes[scope].ranges.insert(name.into(), (register, count));
            }
        }
    }

    /// Declares a label.
    pub(crate) fn label(&mut self, scope: usize, name: &str, at: usize) {
        self.scopes[scope].labels.insert(name.into(), at);
    }

    /// The statement that a label stands before.
    pub(crate) fn find_label(&self, scope: usize, name: &str) -> Option<usize> {
        self.chain(scope).find_map(|scope| scope.labels.get(name).copied())
    }

    /// The register of a name.
    pub(crate) fn find(&self, scope: usize, name: &str) -> Option<Register> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: Option<u32> = name[stem.len()..].parse().ok();
        self.chain(scope).find_map(|scope| {
            if let Some(register) = scope.registers.get(name) {
                return Some(*register);
            }
            let (first, count) = scope.ranges.get(stem)?;
            let number = number.filter(|number| number < count)?;
            let rows = if first.ty == RegType::Bits(128) { 2 } else { 1 };
            Some(Register { slot: first.slot + number * rows, ty: first.ty })
        })
    }

    fn chain(&self, scope: usize) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(&self.scopes[scope]), |scope| scope.parent.map(|parent| &self.scopes[parent]))
    }
}
