//! Symbolic integer expressions for dimensions, kept canonical: a polynomial over atoms with integer coefficients.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of an unknown integer, such as the `N` of a dynamic batch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

impl Symbol {
    /// A symbol of this name. Characters outside `[A-Za-z0-9_]` become `_`, so that every symbol has a text form.
    pub fn new(name: &str) -> Self {
        let mut clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if !clean.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            clean.insert(0, '_');
        }
        Symbol(clean.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A factor of a term that addition and multiplication cannot take apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// An unknown.
    Sym(Symbol),
    /// Quotient rounded towards negative infinity.
    FloorDiv(Dim, Dim),
    /// Remainder of [`Atom::FloorDiv`]; it has the divisor's sign.
    Mod(Dim, Dim),
    /// The smaller of two.
    Min(Dim, Dim),
    /// The larger of two.
    Max(Dim, Dim),
    /// `[a, b, x, y]`: `x` where `a == b`, else `y`.
    SelectEq(Box<[Dim; 4]>),
}

type Monomial = Vec<Atom>;

/// An integer expression over symbols: a sum of products of atoms, in canonical order.
///
/// `Dim::from(3)` is a constant, [`Dim::symbol`] an unknown; the operators build the rest and simplify on the way.
/// ```
/// # use tensor::Dim;
/// let n = Dim::symbol("N");
/// assert_eq!((n.clone() + 1.into()) * 2.into() - 2.into(), n.clone() * 2.into());
/// assert_eq!((n.clone() * 6.into()).floor_div(3.into()), n * 2.into());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dim {
    terms: Arc<[(Monomial, i64)]>,
    constant: i64,
}

impl From<i64> for Dim {
    fn from(constant: i64) -> Self {
        Dim { terms: Arc::new([]), constant }
    }
}

impl From<usize> for Dim {
    fn from(constant: usize) -> Self {
        Dim::from(i64::try_from(constant).unwrap_or(i64::MAX))
    }
}

impl From<i32> for Dim {
    fn from(constant: i32) -> Self {
        Dim::from(i64::from(constant))
    }
}

impl From<Atom> for Dim {
    fn from(atom: Atom) -> Self {
        Dim { terms: Arc::new([(vec![atom], 1)]), constant: 0 }
    }
}

impl Dim {
    /// The unknown of this name.
    pub fn symbol(name: &str) -> Self {
        Atom::Sym(Symbol::new(name)).into()
    }

