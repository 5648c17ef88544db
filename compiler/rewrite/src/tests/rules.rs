//! Every rule, on its example.

use super::assert_same_meaning;
use super::audit::{audit, whole};
use crate::optimize::optimize_with;
use crate::report::Budget;
use crate::rules::allowed;
use crate::rules::{Action, FAMILIES, Rule, Sample};
use crate::saturate::{load_one, saturate};
use crate::{Contract, Cost, Exactness, rules};
use graph::Graph;

fn every_rule() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.rules)
}

fn example(rule: &Rule, seed: u64) -> Graph {
    let mut sample = Sample::new(seed);
    let value = (rule.example)(&mut sample);
    sample.finish(value.unwrap_or_else(|| panic!("the example of {} cannot be built", rule.name)))
}

#[test]
fn both_sides_of_every_rule_are_equal() {
    for rule in every_rule() {
        for seed in 0..4 {
            let graph = example(rule, seed);
            let loaded = load_one(rule).unwrap_or_else(|| panic!("{} does not parse", rule.name));
            let mut built = whole(&graph);
            let outcome = saturate(&mut built.eg, &[loaded], &Budget::default(), true)
                .unwrap_or_else(|conflict| panic!("{}: {}", rule.name, conflict.what));
            let fired = outcome.fired.get(rule.name).copied().unwrap_or(0);
            assert!(fired > 0, "{} does not apply to its example", rule.name);
            let inputs = Sample::new(seed + 100).inputs(&graph);
            let n_nodes = audit(&built, &graph, &inputs, rule.exactness);
            let n_nodes = n_nodes.unwrap_or_else(|what| panic!("{}: {what}", rule.name));
            assert!(n_nodes > 1, "{}: nothing was evaluated", rule.name);
        }
    }
}

#[test]
fn optimizing_by_one_rule_keeps_the_meaning() {
    for rule in every_rule() {
        let graph = example(rule, 7);
        let loaded = load_one(rule).expect("another test loads it");
        let (cost, budget) = (Cost::host(2), Budget::default());
        let (after, _) = optimize_with(graph.clone(), &[vec![loaded]], Contract::Bitwise, &cost, &budget)
            .unwrap_or_else(|e| panic!("{}: {e}", rule.name));
        assert_same_meaning(&graph, &after, 8, rule.exactness);
    }
}

#[test]
fn names_are_unique_and_enough() {
    let all = rules();
    assert!(all.len() >= 40, "only {} rules", all.len());
    let mut names: Vec<&str> = all.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    for rule in &all {
        assert!(!rule.algebra.is_empty() && rule.contract.allows(rule.exactness), "{}", rule.name);
    }
}

#[test]
fn contracts_load_what_they_allow() {
    let count = |contract| allowed(contract).len();
    assert!(count(Contract::Bitwise) > 20);
    assert!(count(Contract::Bitwise) < count(Contract::Strict));
    assert!(count(Contract::Strict) < count(Contract::Fast));
    assert_eq!(count(Contract::Relaxed), rules().len());
}

/// A rule that is wrong, to see that this is noticed and said.
static WRONG: Rule = Rule {
    name: "wrong",
    exactness: Exactness::EXACT,
    algebra: "-x = x, turned",
    action: Action::Compute("(neg ?x)", |eg, m| {
        let x = m.id("?x");
        let shape = eg.shape(x).iter().rev().cloned().collect();
        eg.reshape(x, shape)
    }),
    example: |s| {
        let x = s.x(&[2, 3]);
        s.unary(ops::UnaryKind::Neg, x)
    },
};

#[test]
fn unsound_rules_are_named() {
    let sound = every_rule().find(|rule| rule.name == "abs-of-abs").expect("it exists");
    let loaded = [sound, &WRONG].into_iter().filter_map(load_one).collect();
    let (cost, budget) = (Cost::host(2), Budget::default());
    let result = optimize_with(example(&WRONG, 1), &[loaded], Contract::Bitwise, &cost, &budget);
    let error = result.expect_err("the types contradict each other");
    assert_eq!(error.rule, "wrong");
    assert!(error.what.contains("f32[2,3]"), "{error}");
}
