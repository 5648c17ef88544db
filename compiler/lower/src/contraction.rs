//! Contractions in tiles of registers: matrix products and convolutions in `f32` on the host.
//!
//! Both are `C[m, n] = sum_k A[m, k] * B[k, n]` for each matrix of a batch; for a convolution `n` counts output places,
//! `k` window elements, and `B` is what its windows see (implicit GEMM). `A` is read row by row, or from panels that were
//! packed at compile time; `B` comes from packed panels, or a thread packs what it needs into its scratch memory.
//! What follows the contraction is applied to each tile while it is in the first cache.
//! The scheme is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), with the
//! whole of `k` in one block: panels of `B` stay in the second cache for all the `k` that models have.

use crate::context::Cx;
use crate::decoded::Decoded;
use crate::kernel::Recipe;
use crate::map::split;
use crate::packing::Packing;
use crate::tile::{Tile, ceil_div};
use graph::{Node, ValueId};
use kernels::text::{Val, Writer};
use ops::{Conv, Dot, Op};
use schedule::{Class, Groups, broadcast_strides, class, strided};
use tensor::{DType, Dim};

/// A panel block of `B` should take no more than this of the second cache.
const BLOCK_BYTES: i64 = 256 * 1024;
/// Row tiles of one task where `B` need not be packed for it.
const TILES_PER_TASK: i64 = 8;

/// Where an operand's elements are: `offset + batch . batch_strides + outer * outer_stride + k * k_stride`.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) leaf: ValueId,
    pub(crate) offset: Dim,
    pub(crate) batch_strides: Vec<Dim>,
    /// Distance between rows of `A`, or columns of `B`.
    pub(crate) outer_stride: Dim,
    pub(crate) k_stride: Dim,
    pub(crate) packing: Option<Packing>,
}

/// How the columns of `B` are found.
#[derive(Clone, Debug)]
pub(crate) enum Columns {
    /// By strides.
    Matrix,
    /// Places of a convolution's window.
    Windows(Box<Windows>),
}

/// A convolution over the last two axes.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    /// Height and width of the input, the window and the output.
    pub(crate) input: [Dim; 2],
    pub(crate) kernel: [Dim; 2],
    pub(crate) output: [Dim; 2],
    pub(crate) strides: [i64; 2],
    pub(crate) dilations: [i64; 2],
    pub(crate) pads: [Dim; 2],
    pub(crate) channels: Dim,
}

/// A contraction and how it is tiled.
pub(crate) struct Contraction {
    pub(crate) groups: Groups,
    /// Extents of the batch axes.
    pub(crate) batch: Vec<Dim>,
    pub(crate) m: Dim,
    pub(crate) n: Dim,
    pub(crate) k: Dim,
    pub(crate) a: Matrix,
    pub(crate) b: Matrix,
    pub(crate) columns: Columns,
    /// How `B` is computed from codes in memory, if it is; then only the order of its axes is a matrix.
    pub(crate) decoded: Option<Decoded>,
    pub(crate) tile: Tile,
    /// Whether `B` is read in place, without panels.
    pub(crate) direct: bool,
    /// Distance between rows of a finished tile, in elements.
    pub(crate) tile_stride: Dim,
    /// The functions of the loop over `k`: for every panel, and for the last one.
    pub(crate) functions: [&'static str; 2],
    /// For each group of the result: a batch axis, the row or the column.
    pub(crate) roles: Vec<Role>,
    panels_per_block: i64,
    tiles_per_task: Dim,
}

/// What a group of the result's axes is indexed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A batch axis.
    Batch(usize),
    /// Rows, which for a grouped convolution follow those of the groups (a batch axis) before.
    Row(Option<usize>),
    /// Columns.
    Column,
}

impl Contraction {
    /// The tiling of an anchor, if it is one that tiles suit.
    pub(crate) fn choose(cx: &Cx, node: &Node) -> Option<Contraction> {
        let f32s = node.inputs.iter().chain(&node.outputs).all(|v| cx.ty(*v).dtype == DType::F32);
        if !f32s || cx.wide() < 4 {
            return None;
        }
        Contraction::describe(cx, node)
    }

    /// An anchor as a product of matrices, if it is one and what follows can be applied to its tiles.
    pub(crate) fn describe(cx: &Cx, node: &Node) -> Option<Contraction> {
        let contraction = match &node.op {
            Op::Dot(op) => Contraction::of_dot(cx, node, op, &|idx| cx.is_member(idx)),
            Op::Conv(op) => Contraction::of_conv(cx, node, op),
            _ => None,
        }?;
        contraction.epilogue_fits(cx, node).then_some(contraction)
    }

