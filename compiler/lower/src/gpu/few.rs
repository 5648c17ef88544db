//! Products with at most eight rows or columns: decoding, and matrices times vectors.
//!
//! Takes floats of at most 32 bits where the long side has neighbors in memory. See [`Few`] for the order of sums.

use super::Gpu;
use super::codes::{Codes, CodesAt};
use super::operands::{Facts, Side, batch_of, dim32, facts, result_index};
use crate::context::{Cx, Scope};
use crate::contraction::{Columns, Contraction};
use crate::kernel::{Block, Recipe};
use crate::reduce::finish;
use kernels::gpu::{Along, Decoder, Few, FewPlace};
use kernels::text::{Scalar, Val, Writer};
use ops::Op;
use tensor::Dim;

/// Elements of the short side that a thread holds to meet the codes of a piece.
const ELEMENTS: u32 = 64;
/// More rows than this are for tensor cores.
const MOST: i64 = 8;

struct FewRows {
    contraction: Contraction,
    few: Few,
    /// Which side is the short one.
    short: Side,
    /// How the long side is decoded, if it holds codes.
    codes: Option<Codes>,
}

/// The recipe of a region whose anchor is such a product.
pub(super) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let node = cx.anchor()?;
    if !matches!(node.op, Op::Dot(_)) || Cx::accumulator(cx.ty(node.outputs[0]).dtype) != Scalar::F32 {
        return None;
    }
    let contraction = Contraction::describe(cx, node)?;
    let rows = |dim: &Dim| dim.as_const().filter(|n| (1..=MOST).contains(n)).and_then(|n| u32::try_from(n).ok());
    let (short, rows) = match (rows(&contraction.m), rows(&contraction.n)) {
        (Some(m), _) => (Side::A, m),
        (None, Some(n)) => (Side::B, n),
        (None, None) => return None,
    };
    if contraction.decoded.is_some() {
        return decoded(cx, contraction, rows, gpu);
    }
    let (a, b) = (facts(cx, &contraction, Side::A), facts(cx, &contraction, Side::B));
    let [short_facts, long] = if short == Side::A { [a, b] } else { [b, a] };
    let is_float = |facts: Facts| facts.elem.is_float() && facts.elem != Scalar::F64;
    let matrices = matches!(contraction.columns, Columns::Matrix);
    if !matrices || !long.dense || !is_float(a) || !is_float(b) {
        return None;
    }
    let few = Few {
        rows,
        along: long.along,
        elems: [short_facts.elem, long.elem],
        pieces: [pieces_of_short(short_facts, long), long.piece],
        codes: 1,
    };
    cx.groups = Some(contraction.groups.clone());
    Some(Box::new(FewRows { contraction, few, short, codes: None }))
}

/// The same where the columns are decoded: few rows of floats along `k`, and codes that are read by pieces.
fn decoded<'a>(cx: &mut Cx<'a>, contraction: Contraction, rows: u32, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let codes = Codes::of(cx, &contraction, ELEMENTS / rows, true, gpu)?;
    let short = facts(cx, &contraction, Side::A);
    let is_float = short.elem.is_float() && short.elem != Scalar::F64;
    if !is_float || contraction.m.as_const() != Some(rows.into()) {
        return None;
    }
    let piece = if short.dense && short.along == Along::K { short.piece } else { short.elem.bytes() };
    let few = Few {
        rows,
        along: Along::K,
        elems: [short.elem, Scalar::I8],
        pieces: [piece, codes.piece],
        codes: codes.per_byte(),
    };
    cx.groups = Some(contraction.groups.clone());
    Some(Box::new(FewRows { contraction, few, short: Side::A, codes: Some(codes) }))
}

/// The short side is read in the same runs as the long one, by pieces if it lies the same way.
fn pieces_of_short(short: Facts, long: Facts) -> u32 {
    if short.dense && short.along == long.along { short.piece } else { short.elem.bytes() }
}

impl FewRows {
    fn blocks(&self) -> Dim {
        let long = if self.short == Side::A { &self.contraction.n } else { &self.contraction.m };
        long.clone().ceil_div(i64::from(self.few.per_block()).into())
    }

    fn place(&self, cx: &Cx, w: &mut Writer, batch: &[Val], block: Val) -> FewPlace {
        let contraction = &self.contraction;
        let (short, long, n) = match self.short {
            Side::A => (&contraction.a, &contraction.b, &contraction.n),
            Side::B => (&contraction.b, &contraction.a, &contraction.m),
        };
        let first = |w: &mut Writer, side: usize| {
            let matrix = [short, long][side];
            let base = contraction.base(cx, w, matrix, batch);
            w.gep(cx.ptrs[&matrix.leaf], base, self.few.elems[side].into())
        };
        let (long_first, long_stride) = match &self.codes {
            Some(codes) => (codes.pointer(cx), codes.outer_stride.clone()),
            None => (first(w, 1), long.outer_stride.clone()),
        };
        FewPlace {
            first: [first(w, 0), long_first],
            outer_stride: [cx.dim(w, &short.outer_stride), cx.dim(w, &long_stride)],
            k_stride: [cx.dim(w, &short.k_stride), cx.dim(w, &long.k_stride)],
            n: dim32(cx, w, n),
            k: dim32(cx, w, &contraction.k),
            block,
        }
    }
}

impl Recipe for FewRows {
    fn tasks(&self) -> Dim {
        self.contraction.batch.iter().fold(self.blocks(), |a, b| a * b.clone())
    }

    fn template(&self) -> String {
        let few = &self.few;
        let along = if few.along == kernels::gpu::Along::K { "warps along k" } else { "warps along rows" };
        let codes = if self.codes.is_some() { " of codes" } else { "" };
        format!("few rows ({}) {along}, pieces of {} bytes{codes}", few.rows, few.pieces[1])
    }

    fn block(&self) -> Option<Block> {
        Some(Block { threads: self.few.threads(), tasks: 1, shared: self.few.shared() })
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let blocks = dim32(cx, w, &self.blocks());
        let alone = self.contraction.batch.iter().all(|extent| *extent == Dim::from(1));
        let (matrix, block) = if alone { (w.i32(0), task) } else { (w.divui(task, blocks), w.remui(task, blocks)) };
        let batch = batch_of(cx, w, &self.contraction, matrix);
        let place = self.place(cx, w, &batch, block);
        let decoder = self.codes.as_ref().map(|codes| CodesAt { codes, cx });
        let decoder = decoder.as_ref().map(|at| at as &dyn Decoder);
        self.few.write(w, &place, decoder, &mut |w, short, long, sum| {
            let Some(anchor) = cx.anchor() else { return };
            let sum = finish(w, sum, cx.ty(anchor.outputs[0]).dtype);
            cx.given.borrow_mut().insert(anchor.outputs[0], sum);
            let at = if self.short == Side::A { [short, long] } else { [long, short] };
            let idx = result_index(cx, w, &self.contraction, &batch, at, 1);
            let mut scope = Scope::new(1, None);
            let value = cx.value(w, &mut scope, cx.region.result, &idx);
            cx.store(w, &scope, &idx, value);
        });
    }
}
