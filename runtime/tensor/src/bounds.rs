//! What is known of the values of symbols before a run: promised ranges, and the assumption that tensors are not empty.

use crate::{Atom, Dim, Symbol};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The numbers from `low` to `high`, both included; without `high` there is no upper end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The smallest value.
    pub low: i64,
    /// The largest value.
    pub high: Option<i64>,
}

impl Range {
    /// Any size: 0 and more.
    pub const SIZE: Range = Range { low: 0, high: None };

    /// Whether it holds a value.
    pub fn contains(self, value: i64) -> bool {
        self.low <= value && self.high.is_none_or(|high| value <= high)
    }

    /// The value of the range that is nearest to this one.
    pub fn nearest(self, value: i64) -> i64 {
        value.max(self.low).min(self.high.unwrap_or(i64::MAX))
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.high {
            Some(high) => write!(f, "{}..{high}", self.low),
            None => write!(f, "{}..", self.low),
        }
    }
}

/// Facts on symbols.
///
/// Every symbol is at least 0. For some a range is promised, which whoever runs the program must check. Of others it may be
/// assumed that they are at least 1, because most models make no sense on empty tensors; this is recorded, so that what
/// was assumed can be checked too.
///
/// ```
/// # use tensor::{Bounds, Dim, Range, Symbol};
/// let (n, m) = (Symbol::new("N"), Symbol::new("M"));
/// let less_one = |symbol: &Symbol| Dim::symbol(symbol.name()) - 1.into();
/// let mut bounds = Bounds::default();
/// bounds.promise(n.clone(), Range { low: 2, high: Some(8) });
/// bounds.assume_not_empty(m.clone());
/// assert!(bounds.is_non_negative(&less_one(&n)));
/// assert!(!bounds.is_non_negative(&less_one(&m)));
/// assert!(bounds.is_non_negative_if_not_empty(&less_one(&m)));
/// assert_eq!(bounds.assumed(), [m].into());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    promised: BTreeMap<Symbol, Range>,
    may_assume: BTreeSet<Symbol>,
    /// Shared by all copies: the graphs of regions are built with copies, and their assumptions are those of the model.
    assumed: Arc<Mutex<BTreeSet<Symbol>>>,
}

/// A lower and an upper end; `None` where none is known.
type Interval = (Option<i64>, Option<i64>);

impl Bounds {
    /// States that the symbol is in this range. Whoever runs the program must check it.
    pub fn promise(&mut self, symbol: Symbol, range: Range) {
        self.promised.insert(symbol, range);
    }

    /// Allows to assume that the symbol is at least 1, if nothing is promised of it.
    pub fn assume_not_empty(&mut self, symbol: Symbol) {
        self.may_assume.insert(symbol);
    }

    /// The ranges that were promised.
    pub fn promised(&self) -> &BTreeMap<Symbol, Range> {
        &self.promised
    }

    /// The symbols that were assumed to be at least 1.
    pub fn assumed(&self) -> BTreeSet<Symbol> {
        self.record().clone()
    }

    fn record(&self) -> MutexGuard<'_, BTreeSet<Symbol>> {
        // Symbols are added one by one, so the set is whole even after a panic.
        self.assumed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certain(&self, symbol: &Symbol) -> Range {
        self.promised.get(symbol).copied().unwrap_or(Range::SIZE)
    }

    fn likely(&self, symbol: &Symbol) -> Range {
        let is_assumed = self.may_assume.contains(symbol) && !self.promised.contains_key(symbol);
        if is_assumed { Range { low: 1, high: None } } else { self.certain(symbol) }
    }

    /// Whether the expression is certainly not negative.
    pub fn is_non_negative(&self, dim: &Dim) -> bool {
        holds(dim, &|symbol| self.certain(symbol))
    }

    /// The same, with the assumption that tensors are not empty; it is recorded if it was needed.
    pub fn is_non_negative_if_not_empty(&self, dim: &Dim) -> bool {
        if self.is_non_negative(dim) {
            return true;
        }
        if !holds(dim, &|symbol| self.likely(symbol)) {
            return false;
        }
        let mut symbols = vec![];
        dim.symbols(&mut symbols);
        self.record().extend(symbols.into_iter().filter(|symbol| self.likely(symbol) != self.certain(symbol)));
        true
    }

    /// The smaller of two.
    pub fn min(&self, a: Dim, b: Dim) -> Dim {
        if self.is_non_negative(&(b.clone() - a.clone())) {
            a
        } else if self.is_non_negative(&(a.clone() - b.clone())) {
            b
        } else {
            a.min(b)
        }
    }

