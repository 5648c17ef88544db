//! The text form of [`Dim`]: `2*N+1`, `(N+3)//4`, `N%2`, `min(N,4)`, `select(N,1,M,N)`.

use crate::{Atom, Dim, Symbol};
use std::fmt;

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (terms, constant) = self.parts();
        if terms.is_empty() {
            return write!(f, "{constant}");
        }
        for (idx, (mono, coeff)) in terms.iter().enumerate() {
            match coeff {
                1 if idx == 0 => {}
                1 => f.write_str("+")?,
                -1 => f.write_str("-")?,
                c if *c > 0 && idx > 0 => write!(f, "+{c}*")?,
                c => write!(f, "{c}*")?,
            }
            for (at, atom) in mono.iter().enumerate() {
                write!(f, "{}{atom}", if at > 0 { "*" } else { "" })?;
            }
        }
        if constant != 0 { write!(f, "{constant:+}") } else { Ok(()) }
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Sym(symbol) => f.write_str(symbol.name()),
            Atom::FloorDiv(a, b) => write!(f, "floordiv({a},{b})"),
            Atom::Mod(a, b) => write!(f, "mod({a},{b})"),
            Atom::Min(a, b) => write!(f, "min({a},{b})"),
            Atom::Max(a, b) => write!(f, "max({a},{b})"),
            Atom::SelectEq(parts) => {
                let [a, b, then, otherwise] = &**parts;
                write!(f, "select({a},{b},{then},{otherwise})")
            }
        }
    }
}

/// The text is not a dimension expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad dimension expression `{0}`")]
pub struct DimSyntaxError(String);

impl std::str::FromStr for Dim {
    type Err = DimSyntaxError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser { rest: s.trim(), depth: 0 };
        match parser.sum() {
            Some(dim) if parser.rest.trim().is_empty() => Ok(dim),
            _ => Err(DimSyntaxError(s.into())),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

/// Nested deeper than this, a text is refused, so that hostile input cannot exhaust the stack.
const MAX_DEPTH: usize = 64;

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Option<Dim> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut sum = if self.eat("-") { -self.product()? } else { self.product()? };
        loop {
            if self.eat("+") {
                sum = sum + self.product()?;
            } else if self.eat("-") {
                sum = sum - self.product()?;
            } else {
                self.depth -= 1;
                return Some(sum);
            }
        }
    }

    fn product(&mut self) -> Option<Dim> {
        let mut product = self.atom()?;
        while self.eat("*") {
            product = product * self.atom()?;
        }
        Some(product)
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn atom(&mut self) -> Option<Dim> {
        if self.eat("(") {
            let inner = self.sum()?;
            return self.eat(")").then_some(inner);
        }
        let word = self.word();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse::<i64>().ok().map(Dim::from);
        }
        if word.is_empty() {
            return None;
        }
        if !self.eat("(") {
            return Some(Atom::Sym(Symbol::new(word)).into());
        }
        let mut args = vec![self.sum()?];
        while self.eat(",") {
            args.push(self.sum()?);
        }
        if !self.eat(")") {
            return None;
        }
        call(word, args)
    }
}

fn call(name: &str, args: Vec<Dim>) -> Option<Dim> {
    match (name, <[Dim; 2]>::try_from(args)) {
        ("floordiv", Ok([a, b])) => Some(a.floor_div(b)),
        ("mod", Ok([a, b])) => Some(a.modulo(b)),
        ("min", Ok([a, b])) => Some(a.min(b)),
        ("max", Ok([a, b])) => Some(a.max(b)),
        ("select", Err(args)) => {
            let [a, b, then, otherwise] = <[Dim; 4]>::try_from(args).ok()?;
            Some(Dim::select_eq(a, b, then, otherwise))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["4", "N", "2*N+1", "N*M-3", "floordiv(N+3,4)", "mod(N,2)", "min(3,N)", "select(N,1,M,N)", "-N"] {
            let dim: Dim = text.parse().unwrap();
            assert_eq!(dim.to_string().parse::<Dim>().unwrap(), dim, "{text} -> {dim}");
        }
        for bad in ["", "N+", "f(N)", "3x", "((((", "min(1)", "99999999999999999999"] {
            assert!(bad.parse::<Dim>().is_err(), "{bad}");
        }
        assert!("(".repeat(100_000).parse::<Dim>().is_err());
        // The smallest integer has no opposite.
        let least = "-9223372036854775807-1";
        for text in [
            format!("floordiv({least},-1)"),
            format!("mod({least},-1)"),
            "floordiv(-9223372036854775807*N-N,-N)".into(),
        ] {
            assert!(text.parse::<Dim>().is_ok(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_canonical_and_agrees_with_evaluation() {
        let (n, m) = (Dim::symbol("N"), Dim::symbol("M"));
        assert_eq!(n.clone() * m.clone() - m.clone() * n.clone(), Dim::from(0));
        assert_eq!((n.clone() * m.clone()).floor_div(m.clone()), n);
        assert_eq!((n.clone() * 4.into() + 6.into()).floor_div(4.into()).to_string(), "N+1");
        let lookup = |s: &Symbol| Some(if s.name() == "N" { -7 } else { 3 });
        assert_eq!(n.clone().floor_div(2.into()).eval(&lookup), Some(-4));
        assert_eq!(n.clone().modulo(4.into()).eval(&lookup), Some(1));
        assert_eq!(n.clone().ceil_div(m).eval(&lookup), Some(-2));
        assert_eq!(n.floor_div(0.into()).eval(&lookup), None);
    }
}
