//! The greedy seed: for each class the member whose whole sub-graph costs least by itself.

use super::{Choice, Problem};
use std::collections::VecDeque;

/// A set of classes.
#[derive(Clone)]
struct Set(Vec<u64>);

impl Set {
    fn contains(&self, class: usize) -> bool {
        self.0[class / 64] >> (class % 64) & 1 == 1
    }

    fn insert(&mut self, class: usize) {
        self.0[class / 64] |= 1 << (class % 64);
    }

    /// Takes over another set's members, and adds up the cost of those that are new.
    fn extend(&mut self, other: &Set, own_cost: &[f64]) -> f64 {
        let mut added = 0.0;
        for (word, (mine, theirs)) in self.0.iter_mut().zip(&other.0).enumerate() {
            let mut fresh = theirs & !*mine;
            *mine |= theirs;
            while fresh != 0 {
                added += own_cost[word * 64 + fresh.trailing_zeros() as usize];
                fresh &= fresh - 1;
            }
        }
        added
    }
}

/// The best known of a class: its cost, what it uses, and by which member.
struct Best {
    cost: f64,
    uses: Set,
    member: usize,
}

/// The greedy choice, by a work list that begins at the leaves.
pub(super) fn choose(problem: &Problem) -> Choice {
    let n = problem.classes.len();
    let mut parents: Vec<Vec<(usize, usize)>> = vec![Vec::new(); n];
    let mut queue = VecDeque::new();
    let mut n_members = 0;
    for (class, members) in problem.classes.iter().enumerate() {
        n_members += members.len();
        for (member, candidate) in members.iter().enumerate() {
            candidate.children.iter().for_each(|child| parents[*child].push((class, member)));
            if candidate.children.is_empty() {
                queue.push_back((class, member));
            }
        }
    }
    let mut best: Vec<Option<Best>> = (0..n).map(|_| None).collect();
    let mut own_cost = vec![0.0; n];
    // Costs of sub-graphs can go on changing slightly through sharing: a fixed number of visits is enough.
    let mut visits = n_members * 8;
    while let Some((class, member)) = queue.pop_front() {
        if visits == 0 {
            break;
        }
        visits -= 1;
        let Some(found) = evaluate(problem, class, member, &best, &own_cost) else {
            continue;
        };
        if best[class].as_ref().is_none_or(|old| found.cost < old.cost * (1.0 - 1e-9)) {
            own_cost[class] = problem.classes[class][member].cost;
            best[class] = Some(found);
            queue.extend(&parents[class]);
        }
    }
    best.into_iter().map(|best| Some(best?.member)).collect()
}

fn evaluate(problem: &Problem, class: usize, member: usize, best: &[Option<Best>], own_cost: &[f64]) -> Option<Best> {
    let candidate = &problem.classes[class][member];
    let mut children = candidate.children.iter();
    let (mut uses, mut cost) = match children.next() {
        None => (Set(vec![0; problem.classes.len().div_ceil(64)]), 0.0),
        Some(first) => {
            let first = best[*first].as_ref()?;
            (first.uses.clone(), first.cost)
        }
    };
    for child in children {
        cost += uses.extend(&best[*child].as_ref()?.uses, own_cost);
    }
    if uses.contains(class) {
        return None;
    }
    uses.insert(class);
    Some(Best { cost: cost + candidate.cost, uses, member })
}
