//! Random graphs: the printed form reads back to a graph that verifies and gives the same results.

mod common;

use common::random_graph;
use graph::{Form, TextOptions, evaluate, parse, to_text, verify};
use proptest::prelude::*;
use tensor::{DType, Scalar, Tensor};

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_round_trips_and_means_the_same(numbers in proptest::collection::vec(any::<u16>(), 4..24), n in 0usize..4) {
        let graph = random_graph(&numbers);
        prop_assert_eq!(verify(&graph, Form::Imported), vec![]);
        let options = TextOptions { locs: true, max_elements: usize::MAX };
        let text = to_text(&graph, options);
        let again = parse(&text, "t").map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(&again, &graph, "{}", text);

        let inputs = [
            Tensor::build(DType::F32, vec![n, 2], |i| Scalar::Float(i as f64 - 1.5)),
            Tensor::from_vec(vec![2], vec![3i64, -2]),
        ];
        prop_assert_eq!(evaluate(&graph, &inputs), evaluate(&again, &inputs));
    }
}
