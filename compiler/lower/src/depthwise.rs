//! Convolutions whose filters see one channel, on the host.
//!
//! A task computes some rows of one output plane. It copies the input rows that they need into its scratch memory, with
//! zeros for the padding and with the columns of each phase of the stride side by side, so that all that windows see is
//! neighbors in memory. Then it runs [`Stencil`] over groups of rows, and what follows over each finished group.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::Recipe;
use crate::map::split;
use crate::stencil::Stencil;
use graph::{Node, ValueId};
use kernels::text::{IntCmp, Scalar, Ty, Val, Writer};
use ops::Conv;
use tensor::{DType, Dim};

/// Bytes of copied input that should stay in the first cache beside everything else.
const INPUT_BYTES: i64 = 20 * 1024;
/// Windows with more elements than this leave no registers for accumulators.
const MAX_WINDOW: i64 = 64;
/// Strides with more phases would scatter the copy.
const MAX_STRIDE: usize = 4;

/// A depthwise convolution over one or two axes (a line is a plane of one row).
pub(crate) struct Depthwise {
    x: ValueId,
    filter: ValueId,
    images: Dim,
    filters: Dim,
    channels: Dim,
    input: [Dim; 2],
    output: [Dim; 2],
    pads: [Dim; 2],
    /// Whether the first of the two axes is made up.
    is_line: bool,
    stencil: Stencil,
    /// Groups of rows that a task computes.
    groups_per_task: i64,
}

impl Depthwise {
    /// The recipe of an anchor, if it suits it.
    pub(crate) fn choose(cx: &Cx, node: &Node, op: &Conv) -> Option<Depthwise> {
        let f32s = node.inputs.iter().chain(&node.outputs).all(|v| cx.ty(*v).dtype == DType::F32);
        let (x, filter) = (node.inputs[0], node.inputs[1]);
        let (x_shape, w_shape, out) = (&cx.ty(x).shape, &cx.ty(filter).shape, &cx.ty(node.outputs[0]).shape);
        let n_spatial = op.strides.len();
        let is_leaf = cx.member(x).is_none() && cx.member(filter).is_none();
        let is_spread = op.base_dilations.iter().any(|d| *d != 1);
        if !f32s || cx.wide() < 4 || !is_leaf || is_spread || w_shape[1] != Dim::from(1) || n_spatial > 2 {
            return None;
        }
        let is_line = n_spatial == 1;
        let pair = |axes: &dyn Fn(usize) -> Dim, lone: i64| -> [Dim; 2] {
            if is_line { [Dim::from(lone), axes(0)] } else { [axes(0), axes(1)] }
        };
        let numbers = |v: &[usize]| if is_line { [1, v[0]] } else { [v[0], v[1]] };
        let window = pair(&|axis| w_shape[axis + 2].clone(), 1);
        let window = [window[0].as_const()?, window[1].as_const()?];
        let output = pair(&|axis| out[axis + 2].clone(), 1);
        let (strides, dilations) = (numbers(&op.strides), numbers(&op.dilations));
        let few_columns = output[1].as_const().is_some_and(|n| n < 4);
        if window[0] * window[1] > MAX_WINDOW || strides.iter().any(|s| *s > MAX_STRIDE) || few_columns {
            return None;
        }
        let stencil = Stencil::new(cx.wide(), window, strides, dilations, &output);
        let groups_per_task = groups_per_task(&stencil, &output[0]);
        Some(Depthwise {
            x,
            filter,
            images: x_shape[0].clone(),
            filters: w_shape[0].clone(),
            channels: x_shape[1].clone(),
            input: pair(&|axis| x_shape[axis + 2].clone(), 1),
            output,
            pads: pair(&|axis| op.pads_low[axis].clone(), 0),
            is_line,
            stencil,
            groups_per_task,
        })
    }

    fn groups(&self) -> Dim {
        self.output[0].clone().ceil_div(self.stencil.rows.into())
    }

    fn row_blocks(&self) -> Dim {
        self.groups().ceil_div(self.groups_per_task.into())
    }

    /// Input rows of a task.
    fn input_rows(&self) -> i64 {
        self.stencil.input_rows(self.groups_per_task * self.stencil.rows)
    }

    /// The three parts of the scratch memory: the window's weights, the copied input, a finished group of rows.
    fn parts(&self, cx: &Cx, w: &mut Writer, scratch: Val) -> [Val; 3] {
        let weights = w.i64(self.weight_bytes());
        let input = w.gep_bytes(scratch, weights);
        let bytes = cx.dim(w, &self.input_bytes());
        [scratch, input, w.gep_bytes(input, bytes)]
    }

    fn weight_bytes(&self) -> i64 {
        (self.stencil.window[0] * self.stencil.window[1] * 4 + 63) / 64 * 64
    }

    fn input_bytes(&self) -> Dim {
        // The last row's vectors may reach behind it.
        let slack = Dim::from(i64::from(self.stencil.lanes) * 4);
        self.stencil.row_pitch.clone() * (self.input_rows() * 4).into() + slack
    }

