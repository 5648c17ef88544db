//! Contractions: views vanish into their axes, arithmetic with constants into their weights.

use super::{Action, Match, Rule, sample};
use crate::Exactness;
use crate::egraph::Eg;
use crate::shapes::{inverse, others};
use egg::Id;
use ops::{Binary, BinaryKind::*, Broadcast, Dot, Op, Transpose};
use tensor::{DType, Dim};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "dot-of-transposed-left",
        exactness: Exactness::KERNEL,
        algebra: "dot(transpose x, y) = transpose' dot'(x, y)",
        action: Action::Compute("(dot ?d (transpose ?p ?x) ?y)", |eg, m| {
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let free = others(perm.len(), &[&dot.lhs_batch[..], &dot.lhs_contract].concat());
            let turned = Dot {
                lhs_batch: mapped(&dot.lhs_batch, &perm),
                lhs_contract: mapped(&dot.lhs_contract, &perm),
                ..dot.clone()
            };
            let product = eg.emit(turned, &[m.id("?x"), m.id("?y")])?;
            let n_right = eg.rank(product) - dot.lhs_batch.len() - free.len();
            let order = result_order(dot.lhs_batch.len(), &mapped(&free, &perm), 0, n_right);
            eg.transpose(product, order)
        }),
        example: |s| {
            let (x, y) = (s.x(&[4, 2, 3, 5]), s.x(&[4, 5]));
            let x = s.transpose(x, &[2, 3, 1, 0])?;
            s.matmul(x, y)
        },
    },
    Rule {
        name: "dot-of-transposed-right",
        exactness: Exactness::KERNEL,
        algebra: "dot(x, transpose y) = transpose' dot'(x, y)",
        action: Action::Compute("(dot ?d ?x (transpose ?p ?y))", |eg, m| {
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let free = others(perm.len(), &[&dot.rhs_batch[..], &dot.rhs_contract].concat());
            let turned = Dot {
                rhs_batch: mapped(&dot.rhs_batch, &perm),
                rhs_contract: mapped(&dot.rhs_contract, &perm),
                ..dot.clone()
            };
            let product = eg.emit(turned, &[m.id("?x"), m.id("?y")])?;
            let n_left = eg.rank(product) - dot.lhs_batch.len() - free.len();
            let order = result_order(dot.lhs_batch.len(), &mapped(&free, &perm), n_left, 0);
            eg.transpose(product, order)
        }),
        example: |s| {
            let (x, y) = (s.x(&[3, 4]), s.x(&[2, 4, 5, 3]));
            let y = s.transpose(y, &[1, 2, 3, 0])?;
            s.matmul(x, y)
        },
    },
    Rule {
        name: "transpose-of-dot",
        exactness: Exactness::KERNEL,
        algebra: "transpose dot(x, y) = dot(y, x), where it swaps rows and columns",
        action: Action::Compute("(transpose ?p (dot ?d ?x ?y))", |eg, m| {
            let (x, y, dot) = (m.id("?x"), m.id("?y"), eg.attr::<Dot>(m.id("?d"))?);
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let n_batch = dot.lhs_batch.len();
            let n_left = eg.rank(x) - n_batch - dot.lhs_contract.len();
            let swapped = (0..n_batch).chain(n_batch + n_left..perm.len()).chain(n_batch..n_batch + n_left);
            swapped.eq(perm.iter().copied()).then_some(())?;
            let flipped = Dot {
                lhs_batch: dot.rhs_batch,
                rhs_batch: dot.lhs_batch,
                lhs_contract: dot.rhs_contract,
                rhs_contract: dot.lhs_contract,
                out: dot.out,
            };
            eg.emit(flipped, &[y, x])
        }),
        example: |s| {
            let (x, y) = (s.x(&[2, 4]), s.x(&[4, 5]));
            let z = s.matmul(x, y)?;
            s.transpose(z, &[1, 0])
        },
    },
    Rule {
        name: "scale-of-dot",
        exactness: Exactness::REROUNDS,
        algebra: "dot(x, w) * g = dot(x, w * g), for constants w and g, g along the columns",
        action: Action::Compute("(mul (dot ?d ?x ?w) ?g)", |eg, m| {
            let (x, w, g) = (m.id("?x"), m.id("?w"), m.id("?g"));
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let known = eg.has_with_constant(m.root, &dot.clone().into(), x);
            (!known && foldable_weight(eg, x, w) && same_float(eg, &dot, x, w)).then_some(())?;
            let free = others(eg.rank(w), &[&dot.rhs_batch[..], &dot.rhs_contract].concat());
            let first = eg.rank(g).checked_sub(free.len())?;
            let columns: Vec<usize> = (first..eg.rank(g)).collect();
            let factors = eg.core_along(g, &columns)?;
            let scaled = scaled_weight(eg, w, factors, first, &free)?;
            eg.emit(dot, &[x, scaled])
        }),
        example: |s| {
            let (x, w) = (s.x(&[2, 4]), s.weight(&[4, 5])?);
            let y = s.matmul(x, w)?;
            let g = s.spread(&[5], y)?;
            s.binary(Mul, y, g)
        },
    },
    Rule {
        name: "dot-of-scaled",
        exactness: Exactness::REROUNDS,
        algebra: "dot(x * g, w) = dot(x, g * w), for constants w and g, g along the sum",
        action: Action::Compute("(dot ?d (mul ?x ?g) ?w)", |eg, m| {
            let (x, w, g) = (m.id("?x"), m.id("?w"), m.id("?g"));
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let known = eg.has_with_constant(m.root, &dot.clone().into(), x);
            (!known && foldable_weight(eg, x, w) && same_float(eg, &dot, x, w)).then_some(())?;
            let factors = eg.core_along(g, &dot.lhs_contract)?;
            let scaled = contracted_scale(eg, &dot, w, factors)?;
            eg.emit(dot, &[x, scaled])
        }),
        example: |s| {
            let (x, w) = (s.x(&[2, 3, 4]), s.weight(&[4, 5])?);
            let g = s.spread(&[4], x)?;
            let x = s.binary(Mul, x, g)?;
            s.matmul(x, w)
        },
    },
    Rule {
        name: "dot-of-shifted",
        exactness: Exactness::REROUNDS,
        algebra: "dot(x + b, w) = dot(x, w) + dot(b, w), for constants w and b, b along the sum",
        action: Action::Compute("(dot ?d (add ?x ?b) ?w)", |eg, m| {
            let (x, w, b) = (m.id("?x"), m.id("?w"), m.id("?b"));
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let plain = dot.lhs_batch.is_empty() && !eg.is_zero(b);
            (plain && foldable_weight(eg, x, w) && same_float(eg, &dot, x, w)).then_some(())?;
            let shift = eg.core_along(b, &dot.lhs_contract)?;
            let mut shape = eg.shape(shift).to_vec();
            for axis in &dot.lhs_contract {
                shape[*axis] = eg.shape(x)[*axis].clone();
            }
            let shift = eg.broadcast(shift, &shape)?;
            let constant = eg.emit(dot.clone(), &[shift, w])?;
            eg.is_weight(constant).then_some(())?;
            let product = eg.emit(dot, &[x, w])?;
            let add = Op::from(Binary { kind: Add });
            (!eg.has_with_constant(m.root, &add, product)).then_some(())?;
            let shape = eg.shape(product).to_vec();
            let constant = eg.broadcast(constant, &shape)?;
            eg.binary(Add, product, constant)
        }),
        example: |s| {
            let (x, w) = (s.x(&[2, 3, 4]), s.weight(&[4, 5])?);
            let b = s.spread(&[4], x)?;
            let x = s.binary(Add, x, b)?;
            s.matmul(x, w)
        },
    },
    Rule {
        name: "sum-of-dots",
        exactness: Exactness::REROUNDS,
        algebra: "dot(x, v) + dot(x, w) = dot(x, v + w), for constants v and w",
        action: Action::Compute("(add (dot ?d ?x ?v) (dot ?d ?x ?w))", |eg, m| {
            let (x, v, w) = (m.id("?x"), m.id("?v"), m.id("?w"));
            (foldable_weight(eg, x, v) && eg.is_weight(w) && eg.shape(v) == eg.shape(w)).then_some(())?;
            let sum = eg.binary(Add, v, w)?;
            eg.is_weight(sum).then_some(())?;
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            eg.emit(dot, &[x, sum])
        }),
        example: |s| {
            let (x, v, w) = (s.x(&[2, 4]), s.weight(&[4, 5])?, s.weight(&[4, 5])?);
            let (a, b) = (s.matmul(x, v)?, s.matmul(x, w)?);
            s.binary(Add, a, b)
        },
    },
    Rule {
        name: "dot-of-dot",
        exactness: Exactness::REROUNDS,
        algebra: "(x . v) . w = x . (v . w), for matrices v and w of constants",
        action: Action::Compute("(dot ?b (dot ?a ?x ?v) ?w)", of_dot),
        example: |s| {
            let (x, v, w) = (s.x(&[2, 3]), s.weight(&[3, 4])?, s.weight(&[4, 2])?);
            let y = s.matmul(x, v)?;
            s.matmul(y, w)
        },
    },
    Rule {
        name: "dot-of-repeated-weights",
        exactness: Exactness::KERNEL,
        algebra: "batched dot(x, broadcast w) = dot(x, w) without batch axes",
        action: Action::Compute("(dot ?d ?x (broadcast ?b ?w))", without_batch),
        example: |s| {
            let (x, w) = (s.x(&[2, 3, 4]), s.x(&[4, 5]));
            let w = s.broadcast(w, &[2, 4, 5])?;
            let dot = Dot { lhs_batch: vec![0], rhs_batch: vec![0], ..sample::dot(&[2], &[1], DType::F32) };
            s.emit(dot, &[x, w])
        },
    },
];