    /// Whether everything that follows can be addressed by the result's groups.
    pub(crate) fn epilogue_fits(&self, cx: &Cx, node: &Node) -> bool {
        let to = &cx.ty(node.outputs[0]).shape;
        let fits = |value: &ValueId| broadcast_strides(&cx.ty(*value).shape, to, &self.groups).is_some();
        // A part of a concatenation is dense behind its axis, so that axis must begin a group.
        let part_fits = cx.region.store.part.as_ref().is_none_or(|(axis, _)| self.groups.starts.contains(axis));
        part_fits
            && cx.region.members.iter().map(|idx| &cx.graph.nodes[*idx]).all(|member| {
                let leaves = member.inputs.iter().filter(|v| cx.member(**v).is_none());
                let before = is_before(cx, member, node);
                let stays =
                    matches!(class(cx.graph, member), Class::Elementwise) || matches!(member.op, Op::Broadcast(_));
                before || member.outputs == node.outputs || (stays && leaves.into_iter().all(fits))
            })
    }

    /// A contraction whose operands are views of what is not `inlined`.
    pub(crate) fn of_dot(cx: &Cx, node: &Node, op: &Dot, inlined: &dyn Fn(usize) -> bool) -> Option<Contraction> {
        let view = |value: ValueId| strided(cx.graph, cx.producers, value, inlined);
        let decoded = Decoded::of(cx, node, inlined);
        let x = view(node.inputs[0])?;
        let y = match &decoded {
            Some(decoded) => decoded.as_matrix(cx, op),
            None => view(node.inputs[1])?,
        };
        let (x_ty, y_ty) = (cx.ty(node.inputs[0]), cx.ty(node.inputs[1]));
        let free = |rank: usize, batch: &[usize], contract: &[usize]| -> Vec<usize> {
            (0..rank).filter(|axis| !batch.contains(axis) && !contract.contains(axis)).collect()
        };
        let left = free(x_ty.rank(), &op.lhs_batch, &op.lhs_contract);
        let right = free(y_ty.rank(), &op.rhs_batch, &op.rhs_contract);
        let (k, [x_k, y_k]) = merge(
            &op.lhs_contract.iter().map(|a| x_ty.shape[*a].clone()).collect::<Vec<_>>(),
            [
                &op.lhs_contract.iter().map(|a| x.strides[*a].clone()).collect::<Vec<_>>(),
                &op.rhs_contract.iter().map(|a| y.strides[*a].clone()).collect::<Vec<_>>(),
            ],
        )?;
        if left.is_empty() && right.is_empty() || cx.dots_rows(node, op) && (left.is_empty() || right.is_empty()) {
            return None;
        }
        // A product with a vector on the right is one with a row on the left.
        let swap = right.is_empty();
        if swap && decoded.is_some() {
            return None;
        }
        let (rows, columns) = if swap { (vec![], left.clone()) } else { (left.clone(), right.clone()) };
        let (a, b, a_shape, b_shape) =
            if swap { (&y, &x, &y_ty.shape, &x_ty.shape) } else { (&x, &y, &x_ty.shape, &y_ty.shape) };
        let (a_k, b_k) = if swap { (y_k, x_k) } else { (x_k, y_k) };
        let (a_batch_axes, b_batch_axes) =
            if swap { (&op.rhs_batch, &op.lhs_batch) } else { (&op.lhs_batch, &op.rhs_batch) };
        let mut batch: Vec<Dim> = a_batch_axes.iter().map(|axis| a_shape[*axis].clone()).collect();
        let mut a_batch: Vec<Dim> = a_batch_axes.iter().map(|axis| a.strides[*axis].clone()).collect();
        let mut b_batch: Vec<Dim> = b_batch_axes.iter().map(|axis| b.strides[*axis].clone()).collect();
        let mut starts: Vec<usize> = (0..batch.len()).collect();
        let mut roles: Vec<Role> = (0..batch.len()).map(Role::Batch).collect();
        let mut place = batch.len();
        let (m, a_outer) = outer(&rows, a_shape, &a.strides, |extent, stride, at| {
            roles.push(Role::Batch(batch.len()));
            starts.push(place + at);
            batch.push(extent);
            a_batch.push(stride);
            b_batch.push(0.into());
        });
        let n_split = starts.len() - a_batch_axes.len();
        if !rows.is_empty() {
            starts.push(place + n_split);
            roles.push(Role::Row(None));
            place += rows.len();
        }
        let before_columns = starts.len();
        let (n, b_outer) = outer(&columns, b_shape, &b.strides, |extent, stride, at| {
            roles.push(Role::Batch(batch.len()));
            starts.push(place + at);
            batch.push(extent);
            a_batch.push(0.into());
            b_batch.push(stride);
        });
        starts.push(place + starts.len() - before_columns);
        roles.push(Role::Column);
        let matrix = |view: &schedule::Strided, batch_strides: Vec<Dim>, outer_stride: Dim, k_stride: Dim| Matrix {
            leaf: view.leaf,
            offset: view.offset.clone(),
            batch_strides,
            outer_stride,
            k_stride,
            packing: None,
        };
        let groups = Groups::of(&cx.ty(node.outputs[0]).shape, &starts);
        let (a, b) = (matrix(a, a_batch, a_outer, a_k), matrix(b, b_batch, b_outer, b_k));
        Some(Contraction::tiled(cx, groups, roles, batch, [m, n, k], a, b, Columns::Matrix, decoded))
    }