    fn copy_weights(&self, cx: &Cx, w: &mut Writer, filter: Val, to: Val) {
        let n = w.i64(self.stencil.window[0] * self.stencil.window[1]);
        let first = w.muli(filter, n);
        let (zero, one) = (w.i64(0), w.i64(1));
        w.for_loop(zero, n, one, &[], |w, at, _| {
            let from = w.addi(first, at);
            let from = w.gep(cx.ptrs[&self.filter], from, Ty::F32);
            let value = w.load(from, Ty::F32, 4);
            let to = w.gep(to, at, Ty::F32);
            w.store(value, to, 4);
            vec![]
        });
    }

    /// Copies the input rows from row `first` (which may lie in the padding) on.
    fn copy_input(&self, cx: &Cx, w: &mut Writer, plane: Val, first: Val, to: Val) {
        let pitch = cx.dim(w, &self.stencil.phase_pitch);
        let (zero, lanes) = (w.i64(0), w.i64(self.stencil.lanes.into()));
        w.for_loop(zero, pitch, lanes, &[], |w, column, _| {
            let to = w.gep(to, column, Ty::F32);
            self.copy_columns(cx, w, plane, first, column, to);
            vec![]
        });
    }

    /// One vector of columns of each phase, of all input rows.
    fn copy_columns(&self, cx: &Cx, w: &mut Writer, plane: Val, first: Val, column: Val, to: Val) {
        let [height, width] = self.input.clone().map(|d| cx.dim(w, &d));
        let (stride, pad) = (w.i64(self.stencil.strides[1] as i64), cx.dim(w, &self.pads[1]));
        let x = w.muli(column, stride);
        let x = w.subi(x, pad);
        // Masks are made outside of the loop over rows; whether a row exists is a branch inside.
        let runs = Runs::new(w, x, &self.stencil, width);
        let (zero, one, n_rows) = (w.i64(0), w.i64(1), w.i64(self.input_rows()));
        let [row_pitch, phase_pitch] = [&self.stencil.row_pitch, &self.stencil.phase_pitch].map(|d| cx.dim(w, d));
        let vector = Ty::vector(Scalar::F32, self.stencil.lanes);
        let tys = vec![vector; self.stencil.strides[1]];
        w.for_loop(zero, n_rows, one, &[], |w, row, _| {
            let y = w.addi(first, row);
            let exists = w.cmpi(IntCmp::Ult, y, height);
            let line = w.muli(y, width);
            let line = w.addi(plane, line);
            let read = |w: &mut Writer| runs.read(cx, w, cx.ptrs[&self.x], line);
            let phases = w.if_else(exists, &tys, read, |w| vec![w.zero(vector); tys.len()]);
            let place = w.muli(row, row_pitch);
            let mut place = w.gep(to, place, Ty::F32);
            for value in phases {
                w.store(value, place, self.stencil.alignment());
                place = w.gep(place, phase_pitch, Ty::F32);
            }
            vec![]
        });
    }

    /// What follows the convolution, for a finished group of rows from row `first` on.
    fn finish(&self, cx: &Cx, w: &mut Writer, [image, filter, first]: [Val; 3], finished: Val) {
        let (zero, one, lanes) = (w.i64(0), w.i64(1), w.i64(self.stencil.lanes.into()));
        let [height, width] = self.output.clone().map(|d| cx.dim(w, &d));
        let left = w.subi(height, first);
        let n_rows = w.i64(self.stencil.rows);
        let n_rows = w.minsi(left, n_rows);
        let pitch = cx.dim(w, &self.stencil.out_pitch);
        w.for_loop(zero, n_rows, one, &[], |w, row, _| {
            let y = w.addi(first, row);
            let line = w.muli(row, pitch);
            let line = w.gep(finished, line, Ty::F32);
            let n_full = w.divsi(width, lanes);
            let full = w.muli(n_full, lanes);
            if w.known_int(full) != Some(0) {
                w.for_loop(zero, full, lanes, &[], |w, x, _| {
                    self.finish_vector(cx, w, [image, filter, y, x], line, None);
                    vec![]
                });
            }
            if self.output[1].as_const().is_none_or(|n| n % i64::from(self.stencil.lanes) != 0) {
                w.for_loop(full, width, lanes, &[], |w, x, _| {
                    let left = w.subi(width, x);
                    let mask = w.tail_mask(left, self.stencil.lanes);
                    self.finish_vector(cx, w, [image, filter, y, x], line, Some(mask));
                    vec![]
                });
            }
            vec![]
        });
    }

    fn finish_vector(&self, cx: &Cx, w: &mut Writer, at: [Val; 4], line: Val, mask: Option<Val>) {
        let Some(anchor) = cx.anchor() else { return };
        let [image, filter, y, x] = at;
        let place = w.gep(line, x, Ty::F32);
        let sum = w.load(place, Ty::vector(Scalar::F32, self.stencil.lanes), self.stencil.alignment());
        cx.given.borrow_mut().insert(anchor.outputs[0], sum);
        let mut scope = Scope::new(self.stencil.lanes, mask);
        let mut idx = vec![Idx::Uniform(image), Idx::Uniform(filter)];
        if !self.is_line {
            idx.push(Idx::Uniform(y));
        }
        idx.push(Idx::Linear(x, 1));
        let value = cx.value(w, &mut scope, cx.region.result, &idx);
        cx.store(w, &scope, &idx, value);
    }
}