fn mapped(axes: &[usize], perm: &[usize]) -> Vec<usize> {
    axes.iter().map(|axis| perm[*axis]).collect()
}

/// The permutation of a product's axes that puts one operand's free axes, which now come in ascending order, where
/// they were before. `skipped` axes lie between the batch axes and them, `rest` axes behind.
fn result_order(n_batch: usize, free: &[usize], skipped: usize, rest: usize) -> Vec<usize> {
    let mut ascending: Vec<usize> = (0..free.len()).collect();
    ascending.sort_by_key(|idx| free[*idx]);
    let at = n_batch + skipped;
    let moved = inverse(&ascending).into_iter().map(|idx| at + idx);
    let end = at + free.len();
    (0..at).chain(moved).chain(end..end + rest).collect()
}

/// Whether a contraction's right side can take up constants: it is one, and the left side is not.
fn foldable_weight(eg: &Eg, x: Id, w: Id) -> bool {
    eg.is_weight(w) && !eg.is_constant(x) && eg.is_float(w)
}

/// Whether operands and result have one float type, so that factors may move between them.
fn same_float(eg: &Eg, dot: &Dot, x: Id, w: Id) -> bool {
    eg.dtype(x) == Some(dot.out) && eg.dtype(w) == Some(dot.out)
}

