//! The reference evaluator: runs a graph node by node on host tensors, with the operators' own meaning.

use crate::symbols::SymbolValues;
use crate::{Graph, Node, ValueId};
use diag::Loc;
use ops::Op;
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

/// Why a graph has no result for its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{loc}: {message}")]
pub struct EvalFailure {
    /// The node, or nothing known where the inputs do not fit.
    pub loc: Loc,
    /// What is wrong.
    pub message: String,
}

/// Sees every value as it is computed: the graph or region, the value in it, and its content.
pub type Observer<'a> = dyn FnMut(&Graph, ValueId, &Tensor) + 'a;

/// The results of a graph for these inputs.
///
/// ```
/// # use graph::{Builder, evaluate};
/// # use tensor::{DType, Dim, Tensor, TensorType};
/// let mut b = Builder::new("double");
/// let x = b.input("x", TensorType::new(DType::F32, [Dim::symbol("N")]));
/// let y = b.add(x, x)?;
/// b.output("y", y);
/// let results = evaluate(&b.finish(), &[Tensor::from_vec(vec![2], vec![1.0f32, 2.0])])?;
/// assert_eq!(*results[0].values::<f32>(), [2.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalFailure> {
    evaluate_with(graph, inputs, &mut |_, _, _| {})
}

/// The same, showing every value to an observer on the way: inputs and results of nodes, those inside regions included.
pub fn evaluate_with(graph: &Graph, inputs: &[Tensor], observer: &mut Observer) -> Result<Vec<Tensor>, EvalFailure> {
    run(graph, inputs, SymbolValues::default(), observer)
}

fn failure(loc: &Loc, message: impl Into<String>) -> EvalFailure {
    EvalFailure { loc: loc.clone(), message: message.into() }
}

/// Runs a graph or a region. `symbols` holds what the outside has defined; what this graph defines stays in it.
fn run(
    graph: &Graph,
    inputs: &[Tensor],
    mut symbols: SymbolValues,
    observer: &mut Observer,
) -> Result<Vec<Tensor>, EvalFailure> {
    let types: Vec<&TensorType> = graph.inputs.iter().map(|p| graph.ty(p.value)).collect();
    symbols.bind_inputs(graph, &types, inputs)?;
    let mut values: Vec<Option<Tensor>> = vec![None; graph.n_values()];
    for (port, tensor) in graph.inputs.iter().zip(inputs) {
        observer(graph, port.value, tensor);
        values[port.value.index()] = Some(tensor.clone());
    }
    let last_uses = last_uses(graph);
    for (idx, node) in graph.nodes.iter().enumerate() {
        let operands = node.inputs.iter().map(|v| get(&values, *v, &node.loc)).collect::<Result<Vec<Tensor>, _>>()?;
        for value in last_uses[idx].iter() {
            values[value.index()] = None;
        }
        let results = run_node(graph, node, operands, &mut symbols, observer)?;
        for (value, tensor) in node.outputs.iter().zip(results) {
            observer(graph, *value, &tensor);
            values[value.index()] = Some(tensor);
        }
    }
    let outputs = graph.outputs.iter();
    outputs.map(|port| get(&values, port.value, &Loc::Unknown)).collect()
}

fn get(values: &[Option<Tensor>], value: ValueId, loc: &Loc) -> Result<Tensor, EvalFailure> {
    let tensor = values.get(value.index()).and_then(Option::as_ref);
    tensor.cloned().ok_or_else(|| failure(loc, format!("value {} is used before it is defined", value.0)))
}

/// For each node, the values that nothing needs once it has its operands.
fn last_uses(graph: &Graph) -> Vec<Vec<ValueId>> {
    let mut last: Vec<Option<usize>> = vec![None; graph.n_values()];
    for (idx, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|v| last[v.index()] = Some(idx));
    }
    for port in &graph.outputs {
        last[port.value.index()] = None;
    }
    let mut by_node = vec![Vec::new(); graph.nodes.len()];
    for (idx, node) in last.into_iter().enumerate() {
        if let Some(node) = node {
            by_node[node].push(ValueId(idx as u32));
        }
    }
    by_node
}

