//! Nodes, one by one: operands by name, the operator's function, results by name; errors reported and poisoned.

use crate::cx::Cx;
use crate::env::{Env, Frame, MAX_ELEMENTS, Scope, Slot};
use crate::error::{ImportError, bad, unsupported};
use crate::inline::inline;
use crate::order::{order, subgraphs};
use crate::proto::NodeProto;
use crate::registry::{self, Handler, canonical_domain};
use crate::report::{node_loc, node_name, report};
use diag::{Code, Diagnostic, Loc};
use graph::ValueId;
use tensor::TensorType;

/// What a name of the scope stands for.
pub(crate) fn slot_of(scope: &Scope, name: &str) -> Result<Slot, ImportError> {
    match scope.names.get(name) {
        Some(slot) => Ok(slot.clone()),
        None => bad(format!("`{name}` is used, but nothing defines it")),
    }
}

/// Imports all nodes of a graph or function body, in an order in which they can run.
pub(crate) fn import_nodes(env: &mut Env, frame: &mut Frame, scope: &mut Scope, nodes: &[NodeProto]) {
    let order = match order(nodes) {
        Ok(order) => order,
        Err(cycle) => return report_cycle(env, scope, nodes, &cycle),
    };
    for idx in order {
        let loc = node_loc(env, &scope.path, idx, &nodes[idx]);
        let outer = frame.b.loc().clone();
        frame.b.set_loc(loc.clone());
        import_node(env, frame, scope, &nodes[idx], loc);
        frame.b.set_loc(outer);
    }
}

fn report_cycle(env: &mut Env, scope: &mut Scope, nodes: &[NodeProto], cycle: &[usize]) {
    let first = cycle[0];
    let names: Vec<String> = cycle.iter().map(|idx| node_name(&nodes[*idx])).collect();
    let loc = node_loc(env, &scope.path, first, &nodes[first]);
    let message = "nodes depend on each other in a cycle";
    let shown = if names.len() > 8 { &names[..8] } else { &names };
    env.sink.report(Diagnostic::error(Code::BadGraph, loc, message).note(format!(
        "{} nodes: {}",
        names.len(),
        shown.join(", ")
    )));
    let outputs = nodes.iter().flat_map(|node| &node.output);
    let poisoned = outputs.map(|name| (name.clone(), Slot::Poisoned));
    scope.names.extend(poisoned);
}

fn import_node(env: &mut Env, frame: &mut Frame, scope: &mut Scope, node: &NodeProto, loc: Loc) {
    let n_before = frame.b.graph().nodes.len();
    let result = match operands(scope, node) {
        Ok(inputs) if inputs.contains(&Some(Slot::Poisoned)) => {
            check_support(env, scope, node, &loc);
            Err(ImportError::Reported)
        }
        Ok(inputs) => results(env, frame, scope, node, &inputs),
        Err(error) => Err(error),
    };
    let added = frame.b.graph().nodes.len() - n_before;
    env.nodes_left = env.nodes_left.saturating_sub(added + 1);
    let result = match result {
        Ok(_) if env.nodes_left == 0 => {
            let reason = "the model unfolds into too many nodes";
            Err(ImportError::Limit(reason.into()))
        }
        Ok(slots) => check_sizes(frame, slots),
        error => error,
    };
    let outcome = result.and_then(|slots| define(frame, scope, node, slots));
    if let Err(error) = outcome {
        let facts = operand_facts(frame, scope, node);
        report(env, loc, error, &facts);
        let missing = node.output.iter().filter(|name| !name.is_empty());
        for name in missing {
            scope.names.entry(name.clone()).or_insert(Slot::Poisoned);
        }
    }
}

fn operands(scope: &Scope, node: &NodeProto) -> Result<Vec<Option<Slot>>, ImportError> {
    let slot = |name: &String| match name.as_str() {
        "" => Ok(None),
        name => slot_of(scope, name).map(Some),
    };
    node.input.iter().map(slot).collect()
}

/// The types of a node's operands, for notes.
fn operand_facts(frame: &Frame, scope: &Scope, node: &NodeProto) -> Vec<String> {
    let fact = |name: &String| match scope.names.get(name)? {
        Slot::Value(value) => Some(format!("`{name}`: {}", frame.b.ty(*value))),
        Slot::Sequence(items) => Some(format!("`{name}`: sequence of {}", items.len())),
        Slot::Nothing => Some(format!("`{name}`: empty optional")),
        Slot::Poisoned => None,
    };
    node.input.iter().filter_map(fact).collect()
}

/// Refuses results that no memory could hold, so that nothing after this multiplies their sizes beyond 64 bits.
fn check_sizes(frame: &Frame, slots: Vec<Slot>) -> Result<Vec<Slot>, ImportError> {
    let values = slots.iter().flat_map(|slot| match slot {
        Slot::Value(value) => std::slice::from_ref(value),
        Slot::Sequence(values) => values,
        Slot::Nothing | Slot::Poisoned => &[],
    });
    for value in values {
        let ty = frame.b.ty(*value);
        let numbers = TensorType {
            dtype: ty.dtype,
            shape: ty.shape.iter().filter(|d| d.as_const().is_some()).cloned().collect(),
        };
        let has_negative = numbers.shape.iter().any(|d| d.as_const() < Some(0));
        if has_negative {
            return bad(format!("a result of type {ty} has a negative dimension"));
        }
        if numbers.static_len().is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(ImportError::Limit(format!("a result of type {ty} is too large")));
        }
    }
    Ok(slots)
}