    /// The larger of two.
    pub fn max(&self, a: Dim, b: Dim) -> Dim {
        if self.is_non_negative(&(a.clone() - b.clone())) {
            a
        } else if self.is_non_negative(&(b.clone() - a.clone())) {
            b
        } else {
            a.max(b)
        }
    }
}

/// Whether an expression cannot be negative, given that symbols are sizes: at least 0.
pub fn is_non_negative(dim: &Dim) -> bool {
    let (terms, constant) = dim.parts();
    constant >= 0 && terms.iter().all(|(mono, coeff)| *coeff >= 0 && mono.iter().all(atom_is_non_negative))
}

fn atom_is_non_negative(atom: &Atom) -> bool {
    match atom {
        Atom::Sym(_) => true,
        Atom::FloorDiv(a, b) => is_non_negative(a) && is_non_negative(b),
        Atom::Mod(_, b) => is_non_negative(b),
        Atom::Min(a, b) => is_non_negative(a) && is_non_negative(b),
        Atom::Max(a, b) => is_non_negative(a) || is_non_negative(b),
        Atom::SelectEq(parts) => is_non_negative(&parts[2]) && is_non_negative(&parts[3]),
    }
}

/// Extremes inside of extremes are followed so far.
const MAX_DEPTH: usize = 4;

/// Whether an expression is not negative with symbols in these ranges.
fn holds(dim: &Dim, range: &dyn Fn(&Symbol) -> Range) -> bool {
    holds_simply(dim, range) || by_cases(dim, range, MAX_DEPTH)
}

/// A sum with an extreme in it is one of two sums without: `x - max(a, b)` is not negative if `x - a` and `x - b` are not.
fn by_cases(dim: &Dim, range: &dyn Fn(&Symbol) -> Range, depth: usize) -> bool {
    let both = |mono: &[Atom], coeff: i64| match (mono, coeff.signum()) {
        ([Atom::Max(a, b)], -1) | ([Atom::Min(a, b)], 1) => Some((a.clone(), b.clone())),
        _ => None,
    };
    let found = dim.parts().0.iter().find_map(|(mono, coeff)| Some((mono, *coeff, both(mono, *coeff)?)));
    let Some((mono, coeff, (a, b))) = found.filter(|_| depth > 0) else {
        return false;
    };
    let extreme: Dim = mono.iter().fold(Dim::from(1), |product, atom| product * atom.clone().into());
    [a, b].into_iter().all(|case| {
        let sum = dim.clone() + (case - extreme.clone()) * coeff.into();
        holds_simply(&sum, range) || by_cases(&sum, range, depth - 1)
    })
}

fn holds_simply(dim: &Dim, range: &dyn Fn(&Symbol) -> Range) -> bool {
    // What a symbol is beyond its lower end is a size again: this sees that N*M - N is not negative where M >= 1. Ends of
    // intervals see upper ends, but not that two terms move together.
    let beyond = |symbol: &Symbol| Some(Dim::symbol(symbol.name()) + range(symbol).low.into());
    is_non_negative(&dim.substitute(&beyond)) || interval(dim, range).0.is_some_and(|low| low >= 0)
}

fn interval(dim: &Dim, range: &dyn Fn(&Symbol) -> Range) -> Interval {
    let (terms, constant) = dim.parts();
    let add = |a: Option<i64>, b: Option<i64>| a?.checked_add(b?);
    terms.iter().fold((Some(constant), Some(constant)), |sum, (mono, coeff)| {
        let (low, high) = product(mono, range);
        let times = |end: Option<i64>| end?.checked_mul(*coeff);
        let (low, high) = if *coeff >= 0 { (times(low), times(high)) } else { (times(high), times(low)) };
        (add(sum.0, low), add(sum.1, high))
    })
}

fn product(mono: &[Atom], range: &dyn Fn(&Symbol) -> Range) -> Interval {
    let all: Vec<Interval> = mono.iter().map(|atom| atom_interval(atom, range)).collect();
    match all[..] {
        [one] => one,
        // Signs could change the order of ends; products of sizes are all that is needed.
        _ if all.iter().any(|(low, _)| low.is_none_or(|low| low < 0)) => (None, None),
        _ => {
            let times = |a: Option<i64>, b: Option<i64>| a?.checked_mul(b?);
            all.iter().fold((Some(1), Some(1)), |(low, high), (l, h)| (times(low, *l), times(high, *h)))
        }
    }
}