impl Recipe for Depthwise {
    fn tasks(&self) -> Dim {
        self.images.clone() * self.filters.clone() * self.row_blocks()
    }

    fn scratch(&self) -> Dim {
        Dim::from(self.weight_bytes())
            + self.input_bytes()
            + self.stencil.out_pitch.clone() * (self.stencil.rows * 4).into()
    }

    fn functions(&self, w: &mut Writer) {
        self.stencil.function(w);
    }

    fn template(&self) -> String {
        "depthwise rows".into()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>) {
        let Some(scratch) = scratch else { return };
        let extents = [self.images.clone(), self.filters.clone(), self.row_blocks()];
        let idx: Vec<Val> = split(cx, w, task, &extents).into_iter().map(|i| i.val(w, 1)).collect();
        let (image, filter, block) = (idx[0], idx[1], idx[2]);
        let [weights, input, finished] = self.parts(cx, w, scratch);
        self.copy_weights(cx, w, filter, weights);
        let plane = self.plane(cx, w, image, filter);
        let per_task = w.i64(self.groups_per_task);
        let first_group = w.muli(block, per_task);
        let n_rows = w.i64(self.stencil.rows);
        let first_row = w.muli(first_group, n_rows);
        let (stride, pad) = (w.i64(self.stencil.strides[0] as i64), cx.dim(w, &self.pads[0]));
        let y = w.muli(first_row, stride);
        let y = w.subi(y, pad);
        self.copy_input(cx, w, plane, y, input);
        let n_groups = cx.dim(w, &self.groups());
        let left = w.subi(n_groups, first_group);
        let (zero, one, count) = (w.i64(0), w.i64(1), w.minsi(left, per_task));
        w.for_loop(zero, count, one, &[], |w, group, _| {
            let rows = w.muli(group, n_rows);
            let pitch = cx.dim(w, &self.stencil.row_pitch);
            let offset = w.muli(rows, stride);
            let offset = w.muli(offset, pitch);
            let from = w.gep(input, offset, Ty::F32);
            self.stencil.call(cx, w, from, weights, finished);
            let first = w.addi(first_row, rows);
            self.finish(cx, w, [image, filter, first], finished);
            vec![]
        });
    }
}

impl Depthwise {
    /// Where the plane that a filter sees begins.
    fn plane(&self, cx: &Cx, w: &mut Writer, image: Val, filter: Val) -> Val {
        let per_channel = cx.dim(w, &self.filters.clone().floor_div(self.channels.clone()));
        let channel = w.divui(filter, per_channel);
        let channels = cx.dim(w, &self.channels);
        let before = w.muli(image, channels);
        let plane = w.addi(before, channel);
        let size = cx.dim(w, &(self.input[0].clone() * self.input[1].clone()));
        w.muli(plane, size)
    }
}

/// How the phases of some neighboring columns are read: places relative to a line, and which of them exist.
struct Runs {
    lanes: u32,
    /// For stride 2, two neighbors that are sorted after reading; else one for each phase.
    places: Vec<(Idx, Val)>,
    is_sorted: bool,
}

impl Runs {
    fn new(w: &mut Writer, x: Val, stencil: &Stencil, width: Val) -> Runs {
        let lanes = stencil.lanes;
        let stride = stencil.strides[1] as i64;
        let is_sorted = stride != 2;
        let places = (0..stride)
            .map(|phase| {
                let shift = w.i64(if is_sorted { phase } else { phase * i64::from(lanes) });
                let at = Idx::Linear(w.addi(x, shift), if is_sorted { stride } else { 1 });
                (at, at.inside(w, lanes, width))
            })
            .collect();
        Runs { lanes, places, is_sorted }
    }

    fn read(&self, cx: &Cx, w: &mut Writer, ptr: Val, line: Val) -> Vec<Val> {
        let read = |(at, mask): &(Idx, Val)| {
            let at = at.offset(w, line);
            cx.load(w, &Scope::new(self.lanes, Some(*mask)), ptr, DType::F32, at)
        };
        let read: Vec<Val> = self.places.iter().map(read).collect();
        let [low, high] = read[..] else { return read };
        if self.is_sorted {
            return read;
        }
        (0..2)
            .map(|phase| {
                let picks: Vec<u32> = (0..self.lanes).map(|lane| 2 * lane + phase).collect();
                w.shuffle(low, high, &picks)
            })
            .collect()
    }
}

/// As many groups as the copied input leaves in the first cache.
fn groups_per_task(stencil: &Stencil, height: &Dim) -> i64 {
    let row_bytes = stencil.row_pitch.as_const().unwrap_or(256) * 4;
    let groups = height.as_const().map_or(i64::MAX, |h| (h + stencil.rows - 1) / stencil.rows).max(1);
    let fits = |groups: i64| stencil.input_rows(groups * stencil.rows) * row_bytes <= INPUT_BYTES;
    (1..=groups.min(32)).rev().find(|groups| fits(*groups)).unwrap_or(1)
}
