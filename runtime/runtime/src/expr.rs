//! Dimension expressions, compiled for evaluation: symbols are slots.

use crate::Error;
use std::collections::BTreeMap;
use tensor::{Atom, Dim};

/// A dimension expression over numbered symbols.
#[derive(Debug)]
pub(crate) struct Expr {
    terms: Vec<(i64, Vec<Factor>)>,
    constant: i64,
}

#[derive(Debug)]
enum Factor {
    Symbol(usize),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug)]
enum Function {
    FloorDiv,
    Mod,
    Min,
    Max,
    SelectEq,
}

impl Expr {
    /// Compiles the text form.
    pub(crate) fn parse(text: &str, slots: &BTreeMap<&str, usize>) -> Result<Expr, Error> {
        let dim: Dim = text.parse().map_err(|e: tensor::DimSyntaxError| Error::Program(e.to_string()))?;
        Expr::new(&dim, slots)
    }

    fn new(dim: &Dim, slots: &BTreeMap<&str, usize>) -> Result<Expr, Error> {
        let (terms, constant) = dim.parts();
        let term = |(atoms, coeff): &(Vec<Atom>, i64)| {
            Ok((*coeff, atoms.iter().map(|atom| factor(atom, slots)).collect::<Result<_, Error>>()?))
        };
        Ok(Expr { terms: terms.iter().map(term).collect::<Result<_, Error>>()?, constant })
    }

    /// The value; `None` for a symbol without one, overflow, or division by zero.
    pub(crate) fn eval(&self, symbols: &[Option<i64>]) -> Option<i64> {
        let mut sum = self.constant;
        for (coeff, factors) in &self.terms {
            let mut product = *coeff;
            for factor in factors {
                product = product.checked_mul(factor.eval(symbols)?)?;
            }
            sum = sum.checked_add(product)?;
        }
        Some(sum)
    }

    /// Whether the expression mentions one of these symbols.
    pub(crate) fn mentions(&self, symbols: &[bool]) -> bool {
        self.terms.iter().flat_map(|(_, factors)| factors).any(|factor| match factor {
            Factor::Symbol(slot) => symbols[*slot],
            Factor::Call(_, operands) => operands.iter().any(|operand| operand.mentions(symbols)),
        })
    }

    /// The slot, if the expression is nothing but a symbol.
    pub(crate) fn as_symbol(&self) -> Option<usize> {
        match (&self.terms[..], self.constant) {
            ([(1, factors)], 0) => match factors[..] {
                [Factor::Symbol(slot)] => Some(slot),
                _ => None,
            },
            _ => None,
        }
    }
}

fn factor(atom: &Atom, slots: &BTreeMap<&str, usize>) -> Result<Factor, Error> {
    let (function, operands) = match atom {
        Atom::Sym(symbol) => {
            let slot = slots.get(symbol.name());
            let unknown = || Error::Program(format!("unknown symbol `{}`", symbol.name()));
            return slot.map(|slot| Factor::Symbol(*slot)).ok_or_else(unknown);
        }
        Atom::FloorDiv(a, b) => (Function::FloorDiv, vec![a, b]),
        Atom::Mod(a, b) => (Function::Mod, vec![a, b]),
        Atom::Min(a, b) => (Function::Min, vec![a, b]),
        Atom::Max(a, b) => (Function::Max, vec![a, b]),
        Atom::SelectEq(parts) => (Function::SelectEq, parts.iter().collect()),
    };
    let operands = operands.into_iter().map(|dim| Expr::new(dim, slots)).collect::<Result<_, _>>()?;
    Ok(Factor::Call(function, operands))
}

fn floor_div(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(quotient - i64::from(a % b != 0 && (a < 0) != (b < 0)))
}

impl Factor {
    fn eval(&self, symbols: &[Option<i64>]) -> Option<i64> {
        let (function, operands) = match self {
            Factor::Symbol(slot) => return symbols[*slot],
            Factor::Call(function, operands) => (*function, operands),
        };
        let (a, b) = (operands[0].eval(symbols)?, operands[1].eval(symbols)?);
        match function {
            Function::FloorDiv => floor_div(a, b),
            Function::Mod => Some(a - floor_div(a, b)?.checked_mul(b)?),
            Function::Min => Some(a.min(b)),
            Function::Max => Some(a.max(b)),
            Function::SelectEq => operands[if a == b { 2 } else { 3 }].eval(symbols),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Symbol;

    #[test]
    fn agrees_with_dim() {
        let slots = BTreeMap::from([("N", 0), ("M", 1)]);
        let texts = ["7", "N", "2*N*M-3", "floordiv(N,M)", "mod(N-9,M)", "min(N,M)+max(N,2)", "select(N,M,1,N*N)"];
        for text in texts {
            let (dim, expr) = (text.parse::<Dim>().unwrap(), Expr::parse(text, &slots).unwrap());
            for n in -4..5 {
                for m in -3..4 {
                    let lookup = |s: &Symbol| Some(if s.name() == "N" { n } else { m });
                    assert_eq!(expr.eval(&[Some(n), Some(m)]), dim.eval(&lookup), "{text} at {n}, {m}");
                }
            }
        }
        let product = Expr::parse("N*N", &slots).unwrap();
        assert_eq!(product.eval(&[Some(i64::MAX), None]), None);
        assert_eq!(product.eval(&[None, None]), None);
        assert!(product.mentions(&[true, false]) && !product.mentions(&[false, true]));
        assert!(Expr::parse("K", &slots).is_err());
    }
}
