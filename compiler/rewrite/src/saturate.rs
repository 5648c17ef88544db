//! Saturation: all rules, round by round, under fuel.

use crate::Exactness;
use crate::egraph::{Conflict, ENode, Eg, op_of, operands};
use crate::report::{Budget, Stop};
use crate::rules::{Action, Match, Rule, instantiate};
use diag::Loc;
use egg::{Id, Pattern, Searcher, Subst};
use ops::Op;
use std::collections::BTreeMap;
use std::time::Instant;

/// A rule with its patterns parsed.
pub(crate) struct Loaded {
    rule: &'static Rule,
    left: Option<Pattern<ENode>>,
    right: Option<Pattern<ENode>>,
}

/// Parses the patterns of rules. A test loads every rule, so none is lost here.
pub(crate) fn load(rules: &[&'static Rule]) -> Vec<Loaded> {
    rules.iter().filter_map(|rule| load_one(rule)).collect()
}

pub(crate) fn load_one(rule: &'static Rule) -> Option<Loaded> {
    let (left, right) = match rule.action {
        Action::Pattern(left, right, _) => (Some(left.parse().ok()?), Some(right.parse().ok()?)),
        Action::Compute(left, _) => (Some(left.parse().ok()?), None),
        Action::Nodes(..) | Action::Group(_) => (None, None),
    };
    Some(Loaded { rule, left, right })
}

/// How saturation went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stop: Stop,
    pub(crate) fired: BTreeMap<&'static str, usize>,
}

/// What a rule found.
enum Found {
    Match(Id, Subst),
    Node(Id, Op, Vec<Id>),
    Group,
}

/// Saturates an e-graph. `careful` restores congruence after every rule, so that a contradiction that comes up
/// by congruence is known to come from the rule before.
pub(crate) fn saturate(eg: &mut Eg, rules: &[Loaded], budget: &Budget, careful: bool) -> Result<Outcome, Conflict> {
    let started = Instant::now();
    eg.egraph.rebuild();
    let max_nodes = eg.egraph.total_number_of_nodes() * budget.growth + 1000;
    let mut fired = BTreeMap::new();
    let mut stop = Stop::Rounds;
    for _ in 0..budget.max_rounds {
        let size = eg.egraph.total_number_of_nodes();
        let found: Vec<(&Loaded, Vec<Found>)> = search(eg, rules, budget.max_matches);
        let mut n_unions = 0;
        for (loaded, matches) in found {
            let count = apply(eg, loaded, matches, budget, max_nodes)?;
            if count > 0 {
                *fired.entry(loaded.rule.name).or_insert(0) += count;
                n_unions += count;
                if careful {
                    rebuild(eg)?;
                }
            }
        }
        rebuild(eg)?;
        if n_unions == 0 && eg.egraph.total_number_of_nodes() == size {
            stop = Stop::Saturated;
            break;
        }
        if eg.egraph.total_number_of_nodes() >= max_nodes {
            stop = Stop::Nodes;
            break;
        }
        if budget.deadline.is_some_and(|limit| started.elapsed() > limit) {
            stop = Stop::Deadline;
            break;
        }
    }
    Ok(Outcome { stop, fired })
}

fn rebuild(eg: &mut Eg) -> Result<(), Conflict> {
    eg.egraph.rebuild();
    eg.egraph.analysis.conflict.take().map_or(Ok(()), Err)
}