    fn of_conv(cx: &Cx, node: &Node, op: &Conv) -> Option<Contraction> {
        let (x, filter) = (node.inputs[0], node.inputs[1]);
        let (x_shape, w_shape, out) = (&cx.ty(x).shape, &cx.ty(filter).shape, &cx.ty(node.outputs[0]).shape);
        let n_spatial = op.strides.len();
        let m = w_shape[0].clone().floor_div(op.groups.into());
        // Few filters share a window: there, and in three dimensions, each place is computed on its own.
        if n_spatial > 2 || op.base_dilations.iter().any(|d| *d != 1) || m.as_const().is_some_and(|m| m < 4) {
            return None;
        }
        let pair = |axes: &dyn Fn(usize) -> Dim, lone: i64| -> [Dim; 2] {
            if n_spatial == 2 { [axes(0), axes(1)] } else { [Dim::from(lone), axes(0)] }
        };
        let numbers = |v: &[usize]| if n_spatial == 2 { [v[0] as i64, v[1] as i64] } else { [1, v[0] as i64] };
        let channels = w_shape[1].clone();
        let windows = Windows {
            input: pair(&|axis| x_shape[axis + 2].clone(), 1),
            kernel: pair(&|axis| w_shape[axis + 2].clone(), 1),
            output: pair(&|axis| out[axis + 2].clone(), 1),
            strides: numbers(&op.strides),
            dilations: numbers(&op.dilations),
            pads: pair(&|axis| op.pads_low[axis].clone(), 0),
            channels: channels.clone(),
        };
        let product = |dims: &[Dim]| dims.iter().fold(Dim::from(1), |a, b| a * b.clone());
        let k = product(&w_shape[1..]);
        let (pixels, places) = (product(&x_shape[2..]), product(&out[2..]));
        let image = x_shape[1].clone() * pixels.clone();
        let one = Dim::from(1);
        let unpadded = op.pads_low.iter().chain(&op.pads_high).all(|p| *p == Dim::from(0));
        let pointwise = w_shape[2..].iter().all(|d| *d == one) && op.strides.iter().all(|s| *s == 1) && unpadded;
        let batch = vec![x_shape[0].clone(), Dim::from(op.groups)];
        let a = Matrix {
            leaf: filter,
            offset: 0.into(),
            batch_strides: vec![0.into(), m.clone() * k.clone()],
            outer_stride: k.clone(),
            k_stride: 1.into(),
            packing: None,
        };
        let b = Matrix {
            leaf: x,
            offset: 0.into(),
            batch_strides: vec![image, channels * pixels.clone()],
            outer_stride: 1.into(),
            k_stride: pixels,
            packing: None,
        };
        let groups = Groups::of(out, &[0, 1, 2]);
        let roles = vec![Role::Batch(0), Role::Row(Some(1)), Role::Column];
        let columns = if pointwise { Columns::Matrix } else { Columns::Windows(Box::new(windows)) };
        Some(Contraction::tiled(cx, groups, roles, batch, [m, places, k], a, b, columns, None))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one contraction")]
    fn tiled(
        cx: &Cx,
        groups: Groups,
        roles: Vec<Role>,
        batch: Vec<Dim>,
        [m, n, k]: [Dim; 3],
        mut a: Matrix,
        mut b: Matrix,
        columns: Columns,
        decoded: Option<Decoded>,
    ) -> Contraction {
        let tile = Tile::choose(cx.wide(), m.as_const(), n.as_const());
        // Codes are read as they are, and so is what meets them.
        let in_place = matches!(columns, Columns::Matrix) && decoded.is_none();
        if decoded.is_none() {
            a.packing = packing(cx, &a, &batch, &m, &k, tile.rows as usize);
        }
        if in_place {
            b.packing = packing(cx, &b, &batch, &n, &k, tile.columns() as usize);
        }
        let few_rows = m.as_const().is_some_and(|m| m <= i64::from(tile.rows));
        let direct = in_place && b.packing.is_none() && b.outer_stride == Dim::from(1) && few_rows;
        let column_bytes = k.as_const().unwrap_or(1024).max(1) * i64::from(tile.columns()) * 4;
        let mut panels_per_block = (BLOCK_BYTES / column_bytes).clamp(1, 8);
        let matrices = batch.iter().try_fold(1, |a, d| d.as_const().map(|d| a * d));
        let panels = n.as_const().map(|n| ceil_div(n, tile.columns().into()));
        let tiles = m.clone().ceil_div(i64::from(tile.rows).into());
        let mut tiles_per_task = if b.packing.is_some() || direct { Dim::from(TILES_PER_TASK) } else { tiles.clone() };
        if let (Some(matrices), Some(panels)) = (matrices, panels) {
            while panels_per_block > 1 && matrices * ceil_div(panels, panels_per_block) < 8 {
                panels_per_block -= 1;
            }
            let blocks = matrices * ceil_div(panels, panels_per_block);
            if blocks < 4 && b.packing.is_none() && !direct {
                tiles_per_task = tiles.ceil_div((4 / blocks.max(1)).max(1).into());
            }
        }
        let (tile_stride, functions) = (Dim::from(i64::from(tile.columns())), ["accumulate", "accumulate_tail"]);
        Contraction {
            groups,
            batch,
            m,
            n,
            k,
            a,
            b,
            columns,
            decoded,
            tile,
            direct,
            tile_stride,
            functions,
            roles,
            panels_per_block,
            tiles_per_task,
        }
    }

    pub(crate) fn n_panels(&self) -> Dim {
        self.n.clone().ceil_div(i64::from(self.tile.columns()).into())
    }

    fn n_blocks(&self) -> Dim {
        self.n_panels().ceil_div(self.panels_per_block.into())
    }

    pub(crate) fn n_tiles(&self) -> Dim {
        self.m.clone().ceil_div(i64::from(self.tile.rows).into())
    }

    fn row_blocks(&self) -> Dim {
        self.n_tiles().ceil_div(self.tiles_per_task.clone().max(1.into()))
    }

    /// Whether a thread packs `B` for itself.
    pub(crate) fn packs(&self) -> bool {
        self.b.packing.is_none() && !self.direct
    }
}

impl Recipe for Contraction {
    fn tasks(&self) -> Dim {
        self.batch.iter().fold(self.n_blocks() * self.row_blocks(), |a, b| a * b.clone())
    }

