//! The inner function of depthwise convolutions: a group of output rows from rows that lie in scratch memory.
//!
//! Each vector of the input is loaded once and used for all rows of the group that see it, so that a window costs fewer
//! loads than multiplications. Every output sums its window row by row, from left to right.

use crate::context::Cx;
use kernels::text::{Function, Param, Scalar, Ty, Val, Writer};
use tensor::Dim;

const NAME: &str = "stencil";

/// Input, weights and result; then what may not be known: the columns, and the pitches of an input row, of a phase in it,
/// and of a result row.
const PARAMS: [Param<'static>; 7] = {
    let (pointer, number) = (Param::of(Ty::PTR), Param::of(Ty::I64));
    [pointer, pointer, pointer, number, number, number, number]
};

/// A window over rows whose columns are sorted by phase.
pub(crate) struct Stencil {
    pub(crate) lanes: u32,
    /// Height and width of the window.
    pub(crate) window: [i64; 2],
    pub(crate) strides: [usize; 2],
    dilations: [i64; 2],
    /// Output rows of a group.
    pub(crate) rows: i64,
    /// Elements from one input row to the next.
    pub(crate) row_pitch: Dim,
    /// Elements from one phase of a row to the next.
    pub(crate) phase_pitch: Dim,
    /// Elements from one result row to the next.
    pub(crate) out_pitch: Dim,
}

impl Stencil {
    pub(crate) fn new(
        lanes: u32,
        window: [i64; 2],
        strides: [usize; 2],
        dilations: [usize; 2],
        output: &[Dim; 2],
    ) -> Stencil {
        let dilations = dilations.map(|d| d as i64);
        let round = |columns: Dim| columns.ceil_div(i64::from(lanes).into()) * i64::from(lanes).into();
        let out_pitch = round(output[1].clone());
        let reach = (window[1] - 1) * dilations[1] / strides[1] as i64;
        // Lanes behind the last column may see the next row; what they compute is thrown away.
        let phase_pitch = round(output[1].clone() + reach.into());
        let row_pitch = phase_pitch.clone() * (strides[1] as i64).into();
        let rows = group_rows(lanes, window, output[0].as_const());
        Stencil { lanes, window, strides, dilations, rows, row_pitch, phase_pitch, out_pitch }
    }

    /// Input rows that so many output rows see.
    pub(crate) fn input_rows(&self, rows: i64) -> i64 {
        (rows - 1) * self.strides[0] as i64 + (self.window[0] - 1) * self.dilations[0] + 1
    }

    /// Alignment of rows in scratch memory.
    pub(crate) fn alignment(&self) -> u32 {
        64.min(self.lanes * 4)
    }

    /// Calls the function for one group.
    pub(crate) fn call(&self, cx: &Cx, w: &mut Writer, input: Val, weights: Val, result: Val) {
        let numbers = self.numbers().map(|dim| cx.dim(w, &dim));
        w.call(NAME, &[&[input, weights, result], &numbers[..]].concat(), &[]);
    }

    /// The numbers among the parameters.
    fn numbers(&self) -> [Dim; 4] {
        [self.out_pitch.clone(), self.row_pitch.clone(), self.phase_pitch.clone(), self.out_pitch.clone()]
    }

    /// Writes the function.
    pub(crate) fn function(&self, w: &mut Writer) {
        w.function(Function::outlined(NAME, &PARAMS), |w, p| {
            let numbers = self.numbers();
            let [columns, row_pitch, phase_pitch, out_pitch] =
                [0, 1, 2, 3].map(|at| numbers[at].as_const().map_or(p[at + 3], |value| w.i64(value)));
            let weights = self.weights(w, p[1]);
            let (zero, lanes) = (w.i64(0), w.i64(self.lanes.into()));
            w.for_loop(zero, columns, lanes, &[], |w, column, _| {
                let input = w.gep(p[0], column, Ty::F32);
                let sums = self.window_sums(w, input, &weights, row_pitch, phase_pitch);
                for (row, sum) in (0..).zip(sums) {
                    let row = w.i64(row);
                    let place = w.muli(row, out_pitch);
                    let place = w.addi(place, column);
                    let place = w.gep(p[2], place, Ty::F32);
                    w.store(sum, place, self.alignment());
                }
                vec![]
            });
            vec![]
        });
    }

    fn weights(&self, w: &mut Writer, weights: Val) -> Vec<Val> {
        (0..self.window[0] * self.window[1])
            .map(|at| {
                let place = w.gep_const(weights, at, Ty::F32);
                let weight = w.load(place, Ty::F32, 4);
                w.broadcast(weight, self.vector())
            })
            .collect()
    }

