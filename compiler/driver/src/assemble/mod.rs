//! The program: the plan's steps over views and buffers, with kernels that are the same compiled once.

mod checks;
mod control;
mod host;
mod indices;
pub(crate) mod maps;
pub(crate) mod pack;
mod places;

use crate::ranges::Facts;
use crate::{Error, Options, Phase, Target};
use artifact::{KernelId, Launch, Place, Program, ProgramBuilder, Step as Run, ViewId};
use diag::{Code, Diagnostic, Loc};
use graph::{Graph, ValueId};
use import_onnx::Needs;
use lower::{Kernel, LowerError};
use pack::Weights;
use places::Places;
use schedule::{Plan, Region, Step};
use std::collections::BTreeMap;
use tensor::{Dim, Tensor};

/// A program and the kernels that it launches.
pub(crate) struct Assembled {
    pub(crate) program: Program,
    pub(crate) kernels: Vec<Kernel>,
    pub(crate) n_launches: usize,
}

/// Puts a program together for one target.
pub(crate) fn assemble(
    graph: &Graph,
    plan: &Plan,
    facts: &Facts,
    target: &Target,
    options: &Options,
    weights: &mut Weights,
) -> Result<Assembled, Error> {
    options.enter(Phase::Lower)?;
    let mut assembler = Assembler {
        b: ProgramBuilder::new(),
        target,
        facts,
        options,
        faults: Vec::new(),
        weights,
        kernels: Vec::new(),
        by_text: BTreeMap::new(),
        n_launches: 0,
    };
    let mut frame = Frame { is_entry: true, ..Frame::new(graph) };
    for (at, port) in graph.inputs.iter().enumerate() {
        let ty = graph.ty(port.value);
        let view = assembler.b.tensor(Place::Input(at as u32), ty.dtype, &ty.shape);
        assembler.b.input(&port.name, view);
        frame.views.insert(port.value, view);
        if let Some(value) = facts.frozen.get(&port.name) {
            assembler.check_frozen(&port.name, view, value);
        }
    }
    frame.places = Places::of_outputs(graph);
    assembler.block(&mut frame, plan)?;
    if !assembler.faults.is_empty() {
        return Err(Error::Model { diagnostics: assembler.faults, needs: Needs::default() });
    }
    for (at, port) in graph.outputs.iter().enumerate() {
        let view = assembler.output(&mut frame, at, port.value);
        assembler.b.output(&port.name, view);
    }
    let program = assembler.b.finish();
    Ok(Assembled { program, kernels: assembler.kernels, n_launches: assembler.n_launches })
}

pub(crate) struct Assembler<'w> {
    pub(crate) b: ProgramBuilder,
    target: &'w Target,
    facts: &'w Facts,
    options: &'w Options,
    /// Kernels that cannot be written.
    faults: Vec<Diagnostic>,
    weights: &'w mut Weights,
    kernels: Vec<Kernel>,
    by_text: BTreeMap<String, KernelId>,
    n_launches: usize,
}

/// One graph or region while its steps are written.
pub(crate) struct Frame<'g> {
    pub(crate) graph: &'g Graph,
    producers: Vec<Option<usize>>,
    constants: Vec<Option<&'g Tensor>>,
    pub(crate) views: BTreeMap<ValueId, ViewId>,
    places: Places,
    n_checked: usize,
    /// Whether its steps run in every run.
    is_entry: bool,
}

impl<'g> Frame<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Frame {
            graph,
            producers: graph.producers(),
            constants: graph.constants(),
            views: BTreeMap::new(),
            places: Places::default(),
            n_checked: 0,
            is_entry: false,
        }
    }
}

