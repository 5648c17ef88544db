//! Dimensions as values: symbols from the shapes of inputs, expressions by arithmetic on `index`.

use super::form::{Form, Result, size};
use kernels::text::{IntCmp, Ty, Val};
use ops::Bind;
use tensor::{Atom, Dim, Symbol};

impl Form<'_> {
    /// Every symbol that is a whole dimension of an input.
    pub(super) fn symbols_of_inputs(&mut self) {
        for port in &self.graph.inputs {
            for (axis, dim) in self.graph.ty(port.value).shape.iter().enumerate() {
                let Some(symbol) = dim.as_symbol().filter(|s| !self.symbols.contains_key(*s)) else { continue };
                let tens = self.value(port.value);
                let val = self.size_of(&tens, axis);
                self.symbols.insert(symbol.clone(), val);
            }
        }
    }

    /// The size of a tensor's axis as the tensor itself says it.
    pub(super) fn size_of(&mut self, tens: &super::form::Tens, axis: usize) -> Val {
        if let Some(n) = size(&tens.shape[axis]) {
            return self.index(n);
        }
        let at = self.index(axis as i64);
        self.w.op(Ty::INDEX, format_args!("tensor.dim {}, {at} : {}", tens.name, tens.ty()))
    }

    /// Gives the elements of a tensor to symbols.
    pub(super) fn bind(&mut self, op: &Bind, input: graph::ValueId) -> Result<()> {
        let tens = self.value(input);
        let unsigned = self.ty(input).dtype.is_unsigned_int();
        let flat = self.reshape(&tens, &[Dim::from(op.symbols.len())])?;
        for (at, symbol) in op.symbols.iter().enumerate() {
            let idx = self.index(at as i64);
            let elem = flat.elem;
            let val = self.w.op(elem.into(), format_args!("tensor.extract {}[{idx}] : {}", flat.name, flat.ty()));
            let val = self.as_index(val, unsigned);
            self.symbols.insert(Symbol::new(symbol), val);
        }
        Ok(())
    }

    /// An integer as an `index`.
    pub(super) fn as_index(&mut self, val: Val, unsigned: bool) -> Val {
        let cast = if unsigned { "index_castui" } else { "index_cast" };
        self.w.op(Ty::INDEX, format_args!("arith.{cast} {val} : {} to index", val.ty))
    }

    /// A constant `index`.
    pub(super) fn index(&mut self, n: i64) -> Val {
        self.w.int(Ty::INDEX, n)
    }

    /// The sizes that a type leaves open, as a list.
    pub(super) fn open_sizes(&mut self, shape: &[Dim]) -> Result<String> {
        let open: Vec<&Dim> = shape.iter().filter(|dim| size(dim).is_none()).collect();
        let vals = open.into_iter().map(|dim| self.dim(dim).map(|v| v.to_string())).collect::<Result<Vec<_>>>()?;
        Ok(vals.join(", "))
    }

    /// Dimensions in an operation's brackets: numbers, or values.
    pub(super) fn mixed(&mut self, dims: &[Dim]) -> Result<String> {
        let each = |form: &mut Self, dim: &Dim| match dim.as_const() {
            Some(n) => Ok(n.to_string()),
            None => form.dim(dim).map(|v| v.to_string()),
        };
        Ok(dims.iter().map(|dim| each(self, dim)).collect::<Result<Vec<_>>>()?.join(", "))
    }

    /// A dimension as an `index`.
    pub(super) fn dim(&mut self, dim: &Dim) -> Result<Val> {
        if let Some(val) = self.computed.get(dim) {
            return Ok(*val);
        }
        let val = self.expression(dim)?;
        // What is computed in a body is not seen outside.
        if self.depth == 0 {
            self.computed.insert(dim.clone(), val);
        }
        Ok(val)
    }

    fn expression(&mut self, dim: &Dim) -> Result<Val> {
        let (terms, constant) = dim.parts();
        let mut sum = self.index(constant);
        for (atoms, factor) in terms {
            let mut product = self.index(*factor);
            for atom in atoms {
                let atom = self.atom(atom)?;
                product = self.w.muli(product, atom);
            }
            sum = self.w.addi(sum, product);
        }
        Ok(sum)
    }

    fn atom(&mut self, atom: &Atom) -> Result<Val> {
        let op = |form: &mut Self, name: &str, a: &Dim, b: &Dim| {
            let (a, b) = (form.dim(a)?, form.dim(b)?);
            Ok(form.w.op(Ty::INDEX, format_args!("arith.{name} {a}, {b} : index")))
        };
        match atom {
            Atom::Sym(symbol) => self.symbols.get(symbol).copied().ok_or_else(|| {
                format!("nothing says what the symbol {} is: no input has it as a whole dimension", symbol.name())
            }),
            Atom::FloorDiv(a, b) => op(self, "floordivsi", a, b),
            Atom::Min(a, b) => op(self, "minsi", a, b),
            Atom::Max(a, b) => op(self, "maxsi", a, b),
            Atom::Mod(a, b) => {
                // The remainder that belongs to the quotient rounded down.
                let quotient = op(self, "floordivsi", a, b)?;
                let (a, b) = (self.dim(a)?, self.dim(b)?);
                let multiple = self.w.muli(quotient, b);
                Ok(self.w.subi(a, multiple))
            }
            Atom::SelectEq(parts) => {
                let [a, b, then, otherwise] = &**parts;
                let (a, b) = (self.dim(a)?, self.dim(b)?);
                let (then, otherwise) = (self.dim(then)?, self.dim(otherwise)?);
                let equal = self.w.cmpi(IntCmp::Eq, a, b);
                Ok(self.w.select(equal, then, otherwise))
            }
        }
    }
}
