//! The inner product that [`Dot`](crate::Dot) and [`Conv`](crate::Conv) share: plain, but quick enough for whole models.

use tensor::{DType, Scalar, Tensor};

/// What products are summed up in: `f64` for floats, wrapping `i64` for integers.
///
/// Every integer type has at most 64 bits, so wrapping once more into the result's type loses nothing.
pub(crate) trait Accumulator: Copy {
    const ZERO: Self;
    fn add_product(self, a: Self, b: Self) -> Self;
    fn read(source: &Source, at: usize) -> Self;
    fn scalar(self) -> Scalar;
}

impl Accumulator for f64 {
    const ZERO: f64 = 0.0;
    #[inline(always)]
    fn add_product(self, a: f64, b: f64) -> f64 {
        self + a * b
    }
    #[inline(always)]
    fn read(source: &Source, at: usize) -> f64 {
        match source {
            Source::F32(values) => f64::from(values[at]),
            Source::Other(tensor) => tensor.get(at).as_f64(),
        }
    }
    fn scalar(self) -> Scalar {
        Scalar::Float(self)
    }
}

impl Accumulator for i64 {
    const ZERO: i64 = 0;
    #[inline(always)]
    fn add_product(self, a: i64, b: i64) -> i64 {
        self.wrapping_add(a.wrapping_mul(b))
    }
    #[inline(always)]
    fn read(source: &Source, at: usize) -> i64 {
        match source {
            Source::F32(values) => values[at] as i64,
            Source::Other(tensor) => tensor.get(at).as_int() as i64,
        }
    }
    fn scalar(self) -> Scalar {
        Scalar::Int(self.into())
    }
}

/// An operand's elements; `f32` has a path of its own.
pub(crate) enum Source<'a> {
    F32(std::borrow::Cow<'a, [f32]>),
    Other(&'a Tensor),
}

impl<'a> Source<'a> {
    pub(crate) fn new(x: &'a Tensor) -> Self {
        match x.dtype() {
            DType::F32 => Source::F32(x.values::<f32>()),
            _ => Source::Other(x),
        }
    }
}

/// Whether a contraction of these element types has a meaning: all integers, or all floats with a result that has arithmetic.
pub(crate) fn types_contract(x: DType, y: DType, out: DType) -> bool {
    let floats = x.is_float() && y.is_float() && out.is_float() && !out.is_tiny_float();
    floats || (x.is_int() && y.is_int() && out.is_int())
}

/// Rows and columns that are multiplied at once, so that their sums stay in registers.
const TILE: usize = 4;
/// Columns that are packed at once, which bounds the memory.
const PANEL: usize = 512;

/// `result(i, j) = sum over k of left(i, k) * right(k, j)`, given out element by element; sums run by ascending `k`.
pub(crate) fn matrix_product<T: Accumulator>(
    (m, k, n): (usize, usize, usize),
    left: impl Fn(usize, usize) -> T,
    right: impl Fn(usize, usize) -> T,
    mut result: impl FnMut(usize, usize, T),
) {
    let rows = pack(m, k, left);
    for first in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - first);
        let columns = pack(width, k, |j, p| right(p, first + j));
        for (row_tile, a) in rows.chunks(k.max(1)).enumerate().take(m.div_ceil(TILE)) {
            for (column_tile, b) in columns.chunks(k.max(1)).enumerate() {
                let sums = tile_product(a, b);
                for (i, j) in (0..TILE * TILE).map(|at| (at / TILE, at % TILE)) {
                    let (row, column) = (row_tile * TILE + i, column_tile * TILE + j);
                    if row < m && column < width {
                        result(row, first + column, sums[i][j]);
                    }
                }
            }
        }
        if k == 0 {
            for (row, column) in (0..m * width).map(|at| (at / width, at % width)) {
                result(row, first + column, T::ZERO);
            }
        }
    }
}

/// `TILE` lines side by side: entry `t * k + p` holds element `p` of the lines `t * TILE ..`, zeros where there are none.
fn pack<T: Accumulator>(n_lines: usize, k: usize, element: impl Fn(usize, usize) -> T) -> Vec<[T; TILE]> {
    let mut out = vec![[T::ZERO; TILE]; n_lines.div_ceil(TILE) * k];
    for line in 0..n_lines {
        let tile = &mut out[line / TILE * k..][..k];
        for (p, entry) in tile.iter_mut().enumerate() {
            entry[line % TILE] = element(line, p);
        }
    }
    out
}

fn tile_product<T: Accumulator>(a: &[[T; TILE]], b: &[[T; TILE]]) -> [[T; TILE]; TILE] {
    let mut sums = [[T::ZERO; TILE]; TILE];
    for (a, b) in a.iter().zip(b) {
        for (row, a) in sums.iter_mut().zip(a) {
            for (sum, b) in row.iter_mut().zip(b) {
                *sum = sum.add_product(*a, *b);
            }
        }
    }
    sums
}
