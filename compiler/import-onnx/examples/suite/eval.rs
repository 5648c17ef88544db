//! Graphs run by the operators' reference meanings.

use graph::{Graph, Node};
use ops::Op;
use std::collections::BTreeMap;
use tensor::{Dim, Scalar, Symbol, Tensor, TensorType};

type Symbols = BTreeMap<Symbol, i64>;

fn bind(symbols: &mut Symbols, ty: &TensorType, value: &Tensor) -> Result<(), String> {
    if ty.dtype != value.dtype() || ty.rank() != value.rank() {
        return Err(format!("a value {} of type {ty}", value.ty()));
    }
    for (dim, size) in ty.shape.iter().zip(value.shape()) {
        let size = *size as i64;
        match dim.as_symbol() {
            Some(symbol) if !symbols.contains_key(symbol) => {
                symbols.insert(symbol.clone(), size);
            }
            _ if dim.eval(&|s| symbols.get(s).copied()) != Some(size) => {
                return Err(format!("a value {} of type {ty}", value.ty()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The results of a graph, with the symbols of the graph around it.
pub fn run(graph: &Graph, inputs: &[Tensor], outer: &Symbols) -> Result<Vec<Tensor>, String> {
    let mut symbols = outer.clone();
    let mut values: BTreeMap<u32, Tensor> = BTreeMap::new();
    for (port, tensor) in graph.inputs.iter().zip(inputs) {
        bind(&mut symbols, graph.ty(port.value), tensor)?;
        values.insert(port.value.0, tensor.clone());
    }
    for node in &graph.nodes {
        let operands: Vec<Tensor> = node
            .inputs
            .iter()
            .map(|v| values.get(&v.0).cloned().ok_or("a value is missing"))
            .collect::<Result<_, _>>()?;
        let results = run_node(node, &operands, &mut symbols)
            .map_err(|e| format!("{}: {e} (at {})", node.op.name(), node.loc))?;
        for (value, tensor) in node.outputs.iter().zip(results) {
            bind(&mut symbols, graph.ty(*value), &tensor).map_err(|e| {
                format!("{} ({:?}): {e} (at {})", node.op.name(), node.op, node.loc)
            })?;
            values.insert(value.0, tensor);
        }
    }
    let outputs = graph.outputs.iter();
    outputs
        .map(|port| values.get(&port.value.0).cloned().ok_or("no result".into()))
        .collect()
}

fn run_node(
    node: &Node,
    operands: &[Tensor],
    symbols: &mut Symbols,
) -> Result<Vec<Tensor>, String> {
    match &node.op {
        Op::Bind(op) => {
            for (name, value) in op.symbols.iter().zip(operands[0].to_ints()) {
                symbols.insert(Symbol::new(name), value);
            }
            Ok(Vec::new())
        }
        Op::If(_) => {
            let taken = usize::from(!operands[0].get(0).as_bool());
            run(&node.regions[taken], &operands[1..], symbols)
        }
        Op::Loop(op) => run_loop(node, op.n_carried, operands, symbols),
        op => {
            let known = |s: &Symbol| symbols.get(s).map(|v| Dim::from(*v));
            op.substitute(&known)
                .eval(operands)
                .map_err(|e| e.to_string())
        }
    }
}

fn run_loop(
    node: &Node,
    n_carried: usize,
    operands: &[Tensor],
    symbols: &Symbols,
) -> Result<Vec<Tensor>, String> {
    let most = operands[0].to_ints()[0];
    let mut condition = operands[1].clone();
    let mut carried = operands[2..2 + n_carried].to_vec();
    let body = &node.regions[0];
    let n_slices = body.outputs.len() - 1 - n_carried;
    let mut slices: Vec<Vec<Tensor>> = vec![Vec::new(); n_slices];
    for trip in 0..most {
        if !condition.get(0).as_bool() {
            break;
        }
        let trip = Tensor::scalar(tensor::DType::I64, Scalar::Int(trip.into()));
        let inputs: Vec<Tensor> = [trip, condition.clone()]
            .into_iter()
            .chain(carried.iter().cloned())
            .chain(operands[2 + n_carried..].iter().cloned())
            .collect();
        let mut results = run(body, &inputs, symbols)?.into_iter();
        condition = results.next().ok_or("no condition")?;
        carried = results.by_ref().take(n_carried).collect();
        for (all, slice) in slices.iter_mut().zip(results) {
            all.push(slice);
        }
    }
    for (idx, slices) in slices.iter().enumerate() {
        let ty = body.ty(body.outputs[1 + n_carried + idx].value);
        let known = |s: &Symbol| symbols.get(s).copied();
        let inner = match slices.first() {
            Some(slice) => slice.shape().to_vec(),
            None => (ty.shape.iter())
                .map(|d| d.eval(&known).unwrap_or(0) as usize)
                .collect(),
        };
        let shape = [&[slices.len()], &inner[..]].concat();
        let bytes: Vec<u8> = slices.iter().flat_map(|t| t.bytes().to_vec()).collect();
        let stacked =
            Tensor::from_bytes(ty.dtype, shape, bytes.into()).map_err(|e| e.to_string())?;
        carried.push(stacked);
    }
    Ok(carried)
}
