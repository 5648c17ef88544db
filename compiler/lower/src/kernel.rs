//! From a region to a kernel: the choice of a recipe, and the function around it.

use crate::LowerError;
use crate::attention::Attention;
use crate::context::Cx;
use crate::contraction::Contraction;
use crate::cumulative::CumulativeRow;
use crate::depthwise::Depthwise;
use crate::gpu::Gpu;
use crate::map::Map;
use crate::packing::Packing;
use crate::rows::Rows;
use crate::scatter::Scatter;
use graph::{Graph, Node, ValueId};
use kernels::text::{Access, Function, FunctionKind, Param, Scalar, Ty, Val, Writer};
use ops::Op;
use schedule::Region;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use tensor::{Dim, Tensor};

/// What a kernel is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A CPU with vectors of so many `f32` lanes (a power of two).
    Host {
        /// Lanes of one vector register.
        lanes: u32,
    },
    /// An NVIDIA GPU.
    Gpu(Gpu),
}

/// One parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The value in memory.
    pub value: ValueId,
    /// For a constant: how its elements are rearranged when the artifact is made.
    pub packing: Option<Packing>,
}

/// A kernel and how to launch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What it computes, as a name for profiles: operators joined by `_`.
    pub name: String,
    /// MLIR text with the function `kernel` and those it calls.
    pub text: String,
    /// Pointers that it takes; the result comes last.
    pub args: Vec<Arg>,
    /// Tensor maps that it takes, before everything else.
    pub maps: Vec<TensorMap>,
    /// Numbers that it takes.
    pub dims: Vec<Dim>,
    /// Independent tasks: ranges of them run on threads (host), or each is one thread or one block (GPU).
    pub tasks: Dim,
    /// The template that it was written from, with its schedule, for reports.
    pub template: String,
    /// How blocks are launched (GPU).
    pub block: Block,
    /// Bytes of scratch memory for each host thread.
    pub scratch: Dim,
    /// Rough nanoseconds of one task on one core.
    pub cost: Dim,
    /// Floating-point operations in all.
    pub flops: Dim,
}

/// How a kernel's copy engine sees one of its arguments (`sm_90` on). What a tile has beyond the sizes comes as zeros; its rows are
/// swizzled within 128 bytes in shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMap {
    /// The value of the argument.
    pub value: ValueId,
    /// Bytes from its start to the map's first element.
    pub offset: Dim,
    /// Elements.
    pub element: MapElement,
    /// Elements along each axis, neighbors first.
    pub sizes: Vec<Dim>,
    /// Bytes from one to the next along each axis but the first.
    pub strides: Vec<Dim>,
    /// Elements of a tile along each axis.
    pub tile: Vec<u32>,
}

impl Display for TensorMap {
    /// `f16[K, M] strides [2*K] tile [64, 128] from byte 0`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |dims: &[Dim]| dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (sizes, strides) = (list(&self.sizes), list(&self.strides));
        let element = format!("{:?}", self.element).to_lowercase();
        write!(f, "{element}[{sizes}] strides [{strides}] tile {:?} from byte {}", self.tile, self.offset)
    }
}

/// Elements of tensor maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapElement {
    /// Bytes.
    U8,
    /// `f16`.
    F16,
    /// `bf16`.
    Bf16,
    /// `f32`, rounded to `tf32` on the way to shared memory.
    Tf32,
}

/// A block of GPU threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Threads.
    pub threads: u32,
    /// Tasks that it takes: one for each thread, or one for all of them together.
    pub tasks: u32,
    /// Bytes of dynamic shared memory.
    pub shared: u32,
}

/// Ways to write a kernel.
pub(crate) trait Recipe {
    /// Independent tasks.
    fn tasks(&self) -> Dim;
    /// Bytes of scratch for each thread.
    fn scratch(&self) -> Dim {
        Dim::from(0)
    }
    /// How an operand is rearranged.
    fn packing(&self, _value: ValueId) -> Option<Packing> {
        None
    }
    /// Writes functions that the tasks call on the host.
    fn functions(&self, _w: &mut Writer) {}
    /// The template's name with its schedule.
    fn template(&self) -> String {
        "elements".into()
    }
    /// The block, where all threads of one do a task together.
    fn block(&self) -> Option<Block> {
        None
    }
    /// Tensor maps; while a task is written they are those of the context.
    fn maps(&self) -> Vec<TensorMap> {
        vec![]
    }
    /// Writes one task. Its number is an `i64`, or an `i32` where a block does it.
    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>);
}

/// A GPU block in which each thread takes a task.
const THREADS: Block = Block { threads: 256, tasks: 256, shared: 0 };

/// A parameter of 128 bytes that is never copied.
const TENSOR_MAP: &str = "llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant, llvm.align = 64 : i64";