/// The weights times factors that lie along some of their axes: factor axis `first + i` along axis `axes[i]`.
fn scaled_weight(eg: &mut Eg, w: Id, factors: Id, first: usize, axes: &[usize]) -> Option<Id> {
    let mut shape = vec![Dim::from(1); eg.rank(w)];
    for (idx, axis) in axes.iter().enumerate() {
        shape[*axis] = eg.shape(factors)[first + idx].clone();
    }
    let factors = eg.reshape(factors, shape)?;
    let full = eg.shape(w).to_vec();
    let factors = eg.broadcast(factors, &full)?;
    let scaled = eg.binary(Mul, w, factors)?;
    eg.is_weight(scaled).then_some(scaled)
}

/// The weights times factors along the contracted axes of the left side.
fn contracted_scale(eg: &mut Eg, dot: &Dot, w: Id, factors: Id) -> Option<Id> {
    // Bring the contracted axes of the factors into the order of the right side's axes.
    let mut order: Vec<usize> = (0..dot.rhs_contract.len()).collect();
    order.sort_by_key(|idx| dot.rhs_contract[*idx]);
    let contracted: Vec<usize> = order.iter().map(|idx| dot.lhs_contract[*idx]).collect();
    let rest = others(eg.rank(factors), &contracted);
    let perm = [&rest[..], &contracted].concat();
    let factors = eg.transpose(factors, perm)?;
    let axes: Vec<usize> = order.iter().map(|idx| dot.rhs_contract[*idx]).collect();
    scaled_weight(eg, w, factors, rest.len(), &axes)
}

