//! Tests of meaning: what rewriting gives is evaluated against what it was given.

mod audit;
mod canon;
mod optimize;
mod random;
mod random_anchors;
mod rules;

use crate::rules::Sample;
use crate::{Exactness, scalars};
use graph::{Graph, evaluate};
use tensor::{Scalar, Tensor};

/// Whether two results are equal as far as an exactness promises.
pub(crate) fn equal(a: &Tensor, b: &Tensor, exactness: Exactness) -> bool {
    a.dtype() == b.dtype() && a.shape() == b.shape() && a.iter().zip(b.iter()).all(|(x, y)| close(x, y, exactness))
}

fn close(x: Scalar, y: Scalar, exactness: Exactness) -> bool {
    let (Scalar::Float(x), Scalar::Float(y)) = (x, y) else {
        return x == y;
    };
    if x.is_nan() && y.is_nan() || scalars::is(Scalar::Float(x), y) {
        return true;
    }
    !exactness.is_exact() && (x == y || (x - y).abs() <= 2e-3 * (x.abs().max(y.abs()) + 0.01))
}

/// Panics unless two graphs give the same for random inputs.
pub(crate) fn assert_same_meaning(before: &Graph, after: &Graph, seed: u64, exactness: Exactness) {
    let inputs = Sample::new(seed).inputs(before);
    let expected = evaluate(before, &inputs).expect("the given graph has results");
    let actual = evaluate(after, &inputs)
        .unwrap_or_else(|e| panic!("{e}\n{}", graph::to_text(after, graph::TextOptions::default())));
    assert_eq!(expected.len(), actual.len());
    for (port, (e, a)) in before.outputs.iter().zip(expected.iter().zip(&actual)) {
        assert!(
            equal(e, a, exactness),
            "output {} is {a:?}, not {e:?}\nbefore:\n{}after:\n{}",
            port.name,
            graph::to_text(before, graph::TextOptions::default()),
            graph::to_text(after, graph::TextOptions::default())
        );
    }
}
