//! Import functions, one file for each family of operators, each with its table of rows.

use crate::registry::Row;

mod activation;
mod binary;
mod cast;
mod control;
mod einsum;
mod gather;
mod generate;
mod index;
mod packed;
mod pad;
mod pieces;
mod random;
mod reduce;
mod search;
mod sequence;
mod shape;
mod unary;

mod attention;
mod dropout;
mod flex_attention;
mod image;
mod kit;
mod linear_attention;
mod loss;
mod matmul;
mod microsoft;
mod ml;
mod nn_conv;
mod nn_norm;
mod nn_pool;
mod quantize;
mod recur;
mod resize;
mod resize_axis;
mod resize_place;
mod rnn;
mod rnn_cell;
mod roi;
mod rotary;
mod sampling;
mod signal;
mod softmax;
mod tfidf;
mod training;
mod trees;
mod trees_read;
mod vision;
mod weight_only;
mod windows;

/// The tables of all families.
pub(crate) const ALL: &[&[Row]] = &[
    activation::ROWS,
    binary::ROWS,
    cast::ROWS,
    control::ROWS,
    einsum::ROWS,
    gather::ROWS,
    generate::ROWS,
    index::ROWS,
    pad::ROWS,
    pieces::ROWS,
    random::ROWS,
    reduce::ROWS,
    search::ROWS,
    sequence::ROWS,
    shape::ROWS,
    unary::ROWS,
    attention::ROWS,
    dropout::ROWS,
    image::ROWS,
    linear_attention::ROWS,
    loss::ROWS,
    roi::ROWS,
    rotary::ROWS,
    signal::ROWS,
    training::ROWS,
    flex_attention::ROWS,
    microsoft::ROWS,
    ml::ROWS,
    trees::ROWS,
    matmul::ROWS,
    nn_conv::ROWS,
    nn_norm::ROWS,
    nn_pool::ROWS,
    quantize::ROWS,
    resize::ROWS,
    rnn::ROWS,
    softmax::ROWS,
    tfidf::ROWS,
    vision::ROWS,
    weight_only::ROWS,
];
