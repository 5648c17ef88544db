//! What stands around the code that MLIR made: an entry of the runtime's signature, and memory.
//!
//! The passes leave a function of unpacked `memref`s that calls `malloc`. Here `malloc` becomes a step forward in the scratch
//! memory that the runtime gives; nothing is freed, and who needs more than there is ends in a trap.

use graph::{Graph, ValueId};
use kernels::text::{Access, Function, Param, Ty, Val, Writer};
use tensor::Dim;

/// The function that the passes made.
pub(crate) const INNER: &str = "linalg_graph";
/// The function that the runtime calls.
pub(crate) const OUTER: &str = "kernel";
/// The function that takes the place of `malloc`.
const ARENA: &str = "arena";

/// Inputs, then outputs.
fn ports(graph: &Graph) -> Vec<ValueId> {
    graph.inputs.iter().chain(&graph.outputs).map(|port| port.value).collect()
}

/// The numbers that the entry takes: all sizes that are not known, port by port.
pub(crate) fn dims(graph: &Graph) -> Vec<Dim> {
    let sizes = ports(graph).into_iter().flat_map(|value| graph.ty(value).shape.clone());
    sizes.filter(|dim| dim.as_const().is_none()).collect()
}

/// The module with entry and memory.
pub(crate) fn around(graph: &Graph, lowered: &str, scratch: usize) -> String {
    let mut w = Writer::new();
    w.open("module");
    for line in lowered.trim().lines().skip(1) {
        // The module's last line is ours to write.
        if line != "}" {
            own_lines(line).iter().for_each(|line| w.line(line));
        }
    }
    entry(&mut w, graph);
    arena(&mut w, scratch);
    w.close("}");
    w.finish()
}

/// A line of the passes' module as it stands in ours.
fn own_lines(line: &str) -> Vec<String> {
    let head = format!("llvm.func @{INNER}(");
    if line.contains("llvm.func @malloc(") {
        return vec![];
    }
    if let Some((_, parameters)) = line.split_once(&head) {
        // Ports never overlap; our own kernels say so too.
        let parameters = parameters.replace(": !llvm.ptr,", ": !llvm.ptr {llvm.noalias},");
        let comma = if parameters.starts_with(')') { "" } else { ", " };
        return vec![format!("llvm.func internal @{INNER}(%scratch: !llvm.ptr{comma}{parameters}")];
    }
    let call = line.replace("llvm.call @malloc(", &format!("llvm.call @{ARENA}(%scratch, "));
    if call == line {
        return vec![call];
    }
    vec![call.replace(": (i64) -> !llvm.ptr", ": (!llvm.ptr, i64) -> !llvm.ptr")]
}

fn entry(w: &mut Writer, graph: &Graph) {
    let params = [Ty::PTR, Ty::PTR, Ty::I64, Ty::I64, Ty::PTR].map(Param::of);
    w.function(Function::host(OUTER, &params), |w, p| {
        let used = w.i64(64);
        w.store(used, p[4], 8);
        let mut args = vec![p[4]];
        let mut slot = 0;
        for (idx, value) in (0..).zip(ports(graph)) {
            let at = w.gep_const(p[0], idx, Ty::PTR);
            let pointer = w.load(at, Ty::PTR, Access::aligned(8).invariant());
            let sizes: Vec<Val> = graph.ty(value).shape.iter().map(|dim| size(w, p[1], dim, &mut slot)).collect();
            // A descriptor: the memory twice, an offset, sizes, strides.
            args.extend([pointer, pointer, w.i64(0)]);
            args.extend(&sizes);
            args.extend(strides(w, &sizes));
        }
        let list: Vec<String> = args.iter().map(ToString::to_string).collect();
        let types: Vec<String> = args.iter().map(|arg| arg.ty.to_string()).collect();
        w.stmt(format_args!("llvm.call @{INNER}({}) : ({}) -> ()", list.join(", "), types.join(", ")));
        vec![]
    });
}

fn size(w: &mut Writer, dims: Val, dim: &Dim, slot: &mut i64) -> Val {
    if let Some(n) = dim.as_const() {
        return w.i64(n);
    }
    let at = w.gep_const(dims, *slot, Ty::I64);
    *slot += 1;
    w.load(at, Ty::I64, Access::aligned(8).invariant())
}

fn strides(w: &mut Writer, sizes: &[Val]) -> Vec<Val> {
    let mut stride = w.i64(1);
    let mut strides = vec![];
    for size in sizes.iter().rev() {
        strides.push(stride);
        stride = w.muli(stride, *size);
    }
    strides.reverse();
    strides
}

/// The first word of the scratch memory says how much of it is in use.
fn arena(w: &mut Writer, scratch: usize) {
    w.open(format_args!(
        "llvm.func internal @{ARENA}(%scratch: !llvm.ptr, %bytes: i64) -> (!llvm.ptr {{llvm.noalias}})"
    ));
    let limit = scratch as i64;
    w.line("%lines = llvm.mlir.constant(63 : i64) : i64");
    w.line("%mask = llvm.mlir.constant(-64 : i64) : i64");
    w.line(format_args!("%limit = llvm.mlir.constant({limit} : i64) : i64"));
    w.line("%used = llvm.load %scratch : !llvm.ptr -> i64");
    w.line("%padded = llvm.add %bytes, %lines : i64");
    w.line("%whole = llvm.and %padded, %mask : i64");
    w.line("%next = llvm.add %used, %whole : i64");
    // Sizes are never negative, so the unsigned comparison also catches a sum that wrapped.
    w.line("%over = llvm.icmp \"ugt\" %next, %limit : i64");
    w.line("llvm.cond_br %over, ^full, ^fits");
    w.middle("^full:");
    w.line("\"llvm.intr.trap\"() : () -> ()");
    w.line("llvm.unreachable");
    w.middle("^fits:");
    w.line("llvm.store %next, %scratch : i64, !llvm.ptr");
    w.line("%place = llvm.getelementptr %scratch[%used] : (!llvm.ptr, i64) -> !llvm.ptr, i8");
    w.line("llvm.return %place : !llvm.ptr");
    w.close("}");
}
