//! Everything with a handle: modules, streams, events, graphs.

use super::clock::{Clock, Moment};
use crate::driver::{Handle, Node};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Objects {
    next: usize,
    modules: BTreeSet<Handle>,
    /// Module and entry of each function.
    functions: BTreeMap<Handle, (Handle, String)>,
    streams: BTreeMap<Handle, Clock>,
    events: BTreeMap<Handle, Event>,
    graphs: BTreeMap<Handle, Vec<(Handle, Node)>>,
    /// The graph, and the work of its nodes now.
    executables: BTreeMap<Handle, (Handle, BTreeMap<Handle, Node>)>,
    /// Streams and events of the caller.
    foreign: BTreeSet<Handle>,
    /// Streams that somebody captures.
    pub(crate) captured: BTreeSet<Handle>,
}

struct Event {
    timed: bool,
    recorded: Option<Clock>,
}

impl Objects {
    fn new_handle(&mut self) -> Handle {
        self.next += 1;
        Handle(self.next)
    }

    pub(crate) fn module(&mut self) -> Handle {
        let handle = self.new_handle();
        self.modules.insert(handle);
        handle
    }

    pub(crate) fn end_module(&mut self, module: Handle) {
        assert!(self.modules.remove(&module), "a module that is not there");
        self.functions.retain(|_, (of, _)| *of != module);
    }

    pub(crate) fn find(&mut self, module: Handle, entry: &str) -> Handle {
        assert!(self.modules.contains(&module), "a module that is not there");
        let handle = self.new_handle();
        self.functions.insert(handle, (module, entry.into()));
        handle
    }

    /// The entry of a function.
    pub(crate) fn function(&self, function: Handle) -> String {
        self.functions.get(&function).expect("a function that is not there").1.clone()
    }

    pub(crate) fn stream(&mut self, foreign: bool) -> Handle {
        let handle = self.new_handle();
        self.streams.insert(handle, Clock::default());
        if foreign {
            self.foreign.insert(handle);
        }
        handle
    }

    pub(crate) fn end_stream(&mut self, stream: Handle) {
        assert!(!self.foreign.contains(&stream), "a stream of the caller is not ours to end");
        self.streams.remove(&stream).expect("a stream that is not there");
    }

    pub(crate) fn clock(&self, stream: Handle) -> Clock {
        self.streams.get(&stream).expect("a stream that is not there").clone()
    }

    /// The next moment of a stream, behind what the host knows.
    pub(crate) fn moment(&mut self, stream: Handle, host: &Clock) -> Moment {
        let clock = self.streams.get_mut(&stream).expect("a stream that is not there");
        clock.join(host);
        clock.step(stream)
    }

    /// All work that was given to any stream.
    pub(crate) fn everything(&self) -> Clock {
        let mut all = Clock::default();
        self.streams.values().for_each(|clock| all.join(clock));
        all
    }

    pub(crate) fn event(&mut self, timed: bool, foreign: bool) -> Handle {
        let handle = self.new_handle();
        self.events.insert(handle, Event { timed, recorded: None });
        if foreign {
            self.foreign.insert(handle);
        }
        handle
    }

    pub(crate) fn end_event(&mut self, event: Handle) {
        assert!(!self.foreign.contains(&event), "an event of the caller is not ours to end");
        self.events.remove(&event).expect("an event that is not there");
    }

    pub(crate) fn record(&mut self, event: Handle, stream: Handle) {
        let clock = self.clock(stream);
        self.events.get_mut(&event).expect("an event that is not there").recorded = Some(clock);
    }

    /// What is done when an event has passed.
    pub(crate) fn passed(&self, event: Handle) -> Clock {
        let event = self.events.get(&event).expect("an event that is not there");
        event.recorded.clone().expect("an event that was not recorded")
    }

    pub(crate) fn timed(&self, event: Handle) -> Clock {
        assert!(self.events[&event].timed, "an event without time");
        self.passed(event)
    }

    pub(crate) fn delay(&mut self, stream: Handle, event: Handle) {
        let passed = self.passed(event);
        self.streams.get_mut(&stream).expect("a stream that is not there").join(&passed);
    }

    pub(crate) fn graph(&mut self) -> Handle {
        let handle = self.new_handle();
        self.graphs.insert(handle, vec![]);
        handle
    }

    /// Work that may stand in a graph.
    fn check(&self, work: &Node) {
        if let Node::Launch { function, .. } = work {
            self.function(*function);
        }
    }

    pub(crate) fn add_node(&mut self, graph: Handle, after: Option<Handle>, work: &Node) -> Handle {
        self.check(work);
        let handle = self.new_handle();
        let nodes = self.graphs.get_mut(&graph).expect("a graph that is not there");
        assert_eq!(nodes.last().map(|(node, _)| *node), after, "each node comes behind the one before");
        nodes.push((handle, work.clone()));
        handle
    }

    pub(crate) fn instantiate(&mut self, graph: Handle) -> Handle {
        let handle = self.new_handle();
        let nodes = self.graphs[&graph].iter().cloned().collect();
        self.executables.insert(handle, (graph, nodes));
        handle
    }

    pub(crate) fn change_node(&mut self, executable: Handle, node: Handle, work: &Node) {
        self.check(work);
        let (graph, nodes) = self.executables.get_mut(&executable).expect("an executable graph that is not there");
        assert!(self.graphs.contains_key(graph), "the graph must live as long as its nodes are changed");
        let old = nodes.get_mut(&node).expect("a node of another graph");
        assert!(old.is_like(work), "a node cannot become one of another kind");
        *old = work.clone();
    }

    /// The work of an executable graph, in order.
    pub(crate) fn work(&self, executable: Handle) -> Vec<Node> {
        let (_, nodes) = self.executables.get(&executable).expect("an executable graph that is not there");
        // Handles grow as nodes are added.
        nodes.values().cloned().collect()
    }

    pub(crate) fn end_graph(&mut self, graph: Handle, executable: Option<Handle>) {
        self.graphs.remove(&graph).expect("a graph that is not there");
        if let Some(executable) = executable {
            self.executables.remove(&executable).expect("an executable graph that is not there");
        }
    }

    /// What was not freed.
    pub(crate) fn left(&self) -> Vec<String> {
        let ours = |handle: &&Handle| !self.foreign.contains(handle);
        let count = [
            ("modules", self.modules.len()),
            ("streams", self.streams.keys().filter(ours).count()),
            ("events", self.events.keys().filter(ours).count()),
            ("graphs", self.graphs.len()),
            ("executable graphs", self.executables.len()),
        ];
        count.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{n} {what}")).collect()
    }
}
