//! Import functions, one file for each family of operators, each with its table of rows.

use crate::registry::Row;

mod elementwise;

mod attention;
mod dropout;
mod kit;
mod matmul;
mod nn_conv;
mod nn_norm;
mod nn_pool;
mod quantize;
mod recur;
mod resize;
mod resize_axis;
mod rnn;
mod rnn_cell;
mod sampling;
mod softmax;
mod vision;
mod windows;

/// The tables of all families.
pub(crate) const ALL: &[&[Row]] = &[
    elementwise::ROWS,
    attention::ROWS,
    dropout::ROWS,
    matmul::ROWS,
    nn_conv::ROWS,
    nn_norm::ROWS,
    nn_pool::ROWS,
    quantize::ROWS,
    resize::ROWS,
    rnn::ROWS,
    softmax::ROWS,
    vision::ROWS,
];
