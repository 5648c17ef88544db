//! The text being written: values as tensors, and the operations that all families share.

use super::{Functions, Linalg, Missing, NoLinalg, Results};
use crate::attribute::quoted;
use crate::literal::dense;
use graph::{Graph, Node, Port, ValueId};
use kernels::text::{Scalar, Val, Writer};
use std::collections::BTreeMap;
use tensor::{DType, Dim, Symbol, TensorType};

/// Why a node has no form.
pub(super) type Reason = String;
pub(super) type Result<T> = std::result::Result<T, Reason>;

/// A tensor of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tens {
    pub(super) name: String,
    pub(super) elem: Scalar,
    pub(super) shape: Vec<Dim>,
}

impl Tens {
    /// Its type.
    pub(super) fn ty(&self) -> String {
        shaped("tensor", &self.shape, self.elem)
    }

    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// `tensor<?x4xf32>`, or the same with `memref`.
fn shaped(kind: &str, shape: &[Dim], elem: Scalar) -> String {
    let dims: String = shape.iter().map(|dim| size(dim).map_or("?x".into(), |n| format!("{n}x"))).collect();
    format!("{kind}<{dims}{elem}>")
}

/// A size that the type says.
pub(super) fn size(dim: &Dim) -> Option<i64> {
    dim.as_const().filter(|n| *n >= 0)
}

/// The type of an element in registers, which is also that in memory.
pub(super) fn element(dtype: DType) -> Result<Scalar> {
    Ok(match dtype {
        DType::Bool => Scalar::I1,
        DType::I8 | DType::U8 => Scalar::I8,
        DType::I16 | DType::U16 => Scalar::I16,
        DType::I32 | DType::U32 => Scalar::I32,
        DType::I64 | DType::U64 => Scalar::I64,
        DType::F16 => Scalar::F16,
        DType::BF16 => Scalar::BF16,
        DType::F32 => Scalar::F32,
        DType::F64 => Scalar::F64,
        narrow => return Err(format!("MLIR's passes do not lower arithmetic and memory of {narrow}")),
    })
}

/// An operand or result of a [`Form::generic`], with the map from loops to its indices: `(d0, d1) -> (d0)`.
pub(super) type Mapped<'a> = (&'a Tens, String);

/// The affine map of `rank` loops to these indices.
pub(super) fn map(rank: usize, indices: &[String]) -> String {
    let loops: Vec<String> = (0..rank).map(|d| format!("d{d}")).collect();
    format!("affine_map<({}) -> ({})>", loops.join(", "), indices.join(", "))
}

/// The map of `rank` loops to these of them.
pub(super) fn loops(rank: usize, picked: impl IntoIterator<Item = usize>) -> String {
    map(rank, &picked.into_iter().map(|d| format!("d{d}")).collect::<Vec<_>>())
}

/// The map of all loops to themselves.
pub(super) fn identity(rank: usize) -> String {
    loops(rank, 0..rank)
}

/// The module being written.
pub(super) struct Form<'g> {
    pub(super) w: Writer,
    pub(super) graph: &'g Graph,
    pub(super) options: &'g Linalg,
    pub(super) symbols: BTreeMap<Symbol, Val>,
    /// Dimensions that were computed where everything sees them.
    pub(super) computed: BTreeMap<Dim, Val>,
    /// How many bodies are open.
    pub(super) depth: usize,
    values: BTreeMap<ValueId, Tens>,
    n_names: usize,
    missing: Vec<Missing>,
}

impl<'g> Form<'g> {
    pub(super) fn new(graph: &'g Graph, options: &'g Linalg) -> Self {
        let mut w = Writer::new();
        w.set_math_dialect(true);
        let (symbols, computed, values) = Default::default();
        Form { w, graph, options, symbols, computed, depth: 0, values, n_names: 0, missing: vec![] }
    }

    pub(super) fn finish(self) -> std::result::Result<String, NoLinalg> {
        if self.missing.is_empty() { Ok(self.w.finish()) } else { Err(NoLinalg { missing: self.missing }) }
    }

    /// Whether functions are written out.
    pub(super) fn writes_functions(&self) -> bool {
        self.options.functions == Functions::Written
    }

    pub(super) fn module(&mut self) {
        self.w.open("module");
        for (what, ports) in [("parameter", &self.graph.inputs), ("result", &self.graph.outputs)] {
            for (idx, port) in ports.iter().enumerate() {
                let (name, ty) = (quoted(&port.name), self.graph.ty(port.value));
                self.w.line(format_args!("// {what} {idx}: {name} {ty}"));
            }
        }
        let header = self.header();
        self.w.begin_function(header);
        self.body();
        self.w.end_function();
        self.w.close("}");
    }

