//! Constant operands in the order in which a kernel reads them.

/// Columns that are brought to panels together: their lines of cache stay near while all rows of a panel pass.
const COLUMNS: usize = 16;

/// Constant operands in the order in which a kernel reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packing {
    /// Matrices, each `rows x columns`, with these strides in elements.
    pub matrices: usize,
    /// Distance between matrices.
    pub matrix_stride: usize,
    /// Rows of each.
    pub rows: usize,
    /// Distance between rows.
    pub row_stride: usize,
    /// Columns of each.
    pub columns: usize,
    /// Distance between columns.
    pub column_stride: usize,
    /// So many rows stand together, column by column; the last group is filled up with zeros.
    pub panel: usize,
}

impl Packing {
    /// Elements after packing.
    pub fn len(&self) -> usize {
        self.matrices * self.rows.div_ceil(self.panel) * self.panel * self.columns
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the packed elements of an `f32` tensor to `out`, which holds [`Packing::len`] zeros.
    ///
    /// # Panics
    /// If `out` is shorter, or the strides lead out of `values`.
    pub fn pack(&self, values: &[f32], out: &mut [f32]) {
        let size = self.panel * self.columns;
        if self.is_empty() {
            return;
        }
        let n_panels = self.rows.div_ceil(self.panel);
        for (idx, out) in out[..self.len()].chunks_exact_mut(size).enumerate() {
            let (matrix, first_row) = (idx / n_panels, idx % n_panels * self.panel);
            let rows = self.panel.min(self.rows - first_row);
            let values = &values[matrix * self.matrix_stride + first_row * self.row_stride..];
            if self.row_stride == 1 {
                self.copy_columns(values, rows, out);
            } else {
                self.transpose(values, rows, out);
            }
        }
    }

    /// A panel whose rows are neighbors: each column is one run.
    fn copy_columns(&self, values: &[f32], rows: usize, out: &mut [f32]) {
        for (column, out) in out.chunks_exact_mut(self.panel).enumerate() {
            let from = column * self.column_stride;
            out[..rows].copy_from_slice(&values[from..from + rows]);
        }
    }

    /// A panel of rows that lie apart.
    fn transpose(&self, values: &[f32], rows: usize, out: &mut [f32]) {
        for (block, out) in out.chunks_mut(self.panel * COLUMNS).enumerate() {
            let first = block * COLUMNS * self.column_stride;
            for row in 0..rows {
                let line = &values[first + row * self.row_stride..];
                for (column, out) in out.chunks_exact_mut(self.panel).enumerate() {
                    out[row] = line[column * self.column_stride];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: where each packed element comes from.
    fn expected(packing: &Packing, values: &[f32]) -> Vec<f32> {
        let n_panels = packing.rows.div_ceil(packing.panel);
        let element = |idx: usize| {
            let (lane, rest) = (idx % packing.panel, idx / packing.panel);
            let (column, rest) = (rest % packing.columns, rest / packing.columns);
            let (row, matrix) = (rest % n_panels * packing.panel + lane, rest / n_panels);
            let at = matrix * packing.matrix_stride + row * packing.row_stride + column * packing.column_stride;
            if row < packing.rows { values[at] } else { 0.0 }
        };
        (0..packing.len()).map(element).collect()
    }

    #[test]
    fn panels_hold_rows_column_by_column() {
        for (rows, columns, panel) in [(1, 1, 1), (7, 5, 4), (8, 40, 4), (33, 17, 16), (3, 100, 6)] {
            let [by_row, by_column, apart] = [(columns, 1), (1, rows), (columns * 3, 2)];
            for (row_stride, column_stride) in [by_row, by_column, apart] {
                let matrix_stride = 6 * rows * columns;
                let packing = Packing { matrices: 2, matrix_stride, rows, row_stride, columns, column_stride, panel };
                let values: Vec<f32> = (1..=2 * matrix_stride).map(|n| n as f32).collect();
                let mut out = vec![0.0; packing.len()];
                packing.pack(&values, &mut out);
                assert_eq!(out, expected(&packing, &values), "{packing:?}");
            }
        }
    }

    #[test]
    fn nothing_is_packed_to_nothing() {
        let packing =
            Packing { matrices: 3, matrix_stride: 0, rows: 4, row_stride: 0, columns: 0, column_stride: 1, panel: 4 };
        packing.pack(&[], &mut []);
    }
}