fn atom_interval(atom: &Atom, range: &dyn Fn(&Symbol) -> Range) -> Interval {
    let of = |dim: &Dim| interval(dim, range);
    let both = |a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64| Some(pick(a?, b?));
    let any = |a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64| match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (a, b) => a.or(b),
    };
    match atom {
        Atom::Sym(symbol) => {
            let Range { low, high } = range(symbol);
            (Some(low), high)
        }
        Atom::FloorDiv(a, b) => {
            let ((low, high), divisor) = (of(a), of(b).0);
            match b.as_const().filter(|by| *by > 0) {
                Some(by) => (low.map(|low| low.div_euclid(by)), high.map(|high| high.div_euclid(by))),
                None if low.is_some_and(|low| low >= 0) && divisor.is_some_and(|by| by > 0) => (Some(0), high),
                None => (None, None),
            }
        }
        Atom::Mod(_, b) => match of(b) {
            (Some(low), high) if low > 0 => (Some(0), high.map(|high| high - 1)),
            _ => (None, None),
        },
        Atom::Min(a, b) => {
            let (a, b) = (of(a), of(b));
            (both(a.0, b.0, i64::min), any(a.1, b.1, i64::min))
        }
        Atom::Max(a, b) => {
            let (a, b) = (of(a), of(b));
            (any(a.0, b.0, i64::max), both(a.1, b.1, i64::max))
        }
        Atom::SelectEq(parts) => {
            let (then, otherwise) = (of(&parts[2]), of(&parts[3]));
            (both(then.0, otherwise.0, i64::min), both(then.1, otherwise.1, i64::max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(low: i64, high: Option<i64>) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.promise(Symbol::new("N"), Range { low, high });
        bounds
    }

    fn n() -> Dim {
        Dim::symbol("N")
    }

    #[test]
    fn nothing_is_claimed_that_a_value_of_the_range_refutes() {
        let m = Dim::symbol("M");
        let half = (n() + 1.into()).floor_div(2.into());
        let rest = (n() - 1.into()).max(0.into());
        let atoms = [rest, n(), m.clone(), half.clone(), n().modulo(3.into()), n().min(m.clone()), n().max(4.into())];
        let mut dims = vec![Dim::select_eq(n(), m, 3.into(), 0.into()) - 1.into()];
        for a in &atoms {
            for b in &atoms {
                dims.extend([a.clone() - b.clone(), a.clone() * b.clone() - n(), Dim::from(6) - a.clone() * b.clone()]);
            }
        }
        for (low, high) in [(0, 0), (0, 3), (1, 4), (2, 5)] {
            let bounds = bounds(low, Some(high));
            for dim in &dims {
                let at = |n: i64, m: i64| dim.eval(&|s| Some(if s.name() == "N" { n } else { m })).unwrap();
                let least = (low..=high).flat_map(|n| (0..7).map(move |m| at(n, m))).min().unwrap();
                assert!(least >= 0 || !bounds.is_non_negative(dim), "{dim} is {least} with N in {low}..{high}");
            }
        }
    }

    #[test]
    fn ends_of_ranges_decide() {
        assert!(bounds(1, None).is_non_negative(&(n() - 1.into())));
        assert!(!bounds(0, Some(64)).is_non_negative(&(n() - 1.into())));
        assert!(bounds(0, Some(64)).is_non_negative(&(Dim::from(64) - n())));
        assert!(!bounds(0, Some(65)).is_non_negative(&(Dim::from(64) - n())));
        assert_eq!(bounds(0, Some(64)).min(n(), 64.into()), n());
        assert_eq!(bounds(7, None).max(n(), 7.into()), n());
        assert_eq!(bounds(0, None).min(n(), 64.into()), n().min(64.into()));
        let rest = (n() - 1.into()).max(0.into());
        assert_eq!(bounds(0, None).min(n(), rest.clone()), rest);
    }

    #[test]
    fn an_assumption_is_recorded_only_where_it_was_needed() {
        let mut bounds = Bounds::default();
        bounds.assume_not_empty(Symbol::new("N"));
        assert!(bounds.is_non_negative_if_not_empty(&(n() * 2.into())));
        assert!(!bounds.is_non_negative_if_not_empty(&(n() - 2.into())));
        assert!(!bounds.is_non_negative_if_not_empty(&(Dim::symbol("M") - 1.into())));
        assert!(bounds.assumed().is_empty());
        let copy = bounds.clone();
        assert!(copy.is_non_negative_if_not_empty(&(n() - 1.into())));
        assert_eq!(bounds.assumed().len(), 1);
        bounds.promise(Symbol::new("N"), Range::SIZE);
        assert!(!bounds.is_non_negative_if_not_empty(&(n() - 1.into())));
    }

    #[test]
    fn ranges_of_numbers() {
        let range = Range { low: 2, high: Some(4) };
        assert_eq!([1, 2, 4, 5].map(|v| range.contains(v)), [false, true, true, false]);
        assert_eq!([1, 3, 9].map(|v| range.nearest(v)), [2, 3, 4]);
        assert_eq!(format!("{range} {}", Range::SIZE), "2..4 0..");
    }
}