    /// The sums of one vector of columns, for each row of the group.
    fn window_sums(&self, w: &mut Writer, input: Val, weights: &[Val], row_pitch: Val, phase_pitch: Val) -> Vec<Val> {
        let zero = w.zero(self.vector());
        let mut sums = vec![zero; self.rows as usize];
        for y in 0..self.input_rows(self.rows) {
            let uses = self.uses(y);
            if uses.is_empty() {
                continue;
            }
            let number = w.i64(y);
            let offset = w.muli(number, row_pitch);
            let line = w.gep(input, offset, Ty::F32);
            for kx in 0..self.window[1] {
                let x = self.load(w, line, kx, phase_pitch);
                for (row, ky) in &uses {
                    let weight = weights[(ky * self.window[1] + kx) as usize];
                    sums[*row as usize] = w.fma(x, weight, sums[*row as usize]);
                }
            }
        }
        sums
    }

    /// The rows of the group that see input row `y`, each with the window row by which it does.
    fn uses(&self, y: i64) -> Vec<(i64, i64)> {
        (0..self.rows)
            .filter_map(|row| {
                let reach = y - row * self.strides[0] as i64;
                let ky = reach / self.dilations[0];
                (reach >= 0 && reach % self.dilations[0] == 0 && ky < self.window[0]).then_some((row, ky))
            })
            .collect()
    }

    /// What column `kx` of the window sees.
    fn load(&self, w: &mut Writer, line: Val, kx: i64, phase_pitch: Val) -> Val {
        let (reach, stride) = (kx * self.dilations[1], self.strides[1] as i64);
        let phase = w.i64(reach % stride);
        let offset = w.muli(phase, phase_pitch);
        let line = w.gep(line, offset, Ty::F32);
        let place = w.gep_const(line, reach / stride, Ty::F32);
        w.load(place, self.vector(), 4)
    }

    fn vector(&self) -> Ty {
        Ty::vector(Scalar::F32, self.lanes)
    }
}

/// Rows of a group: each is an accumulator beside the window's weights, which are loaded once for the group; few rows
/// should be computed in vain.
fn group_rows(lanes: u32, window: [i64; 2], height: Option<i64>) -> i64 {
    let registers = if lanes >= 16 { 32 } else { 16 };
    let elements = window[0] * window[1];
    let most = (registers - elements - 2).clamp(4, 8);
    let Some(height) = height else { return 4 };
    let cost = |rows: i64| (height + rows - 1) / rows * (rows + 1) * elements;
    (1..=most.min(height.max(1))).min_by_key(|rows| cost(*rows)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stencil(window: [i64; 2], strides: [usize; 2], dilations: [usize; 2], height: i64) -> Stencil {
        Stencil::new(16, window, strides, dilations, &[height.into(), 20.into()])
    }

    #[test]
    fn every_output_row_sees_its_whole_window() {
        for (strides, dilations) in [([1, 1], [1, 1]), ([2, 2], [1, 1]), ([1, 1], [2, 3]), ([3, 2], [2, 1])] {
            let stencil = stencil([3, 5], strides, dilations, 8);
            let mut seen: Vec<(i64, i64)> =
                (0..stencil.input_rows(stencil.rows)).flat_map(|y| stencil.uses(y)).collect();
            seen.sort_unstable();
            let all: Vec<(i64, i64)> = (0..stencil.rows).flat_map(|row| (0..3).map(move |ky| (row, ky))).collect();
            assert_eq!(seen, all, "{strides:?} {dilations:?}");
        }
    }

    #[test]
    fn rows_divide_the_height_where_registers_allow() {
        assert_eq!(stencil([3, 3], [1, 1], [1, 1], 14).rows, 7);
        assert_eq!(stencil([5, 5], [1, 1], [1, 1], 28).rows, 4);
        assert_eq!(stencil([5, 5], [1, 1], [1, 1], 7).rows, 4);
        assert_eq!(stencil([3, 3], [1, 1], [1, 1], 1).rows, 1);
    }

    #[test]
    fn a_row_of_scratch_holds_what_its_last_column_sees() {
        let stencil = stencil([3, 5], [1, 2], [1, 3], 4);
        assert_eq!(stencil.out_pitch, Dim::from(32));
        assert_eq!(stencil.phase_pitch, Dim::from(32));
        assert_eq!(stencil.row_pitch, Dim::from(64));
    }
}
