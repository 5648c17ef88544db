//! Graphs: a run's work as one launch, which can be changed.
//!
//! A graph is a chain of nodes that we write ourselves: what a stream is given while it records becomes a list of
//! [`Node`]s, and no capture is involved. So the nodes are known one by one, and another list of the same kinds of work becomes
//! the graph by changing the nodes that differ, which costs a small part of making one.

use crate::driver::{Handle, Node};
use crate::gpu::Gpu;
use runtime::DeviceError;
use std::sync::Arc;

/// A chain of work in the driver.
pub(crate) struct Graph {
    gpu: Arc<Gpu>,
    graph: Handle,
    executable: Option<Handle>,
    /// What each node does, and its handle.
    nodes: Vec<(Node, Handle)>,
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: both are alive and not used again; the driver keeps what still runs.
        self.gpu.end(|driver| unsafe { driver.destroy_graph(self.graph, self.executable) });
    }
}

impl Graph {
    /// A graph of this work, one after the other.
    pub(crate) fn new(gpu: &Arc<Gpu>, work: Vec<Node>) -> Result<Graph, DeviceError> {
        const DOING: &str = "making a graph";
        let graph = gpu.call(DOING, |driver| driver.create_graph())?;
        let mut made = Graph { gpu: gpu.clone(), graph, executable: None, nodes: vec![] };
        for mut node in work {
            let after = made.nodes.last().map(|(_, handle)| *handle);
            // SAFETY: the graph and the node before are alive.
            let handle = gpu.call(DOING, |driver| unsafe { driver.add_node(graph, after, &mut node) })?;
            made.nodes.push((node, handle));
        }
        // SAFETY: the graph is alive.
        made.executable = Some(gpu.call(DOING, |driver| unsafe { driver.instantiate(graph) })?);
        Ok(made)
    }

    /// Makes it a graph of other work: by changing it where the kinds of work are the same, else anew. After a failure it is
    /// of no use.
    pub(crate) fn become_other(&mut self, work: Vec<Node>) -> Result<(), DeviceError> {
        let same_kinds =
            self.nodes.len() == work.len() && self.nodes.iter().zip(&work).all(|((old, _), new)| old.is_like(new));
        let Some(executable) = self.executable.filter(|_| same_kinds) else {
            *self = Graph::new(&self.gpu, work)?;
            return Ok(());
        };
        for ((old, handle), mut new) in self.nodes.iter_mut().zip(work) {
            if *old != new {
                self.gpu.call("changing a graph", |driver| {
                    // SAFETY: the graph has the node, of this kind. What runs of the graph already is not changed.
                    unsafe { driver.change_node(executable, *handle, &mut new) }
                })?;
                *old = new;
            }
        }
        Ok(())
    }

    /// Gives it to a stream.
    ///
    /// # Safety
    /// As for all the work in it.
    pub(crate) unsafe fn launch(&self, stream: Handle) -> Result<(), DeviceError> {
        let Some(executable) = self.executable else {
            return Err(self.gpu.failed("a graph that was not made".into()));
        };
        // SAFETY: promised by the caller.
        self.gpu.call("launching a graph", |driver| unsafe { driver.launch_graph(stream, executable) })
    }
}