    fn header(&mut self) -> String {
        let destinations = self.options.results == Results::Destinations;
        let mut parameters = vec![];
        for (idx, port) in self.graph.inputs.iter().enumerate() {
            let Some(tens) = self.typed(port.value, format!("%arg{idx}")) else { continue };
            let mark = if destinations { " {bufferization.writable = false}" } else { "" };
            parameters.push(format!("{}: {}{mark}", tens.name, tens.ty()));
            self.values.insert(port.value, tens);
        }
        let outputs: Vec<&Port> = self.graph.outputs.iter().collect();
        let types: Vec<Tens> = outputs.iter().filter_map(|port| self.typed(port.value, String::new())).collect();
        let name = quoted(&self.graph.name);
        if destinations {
            let into = |(idx, t): (usize, &Tens)| format!("%out{idx}: {}", shaped("memref", &t.shape, t.elem));
            parameters.extend(types.iter().enumerate().map(into));
            return format!("func.func @{name}({})", parameters.join(", "));
        }
        let types: Vec<String> = types.iter().map(Tens::ty).collect();
        format!("func.func @{name}({}) -> ({})", parameters.join(", "), types.join(", "))
    }

    /// A port's tensor; where its element type has no form, that is recorded.
    fn typed(&mut self, value: ValueId, name: String) -> Option<Tens> {
        let ty = self.graph.ty(value);
        match element(ty.dtype) {
            Ok(elem) => Some(Tens { name, elem, shape: ty.shape.clone() }),
            Err(reason) => {
                let op = format!("a parameter or result of type {ty}");
                let missing = Missing { op, loc: diag::Loc::Unknown, reason };
                // A value may be parameter and result, or several results.
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
                None
            }
        }
    }

    fn body(&mut self) {
        self.symbols_of_inputs();
        for node in &self.graph.nodes {
            self.checked(node);
        }
        if !self.missing.is_empty() {
            return;
        }
        let outputs: Vec<Tens> = self.graph.outputs.iter().map(|p| self.retyped(p.value)).collect();
        if self.options.results == Results::Destinations {
            for (idx, tens) in outputs.iter().enumerate() {
                let (name, ty, into) = (&tens.name, tens.ty(), shaped("memref", &tens.shape, tens.elem));
                self.w.line(format_args!(
                    "bufferization.materialize_in_destination {name} in restrict writable %out{idx} : ({ty}, {into}) -> ()"
                ));
            }
            self.w.line("return");
            return;
        }
        let names: Vec<&str> = outputs.iter().map(|t| &*t.name).collect();
        let types: Vec<String> = outputs.iter().map(Tens::ty).collect();
        match names.is_empty() {
            true => self.w.line("return"),
            false => self.w.line(format_args!("return {} : {}", names.join(", "), types.join(", "))),
        }
    }

    /// A result in the type that the function's header says.
    fn retyped(&mut self, value: ValueId) -> Tens {
        let tens = self.values[&value].clone();
        let shape = self.graph.ty(value).shape.clone();
        self.cast_shape(tens, &shape)
    }

    /// Writes a node, or records why not. After a first failure its readers say nothing.
    fn checked(&mut self, node: &Node) {
        if node.inputs.iter().any(|v| !self.values.contains_key(v)) {
            // What it reads is missing; whether it has a form itself is still worth saying.
            if let Err(reason) = super::node::refused(self.graph, node) {
                self.miss(node, reason);
            }
            return;
        }
        match self.node(node) {
            Ok(Some(tens)) => _ = self.values.insert(node.outputs[0], tens),
            Ok(None) => {}
            Err(reason) => self.miss(node, reason),
        }
    }

    fn miss(&mut self, node: &Node, reason: Reason) {
        self.missing.push(Missing { op: node.op.name().into(), loc: node.loc.clone(), reason });
    }

    /// The tensor of a value.
    pub(super) fn value(&self, value: ValueId) -> Tens {
        self.values[&value].clone()
    }

