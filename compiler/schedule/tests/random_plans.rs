//! Random graphs: their plans keep the rules, and the printed form reads back to the same plan.

#[path = "../../graph/tests/common/mod.rs"]
mod common;

use common::random_graph;
use graph::{Graph, TextOptions};
use proptest::prelude::*;
use schedule::{Plan, Step, parse, plan, to_text, verify};

/// Every plan that lacks one step of this one, those of regions included.
fn with_one_less(plan: &Plan) -> Vec<Plan> {
    let mut all = vec![];
    for (at, step) in plan.steps.iter().enumerate() {
        let mut less = plan.clone();
        less.steps.remove(at);
        all.push(less);
        let Step::Control(_, plans) = step else { continue };
        for (which, inner) in plans.iter().enumerate() {
            for inner in with_one_less(inner) {
                let mut less = plan.clone();
                if let Step::Control(_, plans) = &mut less.steps[at] {
                    plans[which] = inner;
                }
                all.push(less);
            }
        }
    }
    all
}

fn whole(graph: &Graph, plan: &Plan) -> String {
    to_text(graph, plan, TextOptions { locs: true, max_elements: usize::MAX })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_keep_the_rules_and_read_back(numbers in proptest::collection::vec(any::<u16>(), 4..32)) {
        for optimized in [false, true] {
            let mut graph = random_graph(&numbers);
            if optimized {
                graph::eliminate_dead(&mut graph);
            }
            let plan = plan(&graph);
            let text = whole(&graph, &plan);
            prop_assert_eq!(verify(&graph, &plan), Ok(()), "{}", text);
            let (graph_again, again) =
                parse(&text, "t", &|_| None).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(whole(&graph_again, &again), text);
            prop_assert_eq!(&schedule::plan(&graph_again), &again);
            if !optimized {
                prop_assert_eq!((&graph_again, &again), (&graph, &plan));
            }
        }
    }

    #[test]
    fn no_step_can_be_left_out(numbers in proptest::collection::vec(any::<u16>(), 4..16)) {
        let graph = random_graph(&numbers);
        for less in with_one_less(&plan(&graph)) {
            prop_assert!(verify(&graph, &less).is_err(), "{}", whole(&graph, &less));
            let text = whole(&graph, &less);
            prop_assert!(parse(&text, "t", &|_| None).is_err(), "{}", text);
        }
    }
}