fn of_dot(eg: &mut Eg, m: &Match) -> Option<Id> {
    let (x, v, w) = (m.id("?x"), m.id("?v"), m.id("?w"));
    let (a, b) = (eg.attr::<Dot>(m.id("?a"))?, eg.attr::<Dot>(m.id("?b"))?);
    let matrices = eg.rank(v) == 2 && eg.rank(w) == 2 && eg.is_weight(v) && eg.is_weight(w);
    let plain = a.lhs_batch.is_empty() && b.lhs_batch.is_empty();
    let last = eg.rank(x) - a.lhs_contract.len().min(eg.rank(x));
    let chained = a.rhs_contract.len() == 1 && b.lhs_contract == [last] && a.out == b.out;
    (matrices && plain && chained && !eg.is_constant(x) && same_float(eg, &a, x, v)).then_some(())?;
    let kept = 1 - a.rhs_contract[0];
    let inner = Dot { lhs_contract: vec![kept], ..b.clone() };
    let product = eg.emit(inner, &[v, w])?;
    eg.is_weight(product).then_some(())?;
    let outer = Dot { rhs_contract: vec![0], ..a };
    eg.emit(outer, &[x, product])
}

fn without_batch(eg: &mut Eg, m: &Match) -> Option<Id> {
    let (x, w, dot) = (m.id("?x"), m.id("?w"), eg.attr::<Dot>(m.id("?d"))?);
    let repeated = eg.attr::<Broadcast>(m.id("?b"))?.shape;
    let n_batch = dot.lhs_batch.len();
    // Batch axes must lead on both sides, in order: then they become rows without a transpose.
    let leads = |axes: &[usize]| axes.iter().copied().eq(0..n_batch);
    (n_batch > 0 && leads(&dot.lhs_batch) && leads(&dot.rhs_batch)).then_some(())?;
    let missing = repeated.len().checked_sub(eg.rank(w))?;
    let single = |axis: usize| axis < missing || eg.shape(w)[axis - missing] == Dim::from(1);
    (0..n_batch).all(single).then_some(())?;
    let own = (n_batch..repeated.len()).all(|axis| axis >= missing && eg.shape(w)[axis - missing] == repeated[axis]);
    own.then_some(())?;
    let matrix = eg.reshape(w, repeated[n_batch..].to_vec())?;
    let plain = Dot {
        lhs_batch: vec![],
        rhs_batch: vec![],
        rhs_contract: dot.rhs_contract.iter().map(|axis| axis - n_batch).collect(),
        ..dot
    };
    eg.emit(plain, &[x, matrix])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_axes_return_to_their_order() {
        // Free axes came from axes 3 and 1; ascending they are 1, 3, so they must be swapped back.
        assert_eq!(result_order(1, &[3, 1], 0, 1), [0, 2, 1, 3]);
        assert_eq!(result_order(0, &[0, 2], 1, 0), [0, 1, 2]);
        // Ascending they are 1, 2, 3: the first comes from behind the others.
        assert_eq!(result_order(0, &[2, 3, 1], 0, 0), [1, 2, 0]);
    }
}
