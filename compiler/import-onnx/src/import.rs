//! A model into a graph: versions, signature, weights, nodes, results.

use crate::env::{Env, Frame, MAX_NODES, Scope, Slot, Symbols};
use crate::error::Needs;
use crate::external::ExternalData;
use crate::model::Model;
use crate::nodes::import_nodes;
use crate::proto::{
    DimensionValue, FunctionProto, GraphProto, OperatorSetIdProto, TensorTypeProto, TypeValue, ValueInfoProto,
};
use crate::registry::canonical_domain;
use crate::tensors::{TensorFault, dtype_of};
use diag::{Code, Diagnostic, Loc, Reported, Sink};
use graph::{Builder, Graph, Port, ValueId};
use std::collections::BTreeMap;
use tensor::{Bounds, Dim, Range, Tensor, TensorType};

/// The newest version of the `ai.onnx` operators that is understood.
pub const NEWEST_OPSET: i64 = 28;

/// What the user says about a model's inputs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Inputs that are constants with these values; they stay in the signature.
    pub freeze: BTreeMap<String, Tensor>,
    /// Dimensions by their name in the model (or `INPUT_AXIS` where they have none), replaced by numbers or other symbols.
    pub dims: BTreeMap<String, Dim>,
    /// Ranges of dimensions that stay symbols, by their name in the model.
    pub ranges: BTreeMap<String, Range>,
    /// Shapes of inputs, in place of those that the model declares.
    pub shapes: BTreeMap<String, Vec<Dim>>,
}

/// An imported model.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The graph, with all inputs and outputs of the model in their order.
    pub graph: Graph,
    /// The model's own key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// Versions of the operator domains; `""` is ONNX itself.
    pub opsets: BTreeMap<String, i64>,
    /// Inputs that the graph takes as constants: a run must be given these values, or none.
    pub frozen: BTreeMap<String, Tensor>,
    /// Names of the symbols' dimensions in the model, by symbol.
    pub dim_names: BTreeMap<String, String>,
    /// What was promised of symbols, and what the import assumed of them; whoever runs the graph must check both.
    pub bounds: Bounds,
}

/// A model that could not be imported; the sink says why.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Proof that the reasons are in the sink.
    pub reported: Reported,
    /// What could be given for a second try, if errors ask for constants.
    pub needs: Needs,
    /// The nodes that could be imported, with every result that no other uses as an output; where it came so far.
    pub partial: Option<Box<Graph>>,
}

impl From<Failed> for Reported {
    fn from(failed: Failed) -> Reported {
        failed.reported
    }
}

/// Imports a model.
pub fn import(
    model: &Model,
    options: &Options,
    external: Option<&dyn ExternalData>,
    sink: &mut Sink,
) -> Result<Imported, Failed> {
    let mut env = Env {
        model: model.name.clone(),
        functions: functions(&model.proto.functions),
        options,
        external,
        sink,
        needs: Needs::default(),
        symbols: Symbols::default(),
        bounds: Bounds::default(),
        partial: None,
        nodes_left: MAX_NODES,
        depth: 0,
    };
    let reserved = options.dims.values().chain(options.shapes.values().flatten());
    for dim in reserved {
        env.symbols.reserve(dim);
        assume_not_empty(&mut env.bounds, dim);
    }
    let imported = import_model(model, &mut env);
    let (needs, partial) = (std::mem::take(&mut env.needs), env.partial.take().map(Box::new));
    let checked = match (imported, sink.check()) {
        (Ok(imported), Ok(())) => Ok(imported),
        (Err(reported), _) | (_, Err(reported)) => Err(reported),
    };
    checked.map_err(|reported| Failed { reported, needs, partial })
}

/// Symbols of shapes are taken to be at least 1, where that makes a difference, as long as nothing is said of them.
fn assume_not_empty(bounds: &mut Bounds, dim: &Dim) {
    let mut symbols = Vec::new();
    dim.symbols(&mut symbols);
    symbols.into_iter().for_each(|symbol| bounds.assume_not_empty(symbol));
}

fn functions(all: &[FunctionProto]) -> BTreeMap<(&str, &str, &str), &FunctionProto> {
    all.iter().map(|f| ((canonical_domain(&f.domain), f.name.as_str(), f.overload.as_str()), f)).collect()
}

