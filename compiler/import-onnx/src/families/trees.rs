//! Ensembles of decision trees of `ai.onnx.ml`: all trees walk at once, one level at a time, through tables of nodes.

use super::kit::*;
use super::ml::{as_float, post_transform};
use super::trees_read::{floats, read_named, read_tables};

pub(crate) const ROWS: &[Row] = &[
    Row::of("ai.onnx.ml", "TreeEnsemble", 5, tree_ensemble),
    Row::of("ai.onnx.ml", "TreeEnsembleRegressor", 1, tree_ensemble_regressor),
];

/// How a node compares a feature with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Leaf,
    Le,
    Lt,
    Ge,
    Gt,
    Eq,
    Ne,
    Member,
}

pub(super) const MODES: [Mode; 7] = [Mode::Le, Mode::Lt, Mode::Ge, Mode::Gt, Mode::Eq, Mode::Ne, Mode::Member];

/// A node; a leaf leads to itself.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub mode: Mode,
    pub feature: i64,
    pub value: f64,
    pub members: Vec<f64>,
    pub nan_is_true: bool,
    pub if_true: usize,
    pub if_false: usize,
    /// Pairs of target and weight, at leaves.
    pub weights: Vec<(usize, f64)>,
}

/// How the trees' numbers are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Average,
    Sum,
    Min,
    Max,
}

/// Nodes of all trees in one table.
pub(super) struct Ensemble {
    pub nodes: Vec<Node>,
    pub roots: Vec<usize>,
    pub targets: usize,
    pub aggregate: Aggregate,
}

impl Ensemble {
    /// The most steps from a root to a leaf; `None` if the nodes do not form trees.
    fn depth(&self) -> Option<usize> {
        let mut level = self.roots.clone();
        for depth in 0..=self.nodes.len() {
            let inner = level.iter().map(|at| self.nodes.get(*at));
            let inner: Vec<&Node> = inner.collect::<Option<_>>()?;
            level = inner
                .into_iter()
                .filter(|node| node.mode != Mode::Leaf)
                .flat_map(|node| [node.if_true, node.if_false])
                .collect();
            if level.is_empty() {
                return Some(depth);
            }
            if level.len() > self.nodes.len() {
                return None;
            }
        }
        None
    }

    fn table(&self, b: &mut Builder, dtype: DType, of: impl Fn(&Node) -> Scalar) -> One {
        let at = |idx: usize| of(&self.nodes[idx]);
        Ok(b.constant(Tensor::build(dtype, vec![self.nodes.len()], at))?)
    }

    /// Whether the present nodes' conditions hold for features `x[rows, trees]`.
    fn condition(&self, b: &mut Builder, x: ValueId, at: ValueId) -> One {
        let dtype = b.dtype(x);
        let value = self.table(b, dtype, |node| Scalar::Float(node.value))?;
        let value = b.emit(ops::Gather { axis: 0 }, &[value, at])?;
        let mut result = None;
        for mode in MODES {
            if !self.nodes.iter().any(|node| node.mode == mode) {
                continue;
            }
            let holds = match mode {
                Mode::Le => b.compare(CompareKind::Le, x, value)?,
                Mode::Lt => b.compare(CompareKind::Lt, x, value)?,
                Mode::Ge => b.compare(CompareKind::Ge, x, value)?,
                Mode::Gt => b.compare(CompareKind::Gt, x, value)?,
                Mode::Eq => b.compare(CompareKind::Eq, x, value)?,
                Mode::Ne => b.compare(CompareKind::Ne, x, value)?,
                Mode::Member | Mode::Leaf => self.is_member(b, x, at)?,
            };
            result = Some(match result {
                None => holds,
                Some(before) => {
                    let is = |node: &Node| Scalar::Bool(node.mode == mode);
                    let is = self.table(b, DType::Bool, is)?;
                    let is = b.emit(ops::Gather { axis: 0 }, &[is, at])?;
                    b.select(is, holds, before)?
                }
            });
        }
        let holds = match result {
            Some(holds) => holds,
            None => b.compare(CompareKind::Eq, x, x)?,
        };
        if !self.nodes.iter().any(|node| node.nan_is_true) {
            return Ok(holds);
        }
        let tracks = self.table(b, DType::Bool, |node| Scalar::Bool(node.nan_is_true))?;
        let tracks = b.emit(ops::Gather { axis: 0 }, &[tracks, at])?;
        let nan = b.unary(UnaryKind::IsNan, x)?;
        let tracks = b.binary(BinaryKind::And, tracks, nan)?;
        Ok(b.binary(BinaryKind::Or, holds, tracks)?)
    }