/// Gives the results their names.
fn define(frame: &mut Frame, scope: &mut Scope, node: &NodeProto, slots: Vec<Slot>) -> Result<(), ImportError> {
    let wanted = node.output.iter().rposition(|name| !name.is_empty()).map_or(0, |at| at + 1);
    if wanted > slots.len() {
        return unsupported(format!("result #{} of {} is not supported", wanted - 1, node.op_type));
    }
    for (name, slot) in node.output.iter().zip(slots).filter(|(name, _)| !name.is_empty()) {
        if let Slot::Value(value) = slot {
            frame.b.name_value(value, name);
        }
        if scope.names.insert(name.clone(), slot).is_some() {
            return bad(format!("`{name}` is defined twice"));
        }
    }
    Ok(())
}

/// Reports the node, and those in its subgraphs, if their operators are not supported; for nodes that cannot be imported anyway.
fn check_support(env: &mut Env, scope: &Scope, node: &NodeProto, loc: &Loc) {
    if let Err(error) = handler(env, scope, node) {
        report(env, loc.clone(), error, &[]);
    }
    for graph in subgraphs(node) {
        for (idx, inner) in graph.node.iter().enumerate() {
            let loc = node_loc(env, &format!("{}{}/", scope.path, node_name(node)), idx, inner);
            check_support(env, scope, inner, &loc);
        }
    }
}

/// How a node is imported.
enum Chosen<'m> {
    Row(Handler, i64),
    Function(&'m crate::proto::FunctionProto),
}

fn handler<'m>(env: &Env<'m>, scope: &Scope, node: &NodeProto) -> Result<Chosen<'m>, ImportError> {
    let domain = canonical_domain(&node.domain);
    let key = (domain, node.op_type.as_str(), node.overload.as_str());
    if let Some(function) = env.functions.get(&key) {
        return Ok(Chosen::Function(function));
    }
    let shown = if domain.is_empty() { "ai.onnx" } else { domain };
    let row = registry::row(domain, &node.op_type);
    let Some(opset) = scope.opsets.get(domain).copied() else {
        if row.is_none() && registry::known(domain, &node.op_type).is_none() {
            return unsupported(format!(
                "there is no operator `{}` in domain `{shown}`, and the model does not define it",
                node.op_type
            ));
        }
        return bad(format!("the model uses domain `{shown}` without saying its version"));
    };
    let Some(row) = row else {
        return unsupported(match registry::reason(domain, &node.op_type) {
            Some(reason) => format!("operator {} is not supported: {reason}", node.op_type),
            None if registry::known(domain, &node.op_type).is_some() => {
                format!("operator {} is not supported yet", node.op_type)
            }
            None => {
                format!("there is no operator `{}` in domain `{shown}`, and the model does not define it", node.op_type)
            }
        });
    };
    if opset < row.since {
        return bad(format!(
            "operator {} exists since version {} of `{shown}`, but the model says version {opset}",
            node.op_type, row.since
        ));
    }
    Ok(Chosen::Row(row.import, opset))
}

fn check_arity(node: &NodeProto) -> Result<(), ImportError> {
    let Some(known) = registry::known(&node.domain, &node.op_type) else {
        return Ok(());
    };
    let n = node.input.len();
    if n > known.max_inputs || n < known.min_inputs {
        let (least, most) = (known.min_inputs, known.max_inputs);
        let range = match most {
            usize::MAX => format!("at least {least}"),
            most if most == least => format!("{least}"),
            most => format!("{least} to {most}"),
        };
        return bad(format!("{} takes {range} inputs, but the node has {n}", node.op_type));
    }
    if node.output.len() > known.max_outputs {
        return bad(format!(
            "{} has at most {} outputs, but the node names {}",
            node.op_type,
            known.max_outputs,
            node.output.len()
        ));
    }
    Ok(())
}

fn results(
    env: &mut Env,
    frame: &mut Frame,
    scope: &Scope,
    node: &NodeProto,
    inputs: &[Option<Slot>],
) -> Result<Vec<Slot>, ImportError> {
    match handler(env, scope, node)? {
        Chosen::Function(function) => inline(env, frame, scope, node, function, inputs),
        Chosen::Row(handler, opset) => {
            check_arity(node)?;
            let mut cx = Cx::new(env, frame, scope, node, opset);
            match handler {
                Handler::Slots(import) => import(&mut cx, inputs),
                Handler::Values(import) => {
                    let values: Vec<Option<ValueId>> = inputs.iter().map(tensor_operand).collect::<Result<_, _>>()?;
                    Ok(import(&mut cx, &values)?.into_iter().map(Slot::Value).collect())
                }
            }
        }
    }
}

fn tensor_operand(slot: &Option<Slot>) -> Result<Option<ValueId>, ImportError> {
    match slot {
        None => Ok(None),
        Some(Slot::Value(value)) => Ok(Some(*value)),
        Some(Slot::Sequence(_)) => bad("a sequence where a tensor belongs"),
        Some(Slot::Nothing) => bad("an empty optional where a tensor belongs"),
        Some(Slot::Poisoned) => Err(ImportError::Reported),
    }
}