/// Versions by domain.
pub(crate) fn opset_table(entries: &[OperatorSetIdProto]) -> BTreeMap<String, i64> {
    entries.iter().map(|entry| (canonical_domain(&entry.domain).to_string(), entry.version)).collect()
}

fn import_model(model: &Model, env: &mut Env) -> Result<Imported, Reported> {
    let file = Loc::File(model.name.clone());
    let Some(graph) = &model.proto.graph else {
        let error = Diagnostic::error(Code::BadFile, file, "the model holds no graph");
        return Err(env.sink.report(error));
    };
    let opsets = opset_table(&model.proto.opset_import);
    check_opsets(&opsets, &file, env)?;
    for function in &model.proto.functions {
        check_newest(&opset_table(&function.opset_import), &file, env)?;
    }
    let mut frame = Frame { b: Builder::new(&graph.name), origins: BTreeMap::new() };
    frame.b.set_loc(file.clone());
    let mut scope = Scope { opsets: opsets.clone().into(), ..Scope::default() };
    let frozen = define_inputs(env, &mut frame, &mut scope, graph, &file);
    *frame.b.bounds_mut() = env.bounds.clone();
    define_initializers(env, &mut frame, &mut scope, graph, &file);
    import_nodes(env, &mut frame, &mut scope, &graph.node);
    define_outputs(env, &mut frame, &scope, graph, &file);
    let mut finished = frame.b.finish();
    if let Err(reported) = env.sink.check() {
        expose_unused(&mut finished);
        env.partial = Some(finished);
        return Err(reported);
    }
    graph::eliminate_dead(&mut finished);
    let metadata = &model.proto.metadata_props;
    Ok(Imported {
        graph: finished,
        metadata: metadata.iter().map(|e| (e.key.clone(), e.value.clone())).collect(),
        opsets,
        frozen,
        dim_names: env.symbols.names(),
        bounds: env.bounds.clone(),
    })
}

/// Makes outputs of what no node uses, so that nothing is dead code only because the nodes after it are missing.
fn expose_unused(graph: &mut Graph) {
    let users = graph.users();
    let results = graph.nodes.iter().flat_map(|node| &node.outputs);
    let unused: Vec<ValueId> =
        results.copied().filter(|value| users[value.index()].is_empty() && !graph.is_output(*value)).collect();
    for value in unused {
        graph.outputs.push(Port { name: format!("unused {}", value.index()), value });
    }
}

fn check_opsets(opsets: &BTreeMap<String, i64>, file: &Loc, env: &mut Env) -> Result<(), Reported> {
    if opsets.is_empty() {
        let error =
            Diagnostic::error(Code::BadFile, file.clone(), "the model does not say which operator versions it uses")
                .note("`opset_import` is empty; export the model again with a current exporter");
        return Err(env.sink.report(error));
    }
    if let Some(old) = opsets.get("").filter(|version| **version < 7) {
        let warning = Diagnostic::warning(
            Code::Unsupported,
            file.clone(),
            format!("opset {old} is older than 7; its operators are read as those of opset 7 where they differ"),
        )
        .note("onnx.version_converter converts models to a newer opset");
        env.sink.warn(warning);
    }
    check_newest(opsets, file, env)
}

fn check_newest(opsets: &BTreeMap<String, i64>, file: &Loc, env: &mut Env) -> Result<(), Reported> {
    match opsets.get("") {
        Some(version) if *version > NEWEST_OPSET => {
            let error = Diagnostic::error(
                Code::Unsupported,
                file.clone(),
                format!("opset {version} is newer than {NEWEST_OPSET}, the newest that is supported"),
            )
            .note("export the model with an older opset, or convert it by onnx.version_converter");
            Err(env.sink.report(error))
        }
        Some(version) if *version < 1 => {
            let error = Diagnostic::error(Code::BadFile, file.clone(), format!("there is no opset {version}"));
            Err(env.sink.report(error))
        }
        _ => Ok(()),
    }
}

