//! Order among expressions: the smaller, the larger, and the wider of two.

use crate::{Atom, Bounds, Dim};

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
}

/// The result of broadcasting two dimensions: equal ones stay, a literal 1 yields to the other.
///
/// `None` when both are different constants. Two different expressions that cannot be compared are taken
/// to be equal or 1 at run time: the result is the one that cannot be 1, or else the one that is not 1. Where neither can
/// be 0 this is the maximum of both, which is simpler.
pub fn broadcast_dims(a: &Dim, b: &Dim, bounds: &Bounds) -> Option<Dim> {
    match (a.as_const(), b.as_const()) {
        _ if a == b => Some(a.clone()),
        (Some(1), _) => Some(b.clone()),
        (_, Some(1)) => Some(a.clone()),
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some(a.clone()),
        (None, Some(_)) => Some(b.clone()),
        (None, None) => Some(wider(a, b, bounds)),
    }
}

fn wider(a: &Dim, b: &Dim, bounds: &Bounds) -> Dim {
    let at_least = |dim: &Dim, least: i64| bounds.is_non_negative_if_not_empty(&(dim.clone() - least.into()));
    match (at_least(a, 2), at_least(b, 2)) {
        // Both are the same size then: the shorter expression says it better.
        (true, true) if size(a) <= size(b) => a.clone(),
        (true, true) | (false, true) => b.clone(),
        (true, false) => a.clone(),
        (false, false) if at_least(&a.clone().min(b.clone()), 1) => a.clone().max(b.clone()),
        (false, false) => not_one(a, b),
    }
}

/// The one of two that is not 1; repeated ones are left out, so that long chains stay short.
fn not_one(a: &Dim, b: &Dim) -> Dim {
    if joined(a).contains(&b) {
        return a.clone();
    }
    if joined(b).contains(&a) {
        return b.clone();
    }
    Dim::select_eq(a.clone(), 1.into(), b.clone(), a.clone())
}

/// The dimensions that [`not_one`] made this one of.
fn joined(dim: &Dim) -> Vec<&Dim> {
    let mut all = vec![dim];
    if let ([(mono, 1)], 0) = dim.parts()
        && let [Atom::SelectEq(parts)] = &mono[..]
        && parts[1] == Dim::from(1)
        && parts[0] == parts[3]
    {
        all.extend(joined(&parts[0]));
        all.extend(joined(&parts[2]));
    }
    all
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

    fn not_empty() -> Bounds {
        let mut bounds = Bounds::default();
        ["N", "M"].into_iter().for_each(|name| bounds.assume_not_empty(Symbol::new(name)));
        bounds
    }

    #[test]
    fn broadcasting_prefers_what_cannot_be_one() {
        let bounds = not_empty();
        let half = (n() + 1.into()).floor_div(2.into());
        let doubled = half.clone() * 2.into();
        assert_eq!(broadcast_dims(&n(), &doubled, &bounds), Some(doubled.clone()));
        assert_eq!(broadcast_dims(&doubled, &n(), &bounds), Some(doubled));
        assert_eq!(broadcast_dims(&n(), &half, &bounds), Some(n().max(half)));
    }

    #[test]
    fn broadcasting_what_may_be_empty_is_exact() {
        let (m, k) = (Dim::symbol("M"), Dim::symbol("K"));
        let bounds = Bounds::default();
        let both = broadcast_dims(&n(), &m, &bounds).unwrap();
        for (x, y, expected) in [(0, 1, 0), (1, 0, 0), (0, 0, 0), (1, 5, 5), (5, 1, 5), (3, 3, 3), (1, 1, 1)] {
            assert_eq!(both.eval(&|s| Some(if s.name() == "N" { x } else { y })), Some(expected), "{x} and {y}");
        }
        // Chains of the same few symbols do not grow.
        assert_eq!(broadcast_dims(&both, &m, &bounds), Some(both.clone()));
        assert_eq!(broadcast_dims(&n(), &both, &bounds), Some(both.clone()));
        let three = broadcast_dims(&both, &k, &bounds).unwrap();
        assert_eq!(
            [n(), m, k].map(|dim| broadcast_dims(&three, &dim, &bounds).unwrap()),
            [(); 3].map(|()| three.clone())
        );
        assert!(bounds.assumed().is_empty());
    }

    #[test]
    fn what_a_maximum_assumes_is_recorded() {
        let bounds = not_empty();
        assert_eq!(broadcast_dims(&n(), &Dim::symbol("M"), &bounds), Some(n().max(Dim::symbol("M"))));
        assert_eq!(bounds.assumed().len(), 2);
    }
}