    /// Whether features are among the present nodes' members; lists are filled up by NaN, which equals nothing.
    fn is_member(&self, b: &mut Builder, x: ValueId, at: ValueId) -> One {
        let most = self.nodes.iter().map(|n| n.members.len()).max();
        let most = most.unwrap_or(0).max(1);
        let member = |idx: usize| {
            let members = &self.nodes[idx / most].members;
            Scalar::Float(members.get(idx % most).copied().unwrap_or(f64::NAN))
        };
        let table = Tensor::build(b.dtype(x), vec![self.nodes.len(), most], member);
        let table = b.constant(table)?;
        let members = b.emit(ops::Gather { axis: 0 }, &[table, at])?;
        let x = unsqueeze(b, x, 2)?;
        let equal = b.compare(CompareKind::Eq, x, members)?;
        let equal = b.cast(equal, DType::I32)?;
        let any = b.reduce(ReduceKind::Max, equal, &[2], false)?;
        compare_num(b, CompareKind::Gt, any, 0.0)
    }

    /// The results `[rows, targets]` for features `[rows, features]`.
    fn run(&self, b: &mut Builder, x: ValueId) -> One {
        let Some(depth) = self.depth() else {
            return bad("the nodes are not trees");
        };
        let (rows, trees) = (b.shape(x)[0].clone(), self.roots.len());
        let roots: Vec<i64> = self.roots.iter().map(|root| *root as i64).collect();
        let roots = b.ints(&roots)?;
        let mut at = b.broadcast(roots, vec![rows, trees.into()])?;
        let int = |v: usize| Scalar::Int(v as i128);
        for _ in 0..depth {
            let feature = |node: &Node| Scalar::Int(node.feature.into());
            let feature = self.table(b, DType::I64, feature)?;
            let feature = b.emit(ops::Gather { axis: 0 }, &[feature, at])?;
            let value = b.emit(ops::GatherElements { axis: 1 }, &[x, feature])?;
            let holds = self.condition(b, value, at)?;
            let next = self.table(b, DType::I64, |node| int(node.if_true))?;
            let if_true = b.emit(ops::Gather { axis: 0 }, &[next, at])?;
            let next = self.table(b, DType::I64, |node| int(node.if_false))?;
            let if_false = b.emit(ops::Gather { axis: 0 }, &[next, at])?;
            at = b.select(holds, if_true, if_false)?;
        }
        self.combined(b, x, at)
    }

    /// The numbers of the leaves `[rows, trees]`, target by target.
    fn combined(&self, b: &mut Builder, x: ValueId, leaves: ValueId) -> One {
        let (neutral, kind) = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => (0.0, ReduceKind::Sum),
            Aggregate::Min => (f64::INFINITY, ReduceKind::Min),
            Aggregate::Max => (f64::NEG_INFINITY, ReduceKind::Max),
        };
        let weight = |idx: usize| {
            let (node, target) = (&self.nodes[idx / self.targets], idx % self.targets);
            let mut own = node.weights.iter().filter(|(t, _)| *t == target).peekable();
            Scalar::Float(match own.peek() {
                None => neutral,
                Some(_) => own.map(|(_, w)| w).sum(),
            })
        };
        let table = Tensor::build(b.dtype(x), vec![self.nodes.len(), self.targets], weight);
        let table = b.constant(table)?;
        let values = b.emit(ops::Gather { axis: 0 }, &[table, leaves])?;
        let result = b.reduce(kind, values, &[1], false)?;
        if self.aggregate != Aggregate::Average {
            return Ok(result);
        }
        with_num(b, BinaryKind::Div, result, self.roots.len() as f64)
    }
}

fn finished(cx: &mut Cx, inputs: Inputs, ensemble: &Ensemble) -> Result<ValueId, ImportError> {
    let x = cx.input(inputs, 0)?;
    if cx.b.rank(x) != 2 {
        return bad(format!("features in {}", cx.b.ty(x)));
    }
    let x = as_float(cx.b, x)?;
    ensemble.run(cx.b, x)
}

fn tree_ensemble(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let ensemble = read_tables(cx)?;
    let scores = finished(cx, inputs, &ensemble)?;
    match cx.attr_i("post_transform", 0)? {
        0 => Ok(vec![scores]),
        1 => Ok(vec![super::softmax::softmax_axes(cx.b, scores, &[1])?]),
        2 => Ok(vec![cx.b.unary(UnaryKind::Sigmoid, scores)?]),
        3 => Ok(vec![super::ml::softmax_zero(cx.b, scores, 1)?]),
        other => unsupported(format!("post_transform {other}")),
    }
}

fn tree_ensemble_regressor(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let ensemble = read_named(cx)?;
    let base = floats(cx, "base_values")?;
    let mut scores = finished(cx, inputs, &ensemble)?;
    if !base.is_empty() {
        let dtype = cx.b.dtype(scores);
        let base = super::ml::vector(cx.b, &base, dtype)?;
        scores = cx.b.add(scores, base)?;
    }
    Ok(vec![post_transform(cx, scores)?])
}