fn run_node(
    graph: &Graph,
    node: &Node,
    operands: Vec<Tensor>,
    symbols: &mut SymbolValues,
    observer: &mut Observer,
) -> Result<Vec<Tensor>, EvalFailure> {
    let results = match &node.op {
        Op::If(_) => run_if(node, &operands, symbols, observer)?,
        Op::Loop(op) => run_loop(node, op.n_carried, &operands, symbols, observer)?,
        op => {
            let op = op.substitute(&|symbol| symbols.get(symbol).map(Dim::from));
            let results = op.eval(&operands);
            results.map_err(|error| failure(&node.loc, error.to_string()))?
        }
    };
    if let (Op::Bind(op), [x]) = (&node.op, &operands[..]) {
        op.symbols.iter().zip(x.to_ints()).for_each(|(name, value)| symbols.define(name, value));
    }
    let types: Vec<&TensorType> = node.outputs.iter().map(|v| graph.ty(*v)).collect();
    symbols.bind_results(&node.loc, &node.op.defined_symbols(), &types, &results)?;
    Ok(results)
}

/// The only element of an operand that must be a scalar of this type.
fn scalar(node: &Node, operands: &[Tensor], at: usize, dtype: DType) -> Result<Scalar, EvalFailure> {
    match operands.get(at) {
        Some(x) if x.dtype() == dtype && x.len() == 1 => Ok(x.get(0)),
        _ => Err(failure(&node.loc, format!("operand {at} of `{}` is not a scalar of type {dtype}", node.op.name()))),
    }
}

fn run_if(
    node: &Node,
    operands: &[Tensor],
    symbols: &SymbolValues,
    observer: &mut Observer,
) -> Result<Vec<Tensor>, EvalFailure> {
    let condition = scalar(node, operands, 0, DType::Bool)?.as_bool();
    match (&node.regions[..], condition) {
        ([region, _], true) | ([_, region], false) => run(region, &operands[1..], symbols.clone(), observer),
        _ => Err(failure(&node.loc, "`if` takes two regions")),
    }
}

fn run_loop(
    node: &Node,
    n_carried: usize,
    operands: &[Tensor],
    symbols: &SymbolValues,
    observer: &mut Observer,
) -> Result<Vec<Tensor>, EvalFailure> {
    let most = scalar(node, operands, 0, DType::I64)?.as_int();
    let mut go_on = scalar(node, operands, 1, DType::Bool)?;
    let [region] = &node.regions[..] else {
        return Err(failure(&node.loc, "`loop` takes one region"));
    };
    if operands.len() < 2 + n_carried || region.outputs.len() < 1 + n_carried {
        return Err(failure(&node.loc, "`loop` has too few operands or results"));
    }
    let mut carried = operands[2..2 + n_carried].to_vec();
    let captured = &operands[2 + n_carried..];
    let mut slices: Vec<Vec<Tensor>> = vec![Vec::new(); region.outputs.len() - 1 - n_carried];
    let mut trip = 0;
    while trip < most && go_on.as_bool() {
        let mut inputs = vec![Tensor::scalar(DType::I64, Scalar::Int(trip)), Tensor::scalar(DType::Bool, go_on)];
        inputs.append(&mut carried);
        inputs.extend_from_slice(captured);
        let mut results = run(region, &inputs, symbols.clone(), observer)?;
        go_on = scalar(node, &results, 0, DType::Bool)?;
        let stacked = results.split_off(1 + n_carried);
        stacked.into_iter().zip(&mut slices).for_each(|(slice, all)| all.push(slice));
        carried = results.split_off(1);
        trip += 1;
    }
    let ports = region.outputs[1 + n_carried..].iter();
    for (port, all) in ports.zip(slices) {
        carried.push(stack(node, region.ty(port.value), all, symbols)?);
    }
    Ok(carried)
}

/// The slices along a new first axis; of no slices, sizes that only a trip would tell are 0.
fn stack(node: &Node, ty: &TensorType, slices: Vec<Tensor>, symbols: &SymbolValues) -> Result<Tensor, EvalFailure> {
    let size = |dim: &Dim| symbols.eval(dim).and_then(|d| usize::try_from(d).ok());
    let slice = match slices.first() {
        Some(first) => first.shape().to_vec(),
        None => ty.shape.iter().map(|d| size(d).unwrap_or(0)).collect(),
    };
    if slices.iter().any(|s| s.shape() != slice || s.dtype() != ty.dtype) {
        return Err(failure(&node.loc, "the trips of a loop give slices of different types"));
    }
    let shape = [&[slices.len()], &slice[..]].concat();
    let bytes: Vec<u8> = slices.iter().flat_map(|s| s.bytes().iter().copied()).collect();
    Tensor::from_bytes(ty.dtype, shape, bytes.into()).map_err(|error| failure(&node.loc, error.to_string()))
}
