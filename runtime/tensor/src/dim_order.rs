//! Order among expressions: the smaller and the larger of two, and what bounds an expression from below.

use crate::{Atom, Dim};

/// Which of two is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extreme {
    Min,
    Max,
}

impl Extreme {
    fn atom(self, a: Dim, b: Dim) -> Atom {
        match self {
            Extreme::Min => Atom::Min(a, b),
            Extreme::Max => Atom::Max(a, b),
        }
    }

    fn other(self) -> Extreme {
        match self {
            Extreme::Min => Extreme::Max,
            Extreme::Max => Extreme::Min,
        }
    }

    /// The operands, if the expression is nothing but this extreme of two.
    fn operands(self, dim: &Dim) -> Option<(&Dim, &Dim)> {
        let ([(mono, 1)], 0) = dim.parts() else {
            return None;
        };
        match (self, &mono[..]) {
            (Extreme::Min, [Atom::Min(a, b)]) | (Extreme::Max, [Atom::Max(a, b)]) => Some((a, b)),
            _ => None,
        }
    }

    /// All operands of nested ones.
    fn flatten(self, dim: &Dim, out: &mut Vec<Dim>) {
        match self.operands(dim) {
            Some((a, b)) => {
                self.flatten(a, out);
                self.flatten(b, out);
            }
            None => out.push(dim.clone()),
        }
    }

    /// Whether `a` makes `b` superfluous.
    fn beats(self, a: &Dim, b: &Dim) -> bool {
        if let Some(difference) = (a.clone() - b.clone()).as_const() {
            return match self {
                Extreme::Min => difference <= 0,
                Extreme::Max => difference >= 0,
            };
        }
        // max(a, min(a, c)) = a, and the same with both exchanged.
        let mut inside = Vec::new();
        self.other().flatten(b, &mut inside);
        inside.len() > 1 && inside.contains(a)
    }

    fn of(self, a: Dim, b: Dim) -> Dim {
        let mut all = Vec::new();
        self.flatten(&a, &mut all);
        self.flatten(&b, &mut all);
        all.sort();
        let mut kept: Vec<Dim> = Vec::new();
        for dim in all {
            if !kept.iter().any(|k| self.beats(k, &dim)) {
                kept.retain(|k| !self.beats(&dim, k));
                kept.push(dim);
            }
        }
        let last = kept.pop().unwrap_or(a);
        kept.into_iter().rev().fold(last, |rest, dim| self.atom(dim, rest).into())
    }
}

impl Dim {
    /// The smaller of two.
    ///
    /// ```
    /// # use tensor::Dim;
    /// let n = Dim::symbol("N");
    /// assert_eq!(n.clone().min(n.clone().max(4.into())), n);
    /// ```
    pub fn min(self, other: Dim) -> Dim {
        Extreme::Min.of(self, other)
    }

    /// The larger of two.
    pub fn max(self, other: Dim) -> Dim {
        Extreme::Max.of(self, other)
    }

    /// A number that the value is not below, if every symbol is at least 1; `None` where none can be told.
    pub fn lower_bound(&self) -> Option<i64> {
        let (terms, constant) = self.parts();
        terms.iter().try_fold(constant, |sum, (mono, coeff)| {
            if *coeff < 0 {
                return None;
            }
            let least = mono.iter().try_fold(*coeff, |product, atom| {
                let bound = atom.lower_bound().filter(|bound| *bound >= 0)?;
                product.checked_mul(bound)
            });
            sum.checked_add(least?)
        })
    }
}

impl Atom {
    fn lower_bound(&self) -> Option<i64> {
        match self {
            Atom::Sym(_) => Some(1),
            Atom::FloorDiv(a, b) => {
                let by = b.as_const().filter(|by| *by > 0);
                match by {
                    Some(by) => Some(a.lower_bound()?.div_euclid(by)),
                    None => (a.lower_bound()? >= 0 && b.lower_bound()? > 0).then_some(0),
                }
            }
            Atom::Mod(_, b) => (b.lower_bound()? > 0).then_some(0),
            Atom::Min(a, b) => Some(a.lower_bound()?.min(b.lower_bound()?)),
            Atom::Max(a, b) => match (a.lower_bound(), b.lower_bound()) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            },
            Atom::SelectEq(parts) => Some(parts[2].lower_bound()?.min(parts[3].lower_bound()?)),
        }
    }
}