    /// The value, if no symbol is involved.
    pub fn as_const(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// The symbol, if the expression is nothing but one.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match (&*self.terms, self.constant) {
            ([(mono, 1)], 0) => match &mono[..] {
                [Atom::Sym(symbol)] => Some(symbol),
                _ => None,
            },
            _ => None,
        }
    }

    /// The terms (product of atoms, coefficient) and the constant.
    pub fn parts(&self) -> (&[(Vec<Atom>, i64)], i64) {
        (&self.terms, self.constant)
    }

    fn from_map(map: BTreeMap<Monomial, i64>, constant: i64) -> Self {
        Dim { terms: map.into_iter().filter(|(_, c)| *c != 0).collect(), constant }
    }

    /// Quotient rounded towards negative infinity.
    pub fn floor_div(self, by: Dim) -> Dim {
        match (self.as_const(), by.as_const()) {
            (_, Some(1)) => return self,
            (Some(a), Some(b)) if a.checked_div(b).is_some() => {
                return Dim::from(a.div_euclid(b) - i64::from(b < 0 && a.rem_euclid(b) != 0));
            }
            (Some(0), _) => return self,
            (_, Some(b)) if b > 1 => {
                let (exact, rest) = self.split_multiples(b);
                if rest == Dim::from(0) {
                    return exact;
                }
                let rest_quotient = match rest.as_const() {
                    Some(c) => Dim::from(c.div_euclid(b)),
                    None => Atom::FloorDiv(rest, by).into(),
                };
                return exact + rest_quotient;
            }
            _ => {}
        }
        if self == by {
            return Dim::from(1);
        }
        if let Some(quotient) = self.exact_div(&by) {
            return quotient;
        }
        Atom::FloorDiv(self, by).into()
    }

    /// Splits into `b * exact + rest`, term by term.
    fn split_multiples(&self, b: i64) -> (Dim, Dim) {
        let (mut exact, mut rest) = (BTreeMap::new(), BTreeMap::new());
        for (mono, coeff) in self.terms.iter() {
            if coeff % b == 0 {
                exact.insert(mono.clone(), coeff / b);
            } else {
                rest.insert(mono.clone(), *coeff);
            }
        }
        (Dim::from_map(exact, self.constant.div_euclid(b)), Dim::from_map(rest, self.constant.rem_euclid(b)))
    }

    /// The quotient by a single term that divides every term, if there is one. It assumes the divisor is not zero.
    pub fn exact_div(&self, by: &Dim) -> Option<Dim> {
        if let Some(b) = by.as_const() {
            let (exact, rest) = if b > 0 {
                self.split_multiples(b)
            } else {
                return None;
            };
            return (rest == Dim::from(0)).then_some(exact);
        }
        if self == by {
            return Some(Dim::from(1));
        }
        let ([(divisor, coeff)], 0) = (&*by.terms, by.constant) else {
            return None;
        };
        if self.constant != 0 {
            return None;
        }
        let mut map = BTreeMap::new();
        for (mono, c) in self.terms.iter() {
            let mut left = mono.clone();
            for atom in divisor {
                let at = left.iter().position(|a| a == atom)?;
                left.remove(at);
            }
            if c.checked_rem(*coeff) != Some(0) {
                return None;
            }
            map.insert(left, c / coeff);
        }
        let constant = map.remove(&Vec::new()).unwrap_or(0);
        Some(Dim::from_map(map, constant))
    }

    /// Quotient rounded towards positive infinity.
    pub fn ceil_div(self, by: Dim) -> Dim {
        -((-self).floor_div(by))
    }

    /// Remainder of [`Dim::floor_div`].
    pub fn modulo(self, by: Dim) -> Dim {
        match (self.as_const(), by.as_const()) {
            (_, Some(1)) => Dim::from(0),
            (Some(_), Some(b)) if b != 0 => self.clone() - self.floor_div(by.clone()) * by,
            _ if self.exact_div(&by).is_some() => Dim::from(0),
            _ => Atom::Mod(self, by).into(),
        }
    }

    /// `then` where `a == b`, else `otherwise`.
    pub fn select_eq(a: Dim, b: Dim, then: Dim, otherwise: Dim) -> Dim {
        match (a.clone() - b.clone()).as_const() {
            Some(0) => then,
            Some(_) => otherwise,
            None if then == otherwise => then,
            None => Atom::SelectEq(Box::new([a, b, then, otherwise])).into(),
        }
    }

    /// The value under an assignment of symbols; `None` for an unassigned symbol, overflow or division by zero.
    pub fn eval(&self, lookup: &dyn Fn(&Symbol) -> Option<i64>) -> Option<i64> {
        let mut sum = self.constant;
        for (mono, coeff) in self.terms.iter() {
            let mut product = *coeff;
            for atom in mono {
                product = product.checked_mul(atom.eval(lookup)?)?;
            }
            sum = sum.checked_add(product)?;
        }
        Some(sum)
    }

    /// The expression with some symbols replaced.
    pub fn substitute(&self, lookup: &dyn Fn(&Symbol) -> Option<Dim>) -> Dim {
        self.terms.iter().fold(Dim::from(self.constant), |sum, (mono, coeff)| {
            sum + mono.iter().fold(Dim::from(*coeff), |product, atom| product * atom.substitute(lookup))
        })
    }

    /// Every symbol that occurs, in order of first occurrence.
    pub fn symbols(&self, out: &mut Vec<Symbol>) {
        for atom in self.terms.iter().flat_map(|(mono, _)| mono) {
            match atom {
                Atom::Sym(symbol) if !out.contains(symbol) => out.push(symbol.clone()),
                Atom::Sym(_) => {}
                other => other.operands().into_iter().for_each(|dim| dim.symbols(out)),
            }
        }
    }
}

