//! Local search: flip one class, or let several classes adopt one shared producer together.

use super::{Choice, Problem, Scorer};
use std::collections::BTreeMap;

/// Chains of views are followed this far to the producer that they look at.
const MAX_CHAIN: usize = 3;

/// Members that views connect with a producer: the class, and the choices that lead down to the producer.
type Providers = BTreeMap<usize, Vec<Vec<(usize, usize)>>>;

/// Improves a valid choice until no single move helps, or the steps are used up.
pub(super) fn improve(problem: &Problem, scorer: &mut Scorer, mut choice: Choice, max_steps: usize) -> (Choice, f64) {
    let limit = scorer.steps + max_steps;
    let mut cost = scorer.score(&choice).unwrap_or(f64::INFINITY);
    let providers = providers(problem);
    loop {
        let before = cost;
        adopt_producers(&providers, scorer, &mut choice, &mut cost, limit);
        flip_members(problem, scorer, &mut choice, &mut cost, limit);
        if cost >= before || scorer.steps >= limit {
            return (choice, cost);
        }
    }
}

/// Applies choices if they make the whole cheaper, otherwise takes them back.
fn attempt(scorer: &mut Scorer, choice: &mut Choice, cost: &mut f64, changes: &[(usize, usize)]) -> bool {
    let old: Vec<Option<usize>> = changes.iter().map(|(class, _)| choice[*class]).collect();
    for (class, member) in changes {
        choice[*class] = Some(*member);
    }
    match scorer.score(choice) {
        Some(found) if found < *cost * (1.0 - 1e-9) => {
            *cost = found;
            true
        }
        _ => {
            for ((class, _), member) in changes.iter().zip(old).rev() {
                choice[*class] = member;
            }
            false
        }
    }
}

fn active(scorer: &mut Scorer, choice: &Choice) -> Vec<usize> {
    scorer.score(choice);
    scorer.active.clone()
}

fn adopt_producers(providers: &Providers, scorer: &mut Scorer, choice: &mut Choice, cost: &mut f64, limit: usize) {
    for (producer, chains) in providers {
        let in_use = active(scorer, choice);
        if in_use.contains(producer) || scorer.steps >= limit {
            continue;
        }
        let mut adopters: Vec<usize> = Vec::new();
        let mut changes = Vec::new();
        for chain in chains {
            let class = chain[0].0;
            if in_use.contains(&class) && !adopters.contains(&class) {
                adopters.push(class);
                changes.extend_from_slice(chain);
            }
        }
        if adopters.len() >= 2 {
            attempt(scorer, choice, cost, &changes);
        }
    }
}

fn flip_members(problem: &Problem, scorer: &mut Scorer, choice: &mut Choice, cost: &mut f64, limit: usize) {
    for class in active(scorer, choice) {
        for member in 0..problem.classes[class].len() {
            if scorer.steps >= limit {
                return;
            }
            if choice[class] != Some(member) {
                attempt(scorer, choice, cost, &[(class, member)]);
            }
        }
    }
}

/// For each class with a member that is more than a view, the chains of views that end there.
fn providers(problem: &Problem) -> Providers {
    let mut out = Providers::new();
    for class in 0..problem.classes.len() {
        follow(problem, class, &mut Vec::new(), &mut out);
    }
    out.retain(|_, chains| chains.len() >= 2);
    out
}

fn follow(problem: &Problem, class: usize, chain: &mut Vec<(usize, usize)>, out: &mut Providers) {
    if chain.len() >= MAX_CHAIN || chain.iter().any(|(seen, _)| *seen == class) {
        return;
    }
    for (member, candidate) in problem.classes[class].iter().enumerate() {
        let [child] = candidate.children[..] else {
            continue;
        };
        if !candidate.is_view {
            continue;
        }
        chain.push((class, member));
        let is_priced = |c: &super::Candidate| !c.is_view && !c.children.is_empty();
        if problem.classes[child].iter().any(is_priced) {
            out.entry(child).or_default().push(chain.clone());
        }
        follow(problem, child, chain, out);
        chain.pop();
    }
}