/// Adds the inputs that are not weights; gives those that are frozen.
fn define_inputs(
    env: &mut Env,
    frame: &mut Frame,
    scope: &mut Scope,
    graph: &GraphProto,
    file: &Loc,
) -> BTreeMap<String, Tensor> {
    let weights: std::collections::BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut frozen = BTreeMap::new();
    for input in graph.input.iter().filter(|i| !weights.contains(i.name.as_str())) {
        let ty = match input_type(env, input) {
            Ok(ty) => ty,
            Err(diagnostic) => {
                let mut diagnostic = *diagnostic;
                diagnostic.loc = file.clone();
                env.sink.report(diagnostic);
                scope.names.insert(input.name.clone(), Slot::Poisoned);
                continue;
            }
        };
        let value = frame.b.input(&input.name, ty.clone());
        let mut origin = Needs::default();
        origin.inputs.insert(input.name.clone());
        frame.origins.insert(value, origin);
        let mut slot = Slot::Value(value);
        if let Some(tensor) = env.options.freeze.get(&input.name) {
            match freeze(frame, &ty, tensor) {
                Ok(constant) => {
                    slot = Slot::Value(constant);
                    frozen.insert(input.name.clone(), tensor.clone());
                }
                Err(why) => {
                    let message = format!("input `{}` cannot be frozen: {why}", input.name);
                    env.sink.report(Diagnostic::error(Code::Type, file.clone(), message));
                }
            }
        }
        if scope.names.insert(input.name.clone(), slot).is_some() {
            report_twice(env, file, &input.name);
        }
    }
    frozen
}

fn freeze(frame: &mut Frame, ty: &TensorType, tensor: &Tensor) -> Result<graph::ValueId, String> {
    let fits = tensor.dtype() == ty.dtype
        && tensor.rank() == ty.rank()
        && ty
            .shape
            .iter()
            .zip(tensor.shape())
            .all(|(dim, size)| dim.as_const().is_none_or(|d| usize::try_from(d) == Ok(*size)));
    if !fits {
        return Err(format!("its type is {ty}, the value's {}", tensor.ty()));
    }
    frame.b.constant(tensor.clone()).map_err(|e| e.to_string())
}

fn report_twice(env: &mut Env, file: &Loc, name: &str) {
    let message = format!("`{name}` is defined twice");
    env.sink.report(Diagnostic::error(Code::BadGraph, file.clone(), message));
}

/// The type of a graph input; unnamed dimensions become new symbols.
fn input_type(env: &mut Env, input: &ValueInfoProto) -> Result<TensorType, Box<Diagnostic>> {
    let name = &input.name;
    let error = |code: Code, message: String| Box::new(Diagnostic::error(code, Loc::Unknown, message));
    let proto = match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(TypeValue::Tensor(proto)) => proto,
        Some(other) => {
            return Err(error(Code::Unsupported, format!("input `{name}` is {}, not a tensor", kind_of(other))));
        }
        None => return Err(error(Code::BadGraph, format!("input `{name}` has no type"))),
    };
    let dtype = dtype_of(proto.elem_type).map_err(|fault| {
        let code = match fault {
            TensorFault::Unsupported(_) => Code::Unsupported,
            _ => Code::BadFile,
        };
        error(code, format!("input `{name}`: {fault}"))
    })?;
    if let Some(shape) = env.options.shapes.get(name) {
        return Ok(TensorType { dtype, shape: shape.clone() });
    }
    if let (None, Some(tensor)) = (&proto.shape, env.options.freeze.get(name)) {
        return Ok(TensorType { dtype, shape: tensor.ty().shape });
    }
    let Some(shape) = declared_shape(env, name, proto) else {
        env.needs.shapes.insert(name.clone());
        return Err(Box::new(
            Diagnostic::error(
                Code::NeedsConstant,
                Loc::Unknown,
                format!("the model does not say how many axes input `{name}` has"),
            )
            .note("give the shape of this input"),
        ));
    };
    let elements = shape
        .iter()
        .filter_map(Dim::as_const)
        .try_fold(1i64, |n, d| n.checked_mul(d).filter(|n| d >= 0 && *n < 1 << 46));
    if elements.is_none() {
        return Err(error(Code::BadGraph, format!("input `{name}` has an impossible shape")));
    }
    Ok(TensorType { dtype, shape })
}

fn kind_of(value: &TypeValue) -> &'static str {
    match value {
        TypeValue::Tensor(_) => "a tensor",
        TypeValue::Sequence(_) => "a sequence",
        TypeValue::Map(_) => "a map",
        TypeValue::SparseTensor(_) => "a sparse tensor",
        TypeValue::Optional(_) => "an optional",
    }
}

