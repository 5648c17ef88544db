//! What shares a kernel, and what does not.

use crate::{Plan, Step, plan};
use graph::{BuildError, Builder, Graph, ValueId};
use ops::{Dot, ReduceKind, UnaryKind};
use tensor::{DType, Tensor, TensorType};

fn graph_of(shapes: &[&[usize]], build: impl Fn(&mut Builder, &[ValueId]) -> Result<ValueId, BuildError>) -> Graph {
    let mut b = Builder::new("test");
    let inputs: Vec<ValueId> = shapes
        .iter()
        .enumerate()
        .map(|(k, shape)| b.input(&format!("x{k}"), TensorType::new(DType::F32, shape.iter().copied())))
        .collect();
    let y = build(&mut b, &inputs).unwrap();
    b.output("y", y);
    b.finish()
}

/// The operators of each kernel, in order.
fn kernels(graph: &Graph, plan: &Plan) -> Vec<Vec<&'static str>> {
    let names = |members: &[usize]| members.iter().map(|idx| graph.nodes[*idx].op.name()).collect();
    plan.steps
        .iter()
        .filter_map(|step| match step {
            Step::Kernel(region) => Some(names(&region.members)),
            _ => None,
        })
        .collect()
}

fn product() -> Dot {
    Dot { lhs_batch: vec![], rhs_batch: vec![], lhs_contract: vec![1], rhs_contract: vec![0], out: DType::F32 }
}

#[test]
fn what_follows_a_product_shares_its_kernel() {
    let graph = graph_of(&[&[4, 8], &[8, 16], &[16]], |b, x| {
        let y = b.emit(product(), &[x[0], x[1]])?;
        let y = b.add(y, x[2])?;
        let gate = b.unary(UnaryKind::Sigmoid, y)?;
        b.mul(y, gate)
    });
    assert_eq!(kernels(&graph, &plan(&graph)), [vec!["dot", "broadcast", "add", "sigmoid", "mul"]]);
}

#[test]
fn a_function_before_a_product_is_computed_once_and_stored() {
    let graph = graph_of(&[&[4, 8], &[16, 8]], |b, x| {
        let y = b.unary(UnaryKind::Exp, x[0])?;
        let weight = b.transpose(x[1], vec![1, 0])?;
        b.emit(product(), &[y, weight])
    });
    assert_eq!(kernels(&graph, &plan(&graph)), [vec!["exp"], vec!["transpose", "dot"]]);
}

#[test]
fn a_function_before_a_reduction_is_computed_on_the_way() {
    let graph = graph_of(&[&[4, 8]], |b, x| {
        let y = b.unary(UnaryKind::Exp, x[0])?;
        b.reduce(ReduceKind::Sum, y, &[1], false)
    });
    assert_eq!(kernels(&graph, &plan(&graph)), [vec!["exp", "reduce"]]);
}

#[test]
fn rows_are_reduced_and_used_in_one_kernel() {
    let graph = graph_of(&[&[2, 4, 8]], |b, x| {
        let largest = b.reduce(ReduceKind::Max, x[0], &[2], true)?;
        let below = b.sub(x[0], largest)?;
        let y = b.unary(UnaryKind::Exp, below)?;
        let sum = b.reduce(ReduceKind::Sum, y, &[2], true)?;
        b.div(y, sum)
    });
    let plan = plan(&graph);
    assert_eq!(kernels(&graph, &plan).len(), 1);
    let Step::Kernel(region) = &plan.steps[0] else { panic!("a kernel") };
    assert_eq!((region.anchor, region.rows.len()), (None, 2));
}

#[test]
fn a_reduction_of_other_axes_is_stored() {
    for axis in [0, 1] {
        let graph = graph_of(&[&[4, 8, 3]], |b, x| {
            let largest = b.reduce(ReduceKind::Max, x[0], &[axis], true)?;
            b.sub(x[0], largest)
        });
        let kernels = kernels(&graph, &plan(&graph));
        assert_eq!(kernels.len(), 2);
        assert_eq!(kernels[0], ["reduce"]);
    }
}

#[test]
fn a_reduction_that_someone_else_reads_is_stored() {
    let graph = graph_of(&[&[4, 8]], |b, x| {
        let largest = b.reduce(ReduceKind::Max, x[0], &[1], true)?;
        let below = b.sub(x[0], largest)?;
        b.output("largest", largest);
        Ok(below)
    });
    assert_eq!(kernels(&graph, &plan(&graph))[0], ["reduce"]);
}

#[test]
fn a_product_does_not_join_a_kernel_of_rows() {
    let graph = graph_of(&[&[4, 8], &[8, 5]], |b, x| {
        let dot =
            Dot { lhs_batch: vec![], rhs_batch: vec![], lhs_contract: vec![1], rhs_contract: vec![0], out: DType::F32 };
        let y = b.emit(dot, x)?;
        let largest = b.reduce(ReduceKind::Max, y, &[1], true)?;
        b.sub(y, largest)
    });
    let plan = plan(&graph);
    let has_anchor = |step: &Step| matches!(step, Step::Kernel(region) if region.anchor.is_some());
    assert_eq!(plan.steps.iter().map(has_anchor).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn parts_of_a_concatenation_are_written_in_place_and_only_inputs_are_copied() {
    let graph = graph_of(&[&[2, 3], &[2, 5]], |b, x| {
        let left = b.unary(UnaryKind::Neg, x[0])?;
        b.emit(ops::Concat { axis: 1 }, &[left, x[1]])
    });
    let plan = plan(&graph);
    assert_eq!(kernels(&graph, &plan), [vec!["neg"], vec![]]);
    let stores = plan.steps.iter().filter_map(|step| match step {
        Step::Kernel(region) => region.store.part.clone(),
        _ => None,
    });
    assert_eq!(stores.collect::<Vec<_>>(), [(1, 0.into()), (1, 3.into())]);
}

#[test]
fn every_leaf_of_a_kernel_is_in_memory_before_it() {
    let weight = Tensor::from_vec(vec![8, 8], vec![0.5f32; 64]);
    let graph = graph_of(&[&[4, 8]], |b, x| {
        let weight = b.constant(weight.clone())?;
        let y = b.emit(product(), &[x[0], weight])?;
        let flat = b.reshape(y, vec![32.into()])?;
        b.unary(UnaryKind::Tanh, flat)
    });
    let mut known: Vec<ValueId> = graph.inputs.iter().map(|port| port.value).collect();
    known.extend((0..graph.n_values() as u32).map(ValueId).filter(|v| graph.constant(*v).is_some()));
    for step in plan(&graph).steps {
        match step {
            Step::Kernel(region) => {
                assert!(region.leaves.iter().all(|leaf| known.contains(leaf)));
                known.push(region.store.value);
            }
            Step::Alias(idx) => {
                assert!(known.contains(&graph.nodes[idx].inputs[0]));
                known.extend(&graph.nodes[idx].outputs);
            }
            Step::Host(_) | Step::Control(..) | Step::Indices(_) => {}
        }
    }
    assert!(known.contains(&graph.outputs[0].value));
}