/// Writes the kernel of a region.
///
/// # Errors
/// [`LowerError`] for an operator or element type that has no kernel on the target, and for an attention that is not one
/// of its own [`pieces`].
pub fn lower(
    graph: &Graph,
    region: &Region,
    producers: &[Option<usize>],
    constants: &[Option<&Tensor>],
    target: Target,
) -> Result<Kernel, LowerError> {
    let mut cx = Cx::new(graph, region, producers, constants, lanes_of(target));
    let Some(recipe) = choose(&mut cx, target) else {
        let node = &graph.nodes[region.anchor.unwrap_or_default()];
        return Err(cx.refusal(node, "no template takes this attention as one kernel"));
    };
    let args = arguments(&cx, &*recipe);
    let text = loop {
        let n_known = cx.dims().len();
        let text = match target {
            Target::Host { .. } => host_function(&mut cx, &args, &*recipe),
            Target::Gpu(gpu) => gpu_function(&mut cx, &args, &*recipe, gpu),
        };
        if let Some(error) = cx.failure() {
            return Err(error);
        }
        // Dimensions are found while writing; the function is complete when none is new.
        if cx.dims().len() == n_known {
            break text;
        }
    };
    let flops = crate::map::flops(&cx);
    let tasks = recipe.tasks();
    // Eight operations a nanosecond: half of what vectors of a small core do, and right within a factor of a few.
    let cost = flops.clone().floor_div(8.into()).floor_div(tasks.clone().max(1.into()));
    let (template, block) = (recipe.template(), recipe.block().unwrap_or(THREADS));
    let (dims, scratch, maps) = (cx.dims(), recipe.scratch(), recipe.maps());
    Ok(Kernel { name: name(&cx), text, args, maps, dims, tasks, template, block, scratch, cost, flops })
}

/// The regions that become a kernel each: the region itself, or for an attention that no template of the target takes the
/// three that it consists of. Likewise a contraction that decodes an operand: what is decoded is then stored.
pub fn pieces(
    graph: &Graph,
    region: &Region,
    producers: &[Option<usize>],
    constants: &[Option<&Tensor>],
    target: Target,
) -> Vec<Region> {
    let parts = region.parts(graph).filter(|_| {
        let mut cx = Cx::new(graph, region, producers, constants, lanes_of(target));
        attention(&mut cx, target).is_none()
    });
    let parts = parts.map_or_else(|| vec![region.clone()], Vec::from);
    let apart = |region: Region| {
        let two = region.without_decoding(graph).filter(|_| {
            let mut cx = Cx::new(graph, &region, producers, constants, lanes_of(target));
            !decodes(&mut cx, target)
        });
        two.map_or_else(|| vec![region], Vec::from)
    };
    parts.into_iter().flat_map(apart).collect()
}

/// Whether a template takes a contraction with an operand that is decoded as it is read.
fn decodes(cx: &mut Cx, target: Target) -> bool {
    match target {
        Target::Host { .. } => cx.anchor().is_some_and(|node| Contraction::choose(cx, node).is_some()),
        Target::Gpu(gpu) => crate::gpu::choose(cx, gpu).is_some(),
    }
}

/// Lanes of the target's vectors.
fn lanes_of(target: Target) -> u32 {
    match target {
        Target::Host { lanes } => lanes,
        Target::Gpu(_) => 1,
    }
}

/// The template of an attention, if there is one that takes it.
fn attention<'a>(cx: &mut Cx<'a>, target: Target) -> Option<Box<dyn Recipe + 'a>> {
    match target {
        Target::Host { .. } => Some(Box::new(Attention::choose(cx)?)),
        Target::Gpu(gpu) => crate::gpu::attention::choose(cx, gpu),
    }
}

/// The way to write a region. Every one has one but an attention.
fn choose<'a>(cx: &mut Cx<'a>, target: Target) -> Option<Box<dyn Recipe + 'a>> {
    if cx.region.scores.is_some() {
        return attention(cx, target);
    }
    let template = match target {
        Target::Gpu(gpu) => crate::gpu::choose(cx, gpu),
        Target::Host { .. } => host_template(cx),
    };
    if let Some(recipe) = template {
        return Some(recipe);
    }
    match cx.anchor() {
        Some(node @ Node { op: Op::Cumulative(op), .. }) => return Some(Box::new(CumulativeRow::new(cx, node, op))),
        Some(node @ Node { op: Op::ScatterElements(_) | Op::ScatterNd(_), .. }) => {
            return Some(Box::new(Scatter::new(node)));
        }
        _ => {}
    }
    let map = Map::new(cx, target);
    cx.groups = map.groups.clone();
    Some(Box::new(map))
}

/// The first of the host's templates that takes the region.
fn host_template<'a>(cx: &mut Cx<'a>) -> Option<Box<dyn Recipe + 'a>> {
    if let Some(recipe) = Rows::choose(cx) {
        return Some(Box::new(recipe));
    }
    let node = cx.anchor()?;
    if let Some(recipe) = Contraction::choose(cx, node) {
        cx.groups = Some(recipe.groups.clone());
        return Some(Box::new(recipe));
    }
    let Op::Conv(op) = &node.op else { return None };
    Some(Box::new(Depthwise::choose(cx, node, op)?))
}