impl Atom {
    fn operands(&self) -> Vec<&Dim> {
        match self {
            Atom::Sym(_) => vec![],
            Atom::FloorDiv(a, b) | Atom::Mod(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => {
                vec![a, b]
            }
            Atom::SelectEq(parts) => parts.iter().collect(),
        }
    }

    fn eval(&self, lookup: &dyn Fn(&Symbol) -> Option<i64>) -> Option<i64> {
        let floor_div = |a: i64, b: i64| {
            let quotient = a.checked_div(b)?;
            Some(quotient - i64::from(a % b != 0 && (a < 0) != (b < 0)))
        };
        Some(match self {
            Atom::Sym(symbol) => lookup(symbol)?,
            Atom::FloorDiv(a, b) => floor_div(a.eval(lookup)?, b.eval(lookup)?)?,
            Atom::Mod(a, b) => {
                let (a, b) = (a.eval(lookup)?, b.eval(lookup)?);
                a - floor_div(a, b)?.checked_mul(b)?
            }
            Atom::Min(a, b) => a.eval(lookup)?.min(b.eval(lookup)?),
            Atom::Max(a, b) => a.eval(lookup)?.max(b.eval(lookup)?),
            Atom::SelectEq(parts) => {
                let [a, b, then, otherwise] = &**parts;
                if a.eval(lookup)? == b.eval(lookup)? { then.eval(lookup)? } else { otherwise.eval(lookup)? }
            }
        })
    }

    fn substitute(&self, lookup: &dyn Fn(&Symbol) -> Option<Dim>) -> Dim {
        let sub = |dim: &Dim| dim.substitute(lookup);
        match self {
            Atom::Sym(symbol) => lookup(symbol).unwrap_or_else(|| self.clone().into()),
            Atom::FloorDiv(a, b) => sub(a).floor_div(sub(b)),
            Atom::Mod(a, b) => sub(a).modulo(sub(b)),
            Atom::Min(a, b) => sub(a).min(sub(b)),
            Atom::Max(a, b) => sub(a).max(sub(b)),
            Atom::SelectEq(parts) => {
                let [a, b, then, otherwise] = &**parts;
                Dim::select_eq(sub(a), sub(b), sub(then), sub(otherwise))
            }
        }
    }
}

impl std::ops::Add for Dim {
    type Output = Dim;
    fn add(self, other: Dim) -> Dim {
        let mut map: BTreeMap<Monomial, i64> = self.terms.iter().cloned().collect();
        for (mono, coeff) in other.terms.iter() {
            let sum = map.entry(mono.clone()).or_insert(0);
            *sum = sum.saturating_add(*coeff);
        }
        Dim::from_map(map, self.constant.saturating_add(other.constant))
    }
}

impl std::ops::Neg for Dim {
    type Output = Dim;
    fn neg(self) -> Dim {
        self * Dim::from(-1)
    }
}

impl std::ops::Sub for Dim {
    type Output = Dim;
    fn sub(self, other: Dim) -> Dim {
        self + (-other)
    }
}

impl std::ops::Mul for Dim {
    type Output = Dim;
    fn mul(self, other: Dim) -> Dim {
        let all = |dim: &Dim| {
            let constant = (dim.constant != 0).then(|| (Vec::new(), dim.constant));
            dim.terms.iter().cloned().chain(constant).collect::<Vec<(Monomial, i64)>>()
        };
        let mut map = BTreeMap::new();
        for (mono_a, a) in all(&self) {
            for (mono_b, b) in all(&other) {
                let mut mono = [mono_a.clone(), mono_b].concat();
                mono.sort();
                let sum: &mut i64 = map.entry(mono).or_insert(0);
                *sum = sum.saturating_add(a.saturating_mul(b));
            }
        }
        let constant = map.remove(&Vec::new()).unwrap_or(0);
        Dim::from_map(map, constant)
    }
}
