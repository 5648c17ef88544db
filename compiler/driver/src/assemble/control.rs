//! Control flow: regions as blocks, operands and results as copies.

use super::{Assembler, Frame};
use crate::Error;
use artifact::{Loop, Place, Scan, Step, ViewId};
use graph::{Graph, Node, ValueId};
use ops::Op;
use schedule::Plan;
use tensor::{DType, Dim, Symbol};

impl Assembler<'_> {
    pub(crate) fn control(&mut self, frame: &mut Frame, idx: usize, plans: &[Plan]) -> Result<(), Error> {
        let node = &frame.graph.nodes[idx];
        match &node.op {
            Op::If(_) => self.branch(frame, node, plans),
            Op::Loop(op) => self.repeat(frame, node, op.n_carried, &plans[0]),
            _ => Ok(()),
        }
    }

    /// The steps of a region whose parameters are in these views; its results are left in views of its frame.
    fn region<'g>(&mut self, region: &'g Graph, params: &[ViewId], plan: &Plan) -> Result<Frame<'g>, Error> {
        let mut inner = Frame::new(region);
        for (port, view) in region.inputs.iter().zip(params) {
            inner.views.insert(port.value, *view);
        }
        self.block(&mut inner, plan)?;
        if !region.nodes.is_empty() {
            self.checks_up_to(&mut inner, region.nodes.len() - 1);
        }
        Ok(inner)
    }

    /// Gives the symbols of a type the values that another type has in their places.
    fn bind_shape(&mut self, defined: &[Symbol], symbolic: &[Dim], actual: &[Dim]) {
        for (dim, value) in symbolic.iter().zip(actual) {
            if let Some(symbol) = dim.as_symbol().filter(|s| defined.contains(s) && Some(*s) != value.as_symbol()) {
                let (symbol, value) = (self.b.symbol(symbol.name()), self.b.dim(value));
                self.b.push(Step::Let { symbol, value });
            }
        }
    }

    fn branch(&mut self, frame: &mut Frame, node: &Node, plans: &[Plan]) -> Result<(), Error> {
        let cond = self.view(frame, node.inputs[0]);
        let params: Vec<ViewId> = node.inputs[1..].iter().map(|v| self.view(frame, *v)).collect();
        let outs: Vec<ViewId> = node.outputs.iter().map(|v| self.view(frame, *v)).collect();
        let defined = node.op.defined_symbols();
        let mut blocks = Vec::new();
        for (region, plan) in node.regions.iter().zip(plans) {
            blocks.push(self.b.open());
            let mut inner = self.region(region, &params, plan)?;
            for (port, value) in region.outputs.iter().zip(&node.outputs) {
                self.bind_shape(&defined, &frame.graph.ty(*value).shape, &region.ty(port.value).shape);
            }
            for (port, out) in region.outputs.iter().zip(&outs) {
                let from = self.view(&mut inner, port.value);
                self.b.push(Step::Copy { from, to: *out });
            }
            self.b.close();
        }
        let [then, otherwise] = blocks[..] else { return Err(Error::bug("pack", "an `if` needs two regions")) };
        self.b.push(Step::If { cond, then, otherwise });
        Ok(())
    }

    fn repeat(&mut self, frame: &mut Frame, node: &Node, n_carried: usize, plan: &Plan) -> Result<(), Error> {
        let region = &node.regions[0];
        let max_trips = self.view(frame, node.inputs[0]);
        let first_cond = self.view(frame, node.inputs[1]);
        let iteration = self.scalar(DType::I64);
        let cond = self.scalar(DType::Bool);
        self.b.push(Step::Copy { from: first_cond, to: cond });
        let own = own_symbols(region, n_carried, frame.graph, node);
        let mut params = vec![iteration, cond];
        for k in 0..n_carried {
            let (operand, port) = (node.inputs[2 + k], &region.inputs[2 + k]);
            let ty = region.ty(port.value);
            self.bind_shape(&own, &ty.shape, &frame.graph.ty(operand).shape);
            let view = self.b.tensor(Place::Arena, ty.dtype, &ty.shape);
            let from = self.view(frame, operand);
            self.b.push(Step::Copy { from, to: view });
            params.push(view);
        }
        let captured: Vec<ValueId> = node.inputs[2 + n_carried..].to_vec();
        params.extend(captured.iter().map(|v| self.view(frame, *v)));
        self.empty_slices(frame, node, n_carried);
        let body = self.b.open();
        let mut inner = self.region(region, &params, plan)?;
        let results: Vec<ViewId> = region.outputs.iter().map(|port| self.view(&mut inner, port.value)).collect();
        for (port, stacked) in region.outputs[1 + n_carried..].iter().zip(&node.outputs[n_carried..]) {
            let stacked = &frame.graph.ty(*stacked).shape[1..];
            self.bind_shape(&node.op.defined_symbols(), stacked, &region.ty(port.value).shape);
        }
        self.b.close();
        let rebind = self.rebinding(region, n_carried, &own);
        let scans = self.scans(frame, node, n_carried, &results);
        let trips = self.trips(frame, node, n_carried);
        let mut carried: Vec<(ViewId, ViewId)> = vec![(results[0], cond)];
        carried.extend((0..n_carried).map(|k| (results[1 + k], params[2 + k])).filter(|(from, to)| from != to));
        self.b.push(Step::Loop(Loop {
            max_trips: Some(max_trips),
            cond: Some(first_cond),
            iteration: Some(iteration),
            index: None,
            body,
            cond_out: Some(results[0]),
            carried,
            rebind,
            scans,
            trips,
        }));
        self.results(frame, node, n_carried, &params);
        Ok(())
    }

    /// Extents of slices that only the body knows are 0 as long as it has not run.
    fn empty_slices(&mut self, frame: &Frame, node: &Node, n_carried: usize) {
        for stacked in &node.outputs[n_carried..] {
            let extents = &frame.graph.ty(*stacked).shape[1..];
            self.bind_shape(&node.op.defined_symbols(), extents, &vec![Dim::from(0); extents.len()]);
        }
    }

    fn scalar(&mut self, dtype: DType) -> ViewId {
        self.b.tensor(Place::Arena, dtype, &[])
    }

    /// The new values of symbols that change with the carried shapes.
    fn rebinding(
        &mut self,
        region: &Graph,
        n_carried: usize,
        own: &[Symbol],
    ) -> Vec<(artifact::SymbolId, artifact::DimId)> {
        let mut rebind = Vec::new();
        for k in 0..n_carried {
            let (before, after) = (region.ty(region.inputs[2 + k].value), region.ty(region.outputs[1 + k].value));
            for (dim, next) in before.shape.iter().zip(&after.shape) {
                if let Some(symbol) = dim.as_symbol().filter(|s| own.contains(s)) {
                    rebind.push((self.b.symbol(symbol.name()), self.b.dim(next)));
                }
            }
        }
        rebind.sort_unstable();
        rebind.dedup();
        rebind
    }

    fn scans(&mut self, frame: &mut Frame, node: &Node, n_carried: usize, results: &[ViewId]) -> Vec<Scan> {
        let outs: Vec<ValueId> = node.outputs[n_carried..].to_vec();
        let slices = &results[1 + n_carried..];
        outs.iter()
            .zip(slices)
            .map(|(value, slice)| Scan { slice: *slice, out: self.view(frame, *value), reversed: false })
            .collect()
    }

    /// The symbol that is the number of trips: the first extent of what is stacked.
    fn trips(&mut self, frame: &Frame, node: &Node, n_carried: usize) -> Option<artifact::SymbolId> {
        let stacked = node.outputs.get(n_carried)?;
        let symbol = frame.graph.ty(*stacked).shape.first()?.as_symbol()?;
        node.op.defined_symbols().contains(symbol).then(|| self.b.symbol(symbol.name()))
    }

    /// The carried values after the last trip, as results of the node.
    fn results(&mut self, frame: &mut Frame, node: &Node, n_carried: usize, params: &[ViewId]) {
        let defined = node.op.defined_symbols();
        for (k, value) in node.outputs[..n_carried].iter().enumerate() {
            let region_ty = node.regions[0].ty(node.regions[0].inputs[2 + k].value);
            let ty = frame.graph.ty(*value);
            self.bind_shape(&defined, &ty.shape, &region_ty.shape);
            let buffer = self.b.program().views[params[2 + k].idx()].buffer;
            let view = self.b.view(buffer, &Dim::from(0), ty.dtype, &ty.shape);
            frame.views.insert(*value, view);
        }
    }
}

/// The symbols that stand for the shapes of carried values inside the region and nowhere else.
fn own_symbols(region: &Graph, n_carried: usize, outer: &Graph, node: &Node) -> Vec<Symbol> {
    let mut own = Vec::new();
    for port in &region.inputs[2..2 + n_carried] {
        region.ty(port.value).shape.iter().for_each(|dim| dim.symbols(&mut own));
    }
    let mut outside = Vec::new();
    for operand in &node.inputs {
        outer.ty(*operand).shape.iter().for_each(|dim| dim.symbols(&mut outside));
    }
    own.retain(|symbol| !outside.contains(symbol));
    own
}