/// The result of broadcasting two dimensions: equal ones stay, a literal 1 yields to the other.
///
/// `None` when both are different constants. Two different expressions that cannot be compared are taken
/// to be equal or 1 at run time: the result is the one that cannot be 1, or else the maximum of both.
pub fn broadcast_dims(a: &Dim, b: &Dim) -> Option<Dim> {
    match (a.as_const(), b.as_const()) {
        _ if a == b => Some(a.clone()),
        (Some(1), _) => Some(b.clone()),
        (_, Some(1)) => Some(a.clone()),
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some(a.clone()),
        (None, Some(_)) => Some(b.clone()),
        (None, None) => Some(wider(a, b)),
    }
}

fn wider(a: &Dim, b: &Dim) -> Dim {
    let more_than_one = |dim: &Dim| dim.lower_bound().is_some_and(|bound| bound > 1);
    match (more_than_one(a), more_than_one(b)) {
        // Both are the same size then: the shorter expression says it better.
        (true, true) if size(a) <= size(b) => a.clone(),
        (true, true) | (false, true) => b.clone(),
        (true, false) => a.clone(),
        (false, false) => a.clone().max(b.clone()),
    }
}

/// How long an expression is: the number of symbols in it, repeated ones included.
fn size(dim: &Dim) -> usize {
    let (terms, _) = dim.parts();
    let atoms = terms.iter().flat_map(|(mono, _)| mono);
    atoms
        .map(|atom| match atom {
            Atom::Sym(_) => 1,
            Atom::FloorDiv(a, b) | Atom::Mod(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => 1 + size(a) + size(b),
            Atom::SelectEq(parts) => 1 + parts.iter().map(size).sum::<usize>(),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Symbol;

    fn n() -> Dim {
        Dim::symbol("N")
    }

    #[test]
    fn extremes_absorb_and_do_not_repeat() {
        let (m, limit) = (Dim::symbol("M"), Dim::from(512));
        let shorter = n().min(limit.clone());
        assert_eq!(n().max(shorter.clone()), n());
        assert_eq!(shorter.clone().max(n()), n());
        let both = n().max(m.clone());
        assert_eq!(both.clone().max(n()), both);
        assert_eq!(both.clone().max(m), both);
        assert_eq!(n().max(n() + 1.into()), n() + 1.into());
        assert_eq!(n().max(3.into()).max(5.into()), n().max(5.into()));
    }

    #[test]
    fn extremes_evaluate_as_on_numbers() {
        let m = Dim::symbol("M");
        let all = [n(), m.clone(), 2.into(), n().min(m.clone()), n().max(2.into()), n() + 1.into()];
        for a in &all {
            for b in &all {
                for (x, y) in [(1, 1), (1, 4), (3, 2), (2, 5)] {
                    let at = |dim: &Dim| {
                        let value = |s: &Symbol| Some(if s.name() == "N" { x } else { y });
                        dim.eval(&value).unwrap()
                    };
                    assert_eq!(at(&a.clone().max(b.clone())), at(a).max(at(b)), "max({a}, {b})");
                    assert_eq!(at(&a.clone().min(b.clone())), at(a).min(at(b)), "min({a}, {b})");
                }
            }
        }
    }

    #[test]
    fn broadcasting_prefers_what_cannot_be_one() {
        let half = (n() + 1.into()).floor_div(2.into());
        assert_eq!(half.lower_bound(), Some(1));
        let doubled = half.clone() * 2.into();
        assert_eq!(broadcast_dims(&n(), &doubled), Some(doubled.clone()));
        assert_eq!(broadcast_dims(&doubled, &n()), Some(doubled));
        assert_eq!((n() - 1.into()).lower_bound(), Some(0));
        assert_eq!((Dim::from(4) - n()).lower_bound(), None);
        assert_eq!(broadcast_dims(&n(), &half), Some(n().max(half)));
    }
}
