//! Which values are written straight into the memory of an output.

use artifact::Place;
use graph::{Graph, ValueId};
use schedule::{Class, class, is_unit_reshape};
use std::collections::BTreeMap;

/// Places of values that are not in the arena.
#[derive(Default)]
pub(crate) struct Places {
    outputs: BTreeMap<ValueId, u32>,
}

impl Places {
    /// The value whose memory each output has: its own, or that of the value it is another shape of.
    pub(crate) fn of_outputs(graph: &Graph) -> Places {
        let producers = graph.producers();
        let mut places = Places::default();
        for (at, port) in graph.outputs.iter().enumerate() {
            let mut value = port.value;
            while let Some(idx) = producers[value.index()] {
                let node = &graph.nodes[idx];
                if class(graph, node) != Class::Alias && !is_unit_reshape(graph, node) {
                    break;
                }
                value = node.inputs[0];
            }
            let computed =
                producers[value.index()].is_some_and(|idx| class(graph, &graph.nodes[idx]) != Class::Constant);
            if computed && !places.outputs.contains_key(&value) {
                places.outputs.insert(value, at as u32);
            }
        }
        places
    }

    pub(crate) fn place(&self, value: ValueId) -> Place {
        self.outputs.get(&value).map_or(Place::Arena, |at| Place::Output(*at))
    }
}
