//! Checks of a program.

use super::{Check, ensure, expression, in_range, is_symbol};
use crate::{Artifact, BlockId, HostOp, Kernels, Launch, Loop, Place, Program, Step, Variant, ViewId};
use std::collections::BTreeSet;
use tensor::DType;

/// Blocks nested deeper than this are refused, so that walks may recurse.
const MAX_DEPTH: usize = 64;

/// Tensors have at most this many axes.
const MAX_RANK: usize = 64;

pub(super) fn program(artifact: &Artifact, variant: &Variant) -> Check {
    let program = &variant.program;
    expressions(program)?;
    memory(artifact, program)?;
    for port in program.inputs.iter().chain(&program.outputs) {
        in_range("view", port.view.idx(), program.views.len())?;
    }
    blocks(program)?;
    for (idx, block) in program.blocks.iter().enumerate() {
        for (at, found) in block.iter().enumerate() {
            step(variant, found).map_err(|why| format!("block {idx}, step {at}: {why}"))?;
        }
    }
    Ok(())
}

fn expressions(program: &Program) -> Check {
    let mut known = BTreeSet::new();
    for name in &program.symbols {
        ensure(is_symbol(name) && known.insert(name.as_str()), || format!("bad symbol `{name}`"))?;
    }
    let mut symbols = vec![];
    for text in &program.exprs {
        let dim = expression(text)?;
        symbols.clear();
        dim.symbols(&mut symbols);
        for symbol in &symbols {
            ensure(known.contains(symbol.name()), || {
                format!("`{text}` mentions the unknown symbol `{}`", symbol.name())
            })?;
        }
    }
    Ok(())
}

fn memory(artifact: &Artifact, program: &Program) -> Check {
    for buffer in &program.buffers {
        in_range("expression", buffer.bytes.idx(), program.exprs.len())?;
        match buffer.place {
            Place::Arena => {}
            Place::Weight(id) => in_range("weight", id.idx(), artifact.weights.len())?,
            Place::Input(idx) => in_range("input", idx as usize, program.inputs.len())?,
            Place::Output(idx) => in_range("output", idx as usize, program.outputs.len())?,
        }
    }
    for view in &program.views {
        in_range("buffer", view.buffer.idx(), program.buffers.len())?;
        in_range("expression", view.offset.idx(), program.exprs.len())?;
        ensure(view.shape.len() <= MAX_RANK, || format!("a tensor with {} axes", view.shape.len()))?;
        for dim in &view.shape {
            in_range("expression", dim.idx(), program.exprs.len())?;
        }
    }
    Ok(())
}

/// Every block but the first is the body of exactly one step in an earlier block.
fn blocks(program: &Program) -> Check {
    ensure(!program.blocks.is_empty(), || "no entry block".into())?;
    let mut depths = vec![None; program.blocks.len()];
    depths[0] = Some(0);
    for (idx, block) in program.blocks.iter().enumerate() {
        let Some(depth) = depths[idx] else {
            return Err(format!("nothing runs block {idx}"));
        };
        ensure(depth < MAX_DEPTH, || "blocks are nested too deeply".into())?;
        for BlockId(nested) in block.iter().flat_map(Step::blocks) {
            let nested = nested as usize;
            in_range("block", nested, program.blocks.len())?;
            ensure(nested > idx && depths[nested].is_none(), || {
                format!("block {nested} has two owners or the wrong one")
            })?;
            depths[nested] = Some(depth + 1);
        }
    }
    Ok(())
}