/// Whether a dimension's name is one. Some exporters write `?` for every extent that they do not know, which does not make
/// those equal.
pub fn is_dim_name(name: &str) -> bool {
    name.contains(|c: char| c.is_alphanumeric() || c == '_')
}

fn declared_shape(env: &mut Env, name: &str, proto: &TensorTypeProto) -> Option<Vec<Dim>> {
    let dims = &proto.shape.as_ref()?.dim;
    let mut shape = Vec::with_capacity(dims.len());
    for (axis, dim) in dims.iter().enumerate() {
        let unnamed = format!("{name}_{axis}");
        let param = match &dim.value {
            Some(DimensionValue::Value(size)) if *size >= 0 => {
                shape.push(Dim::from(*size));
                continue;
            }
            Some(DimensionValue::Param(param)) if is_dim_name(param) => param,
            _ => &unnamed,
        };
        let dim = env.symbols.param(param, &env.options.dims);
        match (env.options.ranges.get(param), dim.as_symbol()) {
            (Some(range), Some(symbol)) => env.bounds.promise(symbol.clone(), *range),
            _ => assume_not_empty(&mut env.bounds, &dim),
        }
        shape.push(dim);
    }
    Some(shape)
}

/// Adds the weights of a graph or subgraph.
pub(crate) fn define_initializers(env: &mut Env, frame: &mut Frame, scope: &mut Scope, graph: &GraphProto, file: &Loc) {
    for proto in &graph.initializer {
        let decoded = crate::tensors::decode(proto, env.external);
        define_weight(env, frame, scope, &proto.name, decoded, file);
    }
    for sparse in &graph.sparse_initializer {
        let name = sparse.values.as_ref().map_or("", |t| t.name.as_str()).to_string();
        let decoded = crate::sparse::dense(sparse, env.external);
        define_weight(env, frame, scope, &name, decoded, file);
    }
}

fn define_weight(
    env: &mut Env,
    frame: &mut Frame,
    scope: &mut Scope,
    name: &str,
    decoded: Result<Tensor, TensorFault>,
    file: &Loc,
) {
    let slot = match decoded {
        Ok(tensor) => match frame.b.constant(tensor) {
            Ok(value) => {
                frame.b.name_value(value, name);
                Slot::Value(value)
            }
            Err(_) => Slot::Poisoned,
        },
        Err(fault) => {
            let code = match fault {
                TensorFault::Unsupported(_) => Code::Unsupported,
                TensorFault::Bad(_) => Code::BadFile,
                TensorFault::External(_) => Code::ExternalData,
            };
            let message = format!("initializer `{name}`: {fault}");
            env.sink.report(Diagnostic::error(code, file.clone(), message));
            Slot::Poisoned
        }
    };
    if scope.names.insert(name.into(), slot).is_some() {
        report_twice(env, file, name);
    }
}

fn define_outputs(env: &mut Env, frame: &mut Frame, scope: &Scope, graph: &GraphProto, file: &Loc) {
    if graph.output.is_empty() {
        let message = "the graph has no outputs";
        env.sink.report(Diagnostic::error(Code::BadGraph, file.clone(), message));
    }
    for output in &graph.output {
        let name = &output.name;
        let (code, message) = match scope.names.get(name) {
            Some(Slot::Value(value)) => {
                let found = frame.b.ty(*value).clone();
                frame.b.output(name, *value);
                match declared_dtype(output) {
                    Some(declared) if declared != found.dtype => {
                        (Code::Type, format!("output `{name}` is declared as {declared}, but its type is {found}"))
                    }
                    _ => continue,
                }
            }
            Some(Slot::Poisoned) => continue,
            Some(Slot::Sequence(_)) => (Code::Unsupported, format!("output `{name}` is a sequence, not a tensor")),
            Some(Slot::Nothing) => (Code::Unsupported, format!("output `{name}` is an optional, not a tensor")),
            None => (Code::BadGraph, format!("output `{name}` is not defined by any node")),
        };
        env.sink.report(Diagnostic::error(code, file.clone(), message));
    }
}

fn declared_dtype(output: &ValueInfoProto) -> Option<tensor::DType> {
    match output.r#type.as_ref()?.value.as_ref()? {
        TypeValue::Tensor(proto) => dtype_of(proto.elem_type).ok(),
        _ => None,
    }
}