fn arguments(cx: &Cx, recipe: &dyn Recipe) -> Vec<Arg> {
    let leaves = cx.region.leaves.iter().filter(|v| cx.literal(**v).is_none()).copied();
    let mut args: Vec<Arg> = leaves.map(|value| Arg { value, packing: recipe.packing(value) }).collect();
    args.push(Arg { value: cx.region.store.value, packing: None });
    args
}

fn name(cx: &Cx) -> String {
    let mut words: Vec<&str> = Vec::new();
    for idx in &cx.region.members {
        let word = cx.graph.nodes[*idx].op.name();
        if !words.contains(&word) && !matches!(word, "broadcast" | "reshape") {
            words.push(word);
        }
    }
    if words.is_empty() { "copy".into() } else { words.join("_") }
}

fn host_function(cx: &mut Cx, args: &[Arg], recipe: &dyn Recipe) -> String {
    let params = [
        Param::with(Ty::PTR, "llvm.noalias"),
        Param::with(Ty::PTR, "llvm.noalias"),
        Param::of(Ty::I64),
        Param::of(Ty::I64),
        Param::with(Ty::PTR, "llvm.noalias"),
    ];
    let mut w = Writer::new();
    // Vectors of 64 bytes are AVX-512's.
    w.set_native_scale(cx.wide() >= 16);
    recipe.functions(&mut w);
    w.function(Function::host("kernel", &params), |w, p| {
        let pointer = Access::aligned(8).invariant();
        let ptrs: BTreeMap<ValueId, Val> = (0..)
            .zip(args)
            .map(|(slot, arg)| {
                let at = w.gep_const(p[0], slot, Ty::PTR);
                (arg.value, w.load(at, Ty::PTR, pointer))
            })
            .collect();
        let dims = (0..cx.dims().len() as i64)
            .map(|slot| {
                let at = w.gep_const(p[1], slot, Ty::I64);
                w.load(at, Ty::I64, pointer)
            })
            .collect();
        cx.bind(ptrs, dims);
        let one = w.i64(1);
        w.for_loop(p[2], p[3], one, &[], |w, task, _| {
            recipe.task(cx, w, task, Some(p[4]));
            vec![]
        });
        vec![]
    });
    w.finish()
}

fn gpu_function(cx: &mut Cx, args: &[Arg], recipe: &dyn Recipe, gpu: Gpu) -> String {
    let n_dims = cx.dims().len();
    let global: Ty = Scalar::Ptr(1).into();
    let n_maps = recipe.maps().len();
    let mut params = vec![Param::with(Ty::PTR, TENSOR_MAP); n_maps];
    params.extend(vec![Param::with(global, "llvm.noalias"); args.len()]);
    params.extend(vec![Param::of(Ty::I64); n_dims + 1]);
    let mut w = Writer::new();
    w.set_native_bf16(gpu.chip.sm >= 80);
    w.block("gpu.module @kernels", |w| {
        let block = recipe.block();
        if block.is_some_and(|block| block.shared > 0) {
            w.declare_shared();
        }
        let attrs = block
            .map_or(String::new(), |b| format!("nvvm.maxntid = array<i32: {}>, nvvm.minctasm = 1 : i32", b.threads));
        // Parameters in constant memory are allowed only for functions of the `llvm` dialect.
        let (kind, attrs) = match n_maps {
            0 => (FunctionKind::Kernel, attrs),
            _ => (FunctionKind::Llvm, format!("nvvm.kernel, {attrs}")),
        };
        w.function(Function { kind, attrs: &attrs, ..Function::kernel("kernel", &params) }, |w, p| {
            let (maps, p) = p.split_at(n_maps);
            cx.maps = maps.to_vec();
            let ptrs = args.iter().zip(p).map(|(arg, ptr)| (arg.value, *ptr)).collect();
            cx.bind(ptrs, p[args.len()..args.len() + n_dims].to_vec());
            match block {
                Some(_) => {
                    let number = w.block_number();
                    recipe.task(cx, w, number, None);
                }
                None => each_thread(cx, w, p[args.len() + n_dims], recipe),
            }
            vec![]
        });
    });
    w.finish()
}

/// One task for each thread, if there is one for it.
fn each_thread(cx: &Cx, w: &mut Writer, tasks: Val, recipe: &dyn Recipe) {
    let index = |w: &mut Writer, text: &str| {
        let id = w.op(Ty::INDEX, text);
        w.op(Ty::I64, format_args!("arith.index_cast {id} : index to i64"))
    };
    let (block, thread) = (index(w, "gpu.block_id x"), index(w, "gpu.thread_id x"));
    let size = w.i64(THREADS.threads.into());
    let first = w.muli(block, size);
    let task = w.addi(first, thread);
    let exists = w.cmpi(kernels::text::IntCmp::Slt, task, tasks);
    w.if_then(exists, |w| recipe.task(cx, w, task, None));
}
