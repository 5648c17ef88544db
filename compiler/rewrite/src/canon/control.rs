//! Control flow: regions are canonical inside, and a choice that is known is made.

use super::{Canon, canonicalize_within, value_types};
use graph::{Graph, Node, ValueId};
use ops::Op;
use std::collections::BTreeSet;
use tensor::{Symbol, TensorType};

impl Canon {
    pub(super) fn control(&mut self, node: &Node, inputs: Vec<ValueId>, types: Vec<TensorType>) -> Vec<ValueId> {
        if let (Op::If(op), Some(condition)) = (&node.op, inputs.first())
            && let Some(condition) = self.constant_of(*condition).map(|t| t.get(0).as_bool())
            && let Some(region) = node.regions.get(usize::from(!condition))
            && self.can_inline(region, node, &inputs)
        {
            let symbols: BTreeSet<Symbol> = op.symbols.iter().map(|s| Symbol::new(s)).collect();
            return self.inline(region.clone(), &inputs[1..], &types, &symbols);
        }
        let (contract, max_bytes) = (self.contract, self.max_weight_bytes);
        let regions = node.regions.iter().map(|region| {
            let region = self.renamed_region(region);
            canonicalize_within(region, contract, max_bytes)
        });
        let regions = regions.collect();
        let op = self.renamed_op(&node.op);
        self.push(op, inputs, types, regions)
    }

    fn renamed_region(&self, region: &Graph) -> Graph {
        let mut region = region.clone();
        if self.symbols.is_empty() {
            return region;
        }
        for idx in 0..region.n_values() {
            let value = ValueId(idx as u32);
            region.value_mut(value).ty = self.renamed_type(region.ty(value));
        }
        for node in &mut region.nodes {
            node.op = self.renamed_op(&node.op);
            node.regions = node.regions.iter().map(|r| self.renamed_region(r)).collect();
        }
        region
    }

    /// Whether a region's nodes may stand here: its symbols must not meet others of the same name.
    fn can_inline(&self, region: &Graph, node: &Node, inputs: &[ValueId]) -> bool {
        let defines = |graph: &Graph| graph.nodes.iter().any(|n| !n.op.defined_symbols().is_empty());
        region.inputs.len() + 1 == inputs.len()
            && region.outputs.len() == node.outputs.len()
            && !defines(region)
            && region.inputs.iter().zip(&inputs[1..]).all(|(port, v)| region.ty(port.value) == self.ty(*v))
    }

    fn inline(
        &mut self,
        region: Graph,
        inputs: &[ValueId],
        types: &[TensorType],
        symbols: &BTreeSet<Symbol>,
    ) -> Vec<ValueId> {
        let mut map: Vec<Option<ValueId>> = vec![None; region.n_values()];
        for (port, value) in region.inputs.iter().zip(inputs) {
            map[port.value.index()] = Some(*value);
        }
        let (region_types, names) = (value_types(&region), vec![None; region.n_values()]);
        let loc = self.loc.clone();
        for node in region.nodes {
            self.node(node, &region_types, &names, &mut map);
        }
        self.loc = loc;
        let outputs: Vec<ValueId> = region.outputs.iter().filter_map(|port| map[port.value.index()]).collect();
        // The sizes that the node would have measured are now written in the region's result types.
        for (value, ty) in outputs.iter().zip(types) {
            for (actual, declared) in self.out.ty(*value).shape.clone().iter().zip(&ty.shape) {
                if let Some(symbol) = declared.as_symbol().filter(|s| symbols.contains(s)) {
                    self.symbols.entry(symbol.clone()).or_insert_with(|| actual.clone());
                }
            }
        }
        outputs
    }
}