    pub(super) fn ty(&self, value: ValueId) -> &'g TensorType {
        self.graph.ty(value)
    }

    /// A tensor that is yet to be defined.
    pub(super) fn fresh(&mut self, elem: Scalar, shape: &[Dim]) -> Tens {
        self.n_names += 1;
        Tens { name: format!("%v{}", self.n_names), elem, shape: shape.to_vec() }
    }

    /// A tensor defined by an operation.
    pub(super) fn define(&mut self, elem: Scalar, shape: &[Dim], text: impl FnOnce(&str) -> String) -> Tens {
        let tens = self.fresh(elem, shape);
        let text = text(&tens.ty());
        self.w.line(format_args!("{} = {text}", tens.name));
        tens
    }

    /// A constant.
    pub(super) fn constant(&mut self, tensor: &tensor::Tensor) -> Result<Tens> {
        let elem = element(tensor.dtype())?;
        let shape: Vec<Dim> = tensor.shape().iter().map(|n| Dim::from(*n)).collect();
        let text = dense(&signless(tensor), self.options.max_elements);
        Ok(self.define(elem, &shape, |ty| format!("arith.constant {text} : {ty}")))
    }

    /// A tensor without contents.
    pub(super) fn empty(&mut self, elem: Scalar, shape: &[Dim]) -> Result<Tens> {
        let sizes = self.open_sizes(shape)?;
        Ok(self.define(elem, shape, |ty| format!("tensor.empty({sizes}) : {ty}")))
    }

    /// A tensor with one number everywhere.
    pub(super) fn filled(&mut self, shape: &[Dim], number: Val) -> Result<Tens> {
        let elem = number.ty.elem();
        let empty = self.empty(elem, shape)?;
        Ok(self.define(elem, shape, |ty| {
            format!("linalg.fill ins({number} : {elem}) outs({} : {ty}) -> {ty}", empty.name)
        }))
    }

    /// The element of a tensor without axes.
    pub(super) fn scalar(&mut self, tens: &Tens) -> Val {
        self.w.op(tens.elem.into(), format_args!("tensor.extract {}[] : {}", tens.name, tens.ty()))
    }

    /// A loop nest over `ins` that starts from `outs`: the body gets an element of each and gives the results' elements.
    /// `reduced` says which loops combine.
    pub(super) fn generic(
        &mut self,
        ins: &[Mapped],
        outs: &[Mapped],
        reduced: &[bool],
        body: impl FnOnce(&mut Self, &[Val]) -> Result<Vec<Val>>,
    ) -> Result<Vec<Tens>> {
        let results: Vec<Tens> = outs.iter().map(|(t, _)| self.fresh(t.elem, &t.shape)).collect();
        let all: Vec<&Mapped> = ins.iter().chain(outs).collect();
        let maps: Vec<&str> = all.iter().map(|(_, map)| &**map).collect();
        let kinds: Vec<&str> = reduced.iter().map(|r| if *r { "\"reduction\"" } else { "\"parallel\"" }).collect();
        let list = |tensors: &[Mapped]| {
            let names: Vec<&str> = tensors.iter().map(|(t, _)| &*t.name).collect();
            let types: Vec<String> = tensors.iter().map(|(t, _)| t.ty()).collect();
            if names.is_empty() { String::new() } else { format!("{} : {}", names.join(", "), types.join(", ")) }
        };
        let names: Vec<&str> = results.iter().map(|t| &*t.name).collect();
        let header = format!(
            "{} = linalg.generic {{indexing_maps = [{}], iterator_types = [{}]}}{} outs({})",
            names.join(", "),
            maps.join(", "),
            kinds.join(", "),
            if ins.is_empty() { String::new() } else { format!(" ins({})", list(ins)) },
            list(outs)
        );
        self.w.open(header);
        let args: Vec<Val> = all.iter().map(|(t, _)| self.w.fresh(t.elem.into())).collect();
        let typed: Vec<String> = args.iter().map(|a| format!("{a}: {}", a.ty)).collect();
        self.w.middle(format_args!("^bb0({}):", typed.join(", ")));
        self.depth += 1;
        let yielded = body(self, &args);
        self.depth -= 1;
        let yielded = yielded?;
        let vals: Vec<String> = yielded.iter().map(ToString::to_string).collect();
        let types: Vec<String> = yielded.iter().map(|v| v.ty.to_string()).collect();
        self.w.line(format_args!("linalg.yield {} : {}", vals.join(", "), types.join(", ")));
        let types: Vec<String> = results.iter().map(Tens::ty).collect();
        self.w.close(match &types[..] {
            [one] => format!("}} -> {one}"),
            many => format!("}} -> ({})", many.join(", ")),
        });
        Ok(results)
    }

    /// A tensor whose every element follows from the elements at the same place.
    pub(super) fn pointwise(
        &mut self,
        ins: &[Tens],
        elem: Scalar,
        shape: &[Dim],
        body: impl FnOnce(&mut Self, &[Val]) -> Result<Val>,
    ) -> Result<Tens> {
        let rank = shape.len();
        let empty = self.empty(elem, shape)?;
        let ins: Vec<Mapped> = ins.iter().map(|t| (t, identity(rank))).collect();
        let outs = [(&empty, identity(rank))];
        let n = ins.len();
        let results = self.generic(&ins, &outs, &vec![false; rank], |form, args| Ok(vec![body(form, &args[..n])?]))?;
        Ok(results[0].clone())
    }

    /// The loop's number inside of a body, as an `index`.
    pub(super) fn loop_index(&mut self, axis: usize) -> Val {
        self.w.op(kernels::text::Ty::INDEX, format_args!("linalg.index {axis} : index"))
    }
}

/// The same bits under a type that MLIR has numbers for.
fn signless(tensor: &tensor::Tensor) -> tensor::Tensor {
    let dtype = match tensor.dtype() {
        DType::U8 => DType::I8,
        DType::U16 => DType::I16,
        DType::U32 => DType::I32,
        DType::U64 => DType::I64,
        _ => return tensor.clone(),
    };
    let same = tensor::Tensor::from_bytes(dtype, tensor.shape().to_vec(), tensor.bytes().clone());
    same.unwrap_or_else(|_| tensor.clone())
}