impl Assembler<'_> {
    /// The memory of a value: made on first use.
    pub(crate) fn view(&mut self, frame: &mut Frame, value: ValueId) -> ViewId {
        if let Some(view) = frame.views.get(&value) {
            return *view;
        }
        let ty = frame.graph.ty(value);
        let place = match frame.constants[value.index()] {
            Some(tensor) => {
                let name = frame.graph.value(value).name.clone().unwrap_or_default();
                Place::Weight(self.weights.add(tensor, None, &name))
            }
            None => frame.places.place(value),
        };
        let view = self.b.tensor(place, ty.dtype, &ty.shape);
        frame.views.insert(value, view);
        view
    }

    /// The steps of a plan.
    pub(crate) fn block(&mut self, frame: &mut Frame, plan: &Plan) -> Result<(), Error> {
        for step in &plan.steps {
            let last = match step {
                Step::Kernel(region) => region.members.last().copied(),
                Step::Alias(idx) | Step::Host(idx) | Step::Control(idx, _) => Some(*idx),
                // Shapes are checked first: sizes of what selects make sense then.
                Step::Indices(check) => Some(check.node),
            };
            if let Some(last) = last {
                self.checks_up_to(frame, last);
            }
            match step {
                Step::Kernel(region) => self.launches(frame, region)?,
                Step::Alias(idx) => self.alias(frame, *idx),
                Step::Host(idx) => self.host(frame, *idx),
                Step::Indices(check) => self.indices(frame, check),
                Step::Control(idx, plans) => self.control(frame, *idx, plans)?,
            }
        }
        Ok(())
    }

    fn alias(&mut self, frame: &mut Frame, idx: usize) {
        let node = &frame.graph.nodes[idx];
        let from = self.view(frame, node.inputs[0]);
        let ty = frame.graph.ty(node.outputs[0]);
        let buffer = self.b.program().views[from.idx()].buffer;
        let view = self.b.view(buffer, &Dim::from(0), ty.dtype, &ty.shape);
        frame.views.insert(node.outputs[0], view);
    }

    /// The launches of a region: one, or where the target has no template for an attention those of its parts.
    fn launches(&mut self, frame: &mut Frame, region: &Region) -> Result<(), Error> {
        let target = self.target.lowering(self.options.numerics);
        let pieces = lower::pieces(frame.graph, region, &frame.producers, &frame.constants, target);
        pieces.iter().try_for_each(|piece| self.launch(frame, piece))
    }

    fn launch(&mut self, frame: &mut Frame, region: &Region) -> Result<(), Error> {
        let graph = frame.graph;
        let names = |idx: &usize| graph.nodes[*idx].loc.node_names().into_iter().map(String::from).collect::<Vec<_>>();
        let sources: Vec<String> = region.members.iter().flat_map(names).collect();
        self.options.go_on(Phase::Lower, self.n_launches, 0)?;
        let target = self.target.lowering(self.options.numerics);
        let lowered = lower::lower(graph, region, &frame.producers, &frame.constants, target);
        let kernel = match lowered {
            Ok(kernel) => kernel,
            Err(error) => {
                self.faults.push(self.fault(graph, region, &error));
                return Ok(());
            }
        };
        let mut args = Vec::new();
        let mut bytes = Dim::from(0);
        for arg in &kernel.args {
            let ty = graph.ty(arg.value);
            bytes = bytes + ty.num_elements() * ty.dtype.size().into();
            args.push(match (arg.packing, frame.constants[arg.value.index()]) {
                (Some(packing), Some(tensor)) => {
                    let name = graph.value(arg.value).name.clone().unwrap_or_default();
                    let id = self.weights.add(tensor, Some(packing), &name);
                    self.b.tensor(Place::Weight(id), ty.dtype, &[packing.len().into()])
                }
                _ => self.view(frame, arg.value),
            });
        }
        let maps = maps::tensor_maps(&mut self.b, &kernel);
        let dims = kernel.dims.iter().map(|dim| self.b.dim(dim)).collect();
        let mut nodes: Vec<_> = sources.iter().map(|name| self.b.node(name)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let (tasks, scratch, cost) = (self.b.dim(&kernel.tasks), self.b.dim(&kernel.scratch), self.b.dim(&kernel.cost));
        let (flops, bytes) = (self.b.dim(&kernel.flops), self.b.dim(&bytes));
        let kernel = self.kernel(kernel);
        self.n_launches += 1;
        self.b.push(Run::Launch(Launch { kernel, args, maps, dims, tasks, scratch, cost, nodes, flops, bytes }));
        Ok(())
    }

    fn fault(&self, graph: &Graph, region: &Region, error: &LowerError) -> Diagnostic {
        let loc = Loc::fuse(region.members.iter().map(|idx| &graph.nodes[*idx].loc));
        Diagnostic::error(Code::Unsupported, loc, error.to_string())
            .note(format!("there is no such kernel for {}", self.target.name()))
            .note("cast the operands to a type that the operator has, or replace the node before the export")
    }

    /// The kernel's number; one for all that have the same text.
    fn kernel(&mut self, kernel: Kernel) -> KernelId {
        if let Some(id) = self.by_text.get(&kernel.text) {
            return *id;
        }
        let id = KernelId(self.kernels.len() as u32);
        self.by_text.insert(kernel.text.clone(), id);
        self.kernels.push(kernel);
        id
    }

    /// The view of a result of the whole program, copied where its memory is not the output's own.
    fn output(&mut self, frame: &mut Frame, at: usize, value: ValueId) -> ViewId {
        let view = self.view(frame, value);
        let buffer = self.b.program().views[view.idx()].buffer;
        if self.b.program().buffers[buffer.idx()].place == Place::Output(at as u32) {
            return view;
        }
        let ty = frame.graph.ty(value);
        let out = self.b.tensor(Place::Output(at as u32), ty.dtype, &ty.shape);
        self.b.push(Run::Copy { from: view, to: out });
        out
    }
}