fn step(variant: &Variant, step: &Step) -> Check {
    let program = &variant.program;
    for view in step.views() {
        in_range("view", view.idx(), program.views.len())?;
    }
    for dim in step.dims() {
        in_range("expression", dim.idx(), program.exprs.len())?;
    }
    for symbol in step.defines() {
        in_range("symbol", symbol.idx(), program.symbols.len())?;
    }
    for view in step.writes() {
        let buffer = &program.buffers[program.views[view.idx()].buffer.idx()];
        let writable = matches!(buffer.place, Place::Arena | Place::Output(_));
        ensure(writable, || "it writes a weight or an input".into())?;
    }
    let dtype = |view: ViewId| program.views[view.idx()].dtype;
    let rank = |view: ViewId| program.views[view.idx()].shape.len();
    let integer =
        |view: ViewId| ensure(dtype(view).is_int() || dtype(view) == DType::Bool, || "it needs integers".into());
    let boolean = |view: ViewId| ensure(dtype(view) == DType::Bool, || "a condition is not boolean".into());
    match step {
        Step::Launch(found) => launch(variant, found),
        Step::Dims { out, .. } => {
            integer(*out)?;
            ensure(rank(*out) <= 1, || "dimensions are written to a tensor of rank 2 or more".into())
        }
        Step::Bind { input, .. } => integer(*input),
        Step::Indices { input, sizes, .. } => {
            integer(*input)?;
            ensure(!sizes.is_empty(), || "indices of no axis".into())
        }
        Step::Expect { given, expected, .. } => {
            ensure(dtype(*given) == dtype(*expected), || "tensors of two types are never the same".into())
        }
        Step::Copy { from, to } => ensure(dtype(*from) == dtype(*to), || "a copy changes the type".into()),
        Step::Host { op, inputs, outputs, symbols, nodes } => {
            ensure(symbols.len() == op.sizes(), || format!("{} binds {} symbols", op.name(), symbols.len()))?;
            for node in nodes {
                in_range("node", node.idx(), program.nodes.len())?;
            }
            host(op, inputs.len(), outputs.len(), &rank, inputs)
        }
        Step::If { cond, .. } => boolean(*cond),
        Step::Loop(found) => repeat(found, &integer, &boolean, &dtype),
        Step::Let { .. } | Step::Check { .. } => Ok(()),
    }
}

fn launch(variant: &Variant, launch: &Launch) -> Check {
    in_range("kernel", launch.kernel.idx(), variant.kernels.len())?;
    for node in &launch.nodes {
        in_range("node", node.idx(), variant.program.nodes.len())?;
    }
    ensure(launch.maps.is_empty() || matches!(variant.kernels, Kernels::Ptx { .. }), || {
        "tensor maps for a kernel of the host".into()
    })?;
    launch.maps.iter().try_for_each(|map| map.check(launch.args.len()))
}

fn host(op: &HostOp, inputs: usize, outputs: usize, rank: &dyn Fn(ViewId) -> usize, views: &[ViewId]) -> Check {
    let (ins, outs) = match op {
        HostOp::NonZero | HostOp::Bernoulli { .. } | HostOp::Multinomial { .. } => (1..=1, 1),
        HostOp::Compress { .. } => (2..=2, 1),
        HostOp::TopK { .. } => (1..=1, 2),
        HostOp::Unique { .. } => (1..=1, 4),
        HostOp::NonMaxSuppression { .. } => (2..=5, 1),
        HostOp::RandomNormal { .. } | HostOp::RandomUniform { .. } => (0..=0, 1),
    };
    ensure(ins.contains(&inputs) && outs == outputs, || {
        format!("{} has {inputs} inputs and {outputs} outputs", op.name())
    })?;
    let axis = match op {
        HostOp::TopK { axis, .. } => Some(*axis),
        HostOp::Compress { axis } | HostOp::Unique { axis, .. } => *axis,
        _ => None,
    };
    match axis {
        Some(axis) => in_range("axis", axis as usize, rank(views[0])),
        None => Ok(()),
    }
}

fn repeat(
    found: &Loop,
    integer: &dyn Fn(ViewId) -> Check,
    boolean: &dyn Fn(ViewId) -> Check,
    dtype: &dyn Fn(ViewId) -> DType,
) -> Check {
    let endless = found.max_trips.is_none() && found.cond_out.is_none() && found.cond.is_none();
    ensure(!endless, || "a loop that never ends".into())?;
    found.max_trips.iter().chain(&found.iteration).try_for_each(|view| integer(*view))?;
    found.cond.iter().chain(&found.cond_out).try_for_each(|view| boolean(*view))?;
    for (from, to) in found.carried.iter().copied().chain(found.scans.iter().map(|s| (s.slice, s.out))) {
        ensure(dtype(from) == dtype(to), || "a loop changes the type of a value".into())?;
    }
    Ok(())
}
