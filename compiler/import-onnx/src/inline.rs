//! Functions that a model defines itself, inlined where they are called.

use crate::env::{Env, Frame, MAX_DEPTH, Scope, Slot};
use crate::error::{ImportError, bad};
use crate::import::opset_table;
use crate::nodes::{import_nodes, slot_of};
use crate::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use crate::report::node_name;

/// Imports a function's body with the operands of a call; gives the results of the call.
pub(crate) fn inline(
    env: &mut Env,
    frame: &mut Frame,
    caller: &Scope,
    node: &NodeProto,
    function: &FunctionProto,
    inputs: &[Option<Slot>],
) -> Result<Vec<Slot>, ImportError> {
    if inputs.len() > function.input.len() {
        return bad(format!(
            "function `{}` takes {} inputs, but the call has {}",
            function.name,
            function.input.len(),
            inputs.len()
        ));
    }
    if env.depth >= MAX_DEPTH {
        return bad(format!("function `{}` calls itself, or functions are nested too deeply", function.name));
    }
    let opsets = if function.opset_import.is_empty() {
        caller.opsets.clone()
    } else {
        opset_table(&function.opset_import).into()
    };
    let mut scope = Scope { opsets, path: format!("{}{}/", caller.path, node_name(node)), ..Scope::default() };
    for (name, slot) in function.input.iter().zip(inputs) {
        if let Some(slot) = slot {
            scope.names.insert(name.clone(), slot.clone());
        }
    }
    // An operand that the call leaves out is left out inside as well.
    let given = |name: &str| {
        function.input.iter().position(|n| n == name).is_none_or(|at| matches!(inputs.get(at), Some(Some(_))))
    };
    let body: Vec<NodeProto> = function.node.iter().map(|inner| bound(inner, node, function, &given)).collect();
    env.depth += 1;
    import_nodes(env, frame, &mut scope, &body);
    env.depth -= 1;
    function.output.iter().map(|name| slot_of(&scope, name)).collect()
}

/// A node of a body with references to the function's attributes replaced by their values.
fn bound(inner: &NodeProto, call: &NodeProto, function: &FunctionProto, given: &dyn Fn(&str) -> bool) -> NodeProto {
    let mut node = inner.clone();
    for name in &mut node.input {
        if !given(name) {
            name.clear();
        }
    }
    node.attribute = inner.attribute.iter().filter_map(|attr| bound_attribute(attr, call, function, given)).collect();
    node
}

fn bound_attribute(
    attr: &AttributeProto,
    call: &NodeProto,
    function: &FunctionProto,
    given: &dyn Fn(&str) -> bool,
) -> Option<AttributeProto> {
    if attr.ref_attr_name.is_empty() {
        let mut attr = attr.clone();
        let rebind = |graph: &mut GraphProto| {
            graph.node = graph.node.iter().map(|node| bound(node, call, function, given)).collect();
        };
        attr.g.iter_mut().for_each(rebind);
        attr.graphs.iter_mut().for_each(rebind);
        return Some(attr);
    }
    let mut candidates = call.attribute.iter().chain(&function.attribute_proto);
    let value = candidates.find(|a| a.name == attr.ref_attr_name)?;
    Some(AttributeProto { name: attr.name.clone(), ..value.clone() })
}