/// Looks for all rules in the present e-graph. Groups come first, while everything is canonical.
fn search<'a>(eg: &Eg, rules: &'a [Loaded], limit: usize) -> Vec<(&'a Loaded, Vec<Found>)> {
    let nodes = nodes_by_family(eg, rules);
    let of_rule = |loaded: &'a Loaded| {
        let found = match (&loaded.rule.action, &loaded.left) {
            (Action::Group(_), _) => vec![Found::Group],
            (Action::Nodes(families, _), _) => families
                .iter()
                .flat_map(|family| nodes.get(family).map_or(&[][..], |nodes| nodes))
                .take(limit)
                .map(|(id, op, inputs)| Found::Node(*id, op.clone(), inputs.clone()))
                .collect(),
            (_, Some(pattern)) => pattern
                .search_with_limit(&eg.egraph, limit)
                .into_iter()
                .flat_map(|m| {
                    let class = m.eclass;
                    m.substs.into_iter().map(move |subst| Found::Match(class, subst))
                })
                .collect(),
            (_, None) => vec![],
        };
        (loaded, found)
    };
    let (groups, others): (Vec<_>, Vec<_>) =
        rules.iter().partition(|loaded| matches!(loaded.rule.action, Action::Group(_)));
    groups.into_iter().chain(others).map(of_rule).collect()
}

type Nodes = BTreeMap<&'static str, Vec<(Id, Op, Vec<Id>)>>;

/// The e-graph's nodes by operator family, for those families that rules ask for.
fn nodes_by_family(eg: &Eg, rules: &[Loaded]) -> Nodes {
    let mut out = Nodes::new();
    for loaded in rules {
        if let Action::Nodes(families, _) = loaded.rule.action {
            families.iter().for_each(|family| {
                out.entry(family).or_default();
            });
        }
    }
    for class in eg.egraph.classes() {
        // What is computed at compile time is not worth rewriting.
        if class.data.stored.is_some() {
            continue;
        }
        for node in &class.nodes {
            if let Some(op) = op_of(&eg.egraph, node)
                && let Some(list) = out.get_mut(op.family())
            {
                list.push((class.id, op.clone(), operands(node).to_vec()));
            }
        }
    }
    out
}

/// Applies what a rule found; the number of classes that it united.
fn apply(
    eg: &mut Eg,
    loaded: &Loaded,
    matches: Vec<Found>,
    budget: &Budget,
    max_nodes: usize,
) -> Result<usize, Conflict> {
    let rule = loaded.rule;
    eg.egraph.analysis.rule = (rule.name, rule.exactness);
    let mut count = 0;
    for found in matches {
        if eg.egraph.total_number_of_nodes() >= max_nodes {
            break;
        }
        let pairs = pairs_of(eg, loaded, found, budget.max_members);
        for (root, made) in pairs {
            let equal = eg.egraph.find(root) == eg.egraph.find(made);
            if !equal {
                eg.egraph.union_trusted(root, made, rule.name);
                count += 1;
            }
        }
        if let Some(conflict) = eg.egraph.analysis.conflict.take() {
            return Err(conflict);
        }
    }
    eg.egraph.analysis.loc = Loc::Unknown;
    eg.egraph.analysis.before_step = false;
    Ok(count)
}

fn pairs_of(eg: &mut Eg, loaded: &Loaded, found: Found, max_members: usize) -> Vec<(Id, Id)> {
    let root = match &found {
        Found::Match(id, _) | Found::Node(id, ..) => *id,
        Found::Group => {
            let Action::Group(make) = loaded.rule.action else {
                return vec![];
            };
            return make(eg);
        }
    };
    // Nothing better than a constant can come of a constant.
    if eg.is_weight(root) || eg.egraph[root].nodes.len() >= max_members {
        return vec![];
    }
    let before_step = eg.data(root).before_step;
    if before_step && !loaded.rule.exactness.within(Exactness::KERNEL) {
        return vec![];
    }
    eg.egraph.analysis.loc = eg.data(root).loc.clone();
    eg.egraph.analysis.before_step = before_step;
    let made = match (&loaded.rule.action, found) {
        (Action::Pattern(.., guard), Found::Match(_, subst)) => guard(eg, &Match { root, subst: &subst })
            .then(|| instantiate(eg, &loaded.right.as_ref()?.ast, &subst))
            .flatten(),
        (Action::Compute(_, make), Found::Match(_, subst)) => make(eg, &Match { root, subst: &subst }),
        (Action::Nodes(_, make), Found::Node(_, op, inputs)) => make(eg, &op, &inputs),
        _ => None,
    };
    made.map(|made| (root, made)).into_iter().collect()
}