    fn scratch(&self) -> Dim {
        let tile = Dim::from(self.tile.bytes());
        let panel = self.k.clone() * i64::from(self.tile.columns() * 4).into();
        if self.packs() && !self.always_few() { tile + panel * self.panels_per_block.into() } else { tile }
    }

    fn packing(&self, value: ValueId) -> Option<Packing> {
        let of = |matrix: &Matrix| matrix.packing.filter(|_| matrix.leaf == value);
        of(&self.a).or(of(&self.b))
    }

    fn functions(&self, w: &mut Writer) {
        if !self.always_few() {
            self.accumulate_functions(w);
        }
    }

    fn template(&self) -> String {
        match &self.decoded {
            Some(decoded) => format!("tiles of registers, {} bits decoded", 8 / decoded.per_byte()),
            None => "tiles of registers".into(),
        }
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>) {
        let Some(scratch) = scratch else { return };
        let mut extents = self.batch.clone();
        extents.extend([self.n_blocks(), self.row_blocks()]);
        let idx: Vec<Val> = split(cx, w, task, &extents).into_iter().map(|i| i.val(w, 1)).collect();
        let (batch, rest) = idx.split_at(self.batch.len());
        let tile_bytes = w.i64(self.tile.bytes());
        let block = w.gep_bytes(scratch, tile_bytes);
        let (n_panels, per_block) = (cx.dim(w, &self.n_panels()), w.i64(self.panels_per_block));
        let first = w.muli(rest[0], per_block);
        let end = w.addi(first, per_block);
        let end = w.minsi(end, n_panels);
        let Some(decoded) = &self.decoded else {
            return self.many_rows(cx, w, batch, rest[1], [first, end], [scratch, block]);
        };
        let few = |w: &mut Writer| {
            let one = w.i64(1);
            w.for_loop(first, end, one, &[], |w, panel, _| {
                self.few_rows(cx, w, decoded, batch, panel, scratch);
                vec![]
            });
        };
        self.by_rows(cx, w, few, |w| self.many_rows(cx, w, batch, rest[1], [first, end], [scratch, block]));
    }
}

impl Contraction {
    /// Tiles of rows with panels of columns: a block of each.
    fn many_rows(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        rows: Val,
        [first, end]: [Val; 2],
        [scratch, block]: [Val; 2],
    ) {
        if self.packs() {
            self.pack_panels(cx, w, batch, first, end, block);
        }
        let (n_tiles, per_task) = (cx.dim(w, &self.n_tiles()), cx.dim(w, &self.tiles_per_task));
        let tile_first = w.muli(rows, per_task);
        let tile_end = w.addi(tile_first, per_task);
        let tile_end = w.minsi(tile_end, n_tiles);
        let one = w.i64(1);
        w.for_loop(tile_first, tile_end, one, &[], |w, tile, _| {
            w.for_loop(first, end, one, &[], |w, panel, _| {
                let local = w.subi(panel, first);
                self.tile(cx, w, batch, tile, panel, local, [scratch, block]);
                vec![]
            });
            vec![]
        });
    }
}

/// Whether a member is computed on the way to the anchor.
fn is_before(cx: &Cx, member: &Node, anchor: &Node) -> bool {
    let mut work: Vec<ValueId> = anchor.inputs.clone();
    while let Some(value) = work.pop() {
        if let Some(node) = cx.member(value) {
            if node.outputs == member.outputs {
                return true;
            }
            work.extend(&node.inputs);
        }
    }
    false
}

/// Several axes as one, if every operand walks them in one stride.
fn merge<const N: usize>(extents: &[Dim], strides: [&[Dim]; N]) -> Option<(Dim, [Dim; N])> {
    let one = Dim::from(1);
    let walked: Vec<usize> = (0..extents.len()).filter(|axis| extents[*axis] != one).collect();
    for pair in walked.windows(2) {
        let even = |s: &&[Dim]| s[pair[0]] == s[pair[1]].clone() * extents[pair[1]].clone();
        if !strides.iter().all(even) {
            return None;
        }
    }
    let total = extents.iter().fold(one, |a, b| a * b.clone());
    let last = |s: &[Dim]| walked.last().map_or(Dim::from(1), |axis| s[*axis].clone());
    Some((total, strides.map(last)))
}

/// The free axes of an operand as one; where they do not merge, all but the last become batch axes.
fn outer(axes: &[usize], shape: &[Dim], strides: &[Dim], mut batch: impl FnMut(Dim, Dim, usize)) -> (Dim, Dim) {
    let extents: Vec<Dim> = axes.iter().map(|axis| shape[*axis].clone()).collect();
    let steps: Vec<Dim> = axes.iter().map(|axis| strides[*axis].clone()).collect();
    if let Some((extent, [stride])) = merge(&extents, [&steps]) {
        return (extent, stride);
    }
    let last = axes.len() - 1;
    for at in 0..last {
        batch(extents[at].clone(), steps[at].clone(), at);
    }
    (extents[last].clone(), steps[last].clone())
}

/// How a constant operand is packed: one matrix for all of the batch, or one for each index of one batch axis.
fn packing(cx: &Cx, matrix: &Matrix, batch: &[Dim], outer: &Dim, k: &Dim, panel: usize) -> Option<Packing> {
    let tensor = cx.constants[matrix.leaf.index()]?;
    if matrix.offset != Dim::from(0) || tensor.is_empty() {
        return None;
    }
    let number = |dim: &Dim| dim.as_const().and_then(|d| usize::try_from(d).ok());
    let walked: Vec<usize> =
        (0..batch.len()).filter(|at| matrix.batch_strides[*at] != Dim::from(0) && batch[*at] != Dim::from(1)).collect();
    let (matrices, matrix_stride) = match walked[..] {
        [] => (1, 0),
        [at] => (number(&batch[at])?, number(&matrix.batch_strides[at])?),
        _ => return None,
    };
    Some(Packing {
        matrices,
        matrix_stride,
        rows: number(outer)?,
        row_stride: number(&matrix.outer_stride)?,
        columns: number(k)?,
        column_stride: number(&matrix.k_stride)?,
        panel,
    })
}
