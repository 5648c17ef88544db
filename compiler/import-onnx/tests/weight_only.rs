//! Products with quantized weights, against numbers worked out here; what is refused.

mod common;

use common::*;
use diag::Code;
use import_onnx::proto::{ModelProto, NodeProto, OperatorSetIdProto};
use tensor::{DType, Tensor};

const DOMAIN: &str = "com.microsoft";

/// One `MatMulNBits` of `x[2, k]`; weights, scales and what else there is are constants in order, `None` where one is left out.
fn nbits(numbers: &[(&str, i64)], constants: &[Option<Tensor>]) -> ModelProto {
    let names: Vec<String> =
        (0..).zip(constants).map(|(at, c)| if c.is_some() { format!("c{at}") } else { "_".into() }).collect();
    let k = numbers.iter().find(|(name, _)| *name == "K").map_or(0, |(_, k)| *k);
    let mut product: NodeProto = node("MatMulNBits", &format!("x {}", names.join(" ")), "y");
    product.domain = DOMAIN.into();
    product.attribute = numbers.iter().map(|(name, value)| int(name, *value)).collect();
    let mut graph = graph(vec![value("x", DType::F32, &format!("2 {k}"))], vec![product], "y");
    let given = names.iter().zip(constants).filter_map(|(name, c)| Some(weight(name, c.as_ref()?)));
    graph.initializer = given.collect();
    let mut proto = model(graph, 21);
    proto.opset_import.push(OperatorSetIdProto { domain: DOMAIN.into(), version: 1 });
    proto
}

fn floats(shape: &[usize], f: impl Fn(usize) -> f32) -> Tensor {
    Tensor::from_vec(shape.to_vec(), (0..shape.iter().product()).map(f).collect())
}

fn bytes(shape: &[usize], f: impl Fn(usize) -> u8) -> Tensor {
    Tensor::from_vec(shape.to_vec(), (0..shape.iter().product()).map(f).collect())
}

fn x(k: usize) -> Tensor {
    floats(&[2, k], |at| (at % 5) as f32 - 2.0)
}

/// Checks the product with weights `w(n, k)`.
fn check(proto: &ModelProto, (n, k): (usize, usize), w: impl Fn(usize, usize) -> f32) {
    let left = x(k);
    let got = graph::evaluate(&imported(proto).graph, std::slice::from_ref(&left)).unwrap().remove(0);
    let left = left.values::<f32>().into_owned();
    for (at, got) in got.values::<f32>().iter().enumerate() {
        let (row, column) = (at / n, at % n);
        let want: f32 = (0..k).map(|k_at| left[row * k + k_at] * w(column, k_at)).sum();
        assert!((got - want).abs() < 1e-4, "{at}: {got}, not {want}");
    }
}

#[test]
fn bytes_have_floats_as_zero_points() {
    let (n, k) = (3, 40);
    let attributes = [("N", 3), ("K", 40), ("block_size", 16), ("bits", 8)];
    let codes = |at: usize| (at * 37 % 256) as u8;
    let constants = [
        Some(bytes(&[n, 3, 16], codes)),
        Some(floats(&[n, 3], |at| 0.5 + at as f32)),
        Some(floats(&[n, 3], |at| at as f32 * 3.25)),
    ];
    // The last block has eight elements more than there are, which do not count.
    check(&nbits(&attributes, &constants), (n, k), |column, at| {
        let block = column * 3 + at / 16;
        (f32::from(codes(column * 48 + at)) - block as f32 * 3.25) * (0.5 + block as f32)
    });
}

#[test]
fn packed_zero_points_begin_anew_with_each_row() {
    let attributes = [("N", 2), ("K", 48), ("block_size", 16)];
    let constants = [
        Some(bytes(&[2, 3, 8], |at| (at * 29 % 256) as u8)),
        Some(floats(&[6], |at| 1.0 + at as f32)),
        Some(bytes(&[2, 2], |at| [0x21, 0xf3, 0x54, 0x06][at])),
    ];
    let zeros = [[1, 2, 3], [4, 5, 6]];
    check(&nbits(&attributes, &constants), (2, 48), |column, at| {
        let byte = ((column * 24 + at / 2) * 29 % 256) as u8;
        let code = i32::from(byte >> (at % 2 * 4) & 15);
        (code - zeros[column][at / 16]) as f32 * (1.0 + (column * 3 + at / 16) as f32)
    });
}

#[test]
fn an_order_gives_each_element_its_block() {
    let attributes = [("N", 1), ("K", 32), ("block_size", 16), ("bits", 2)];
    let constants = [
        Some(bytes(&[1, 2, 4], |at| (at * 91 % 256) as u8)),
        Some(floats(&[1, 2], |at| [1.0, 10.0][at])),
        Some(bytes(&[1, 1], |_| 0b1101)),
        Some(Tensor::from_vec(vec![32], (0..32).map(|at: i32| at % 2).collect())),
    ];
    check(&nbits(&attributes, &constants), (1, 32), |_, at| {
        let code = i32::from((at / 4 * 91 % 256) as u8 >> (at % 4 * 2) & 3);
        (code - [1, 3][at % 2]) as f32 * [1.0, 10.0][at % 2]
    });
}

#[test]
fn weights_that_are_left_out_give_the_bias() {
    let attributes = [("N", 3), ("K", 16), ("block_size", 16)];
    let bias = Some(floats(&[3], |at| at as f32));
    let constants = [Some(bytes(&[0, 1, 8], |_| 0)), Some(floats(&[0], |_| 0.0)), None, None, bias];
    let got = graph::evaluate(&imported(&nbits(&attributes, &constants)).graph, &[x(16)]).unwrap();
    assert_eq!(got[0], floats(&[2, 3], |at| (at % 3) as f32));
}

#[test]
fn what_no_block_can_be_is_refused() {
    let weights = || Some(bytes(&[1, 1, 8], |_| 0));
    let scale = || Some(floats(&[1, 1], |_| 1.0));
    let base = [("N", 1), ("K", 16), ("block_size", 16)];
    let with = |more: (&'static str, i64)| -> Vec<(&'static str, i64)> {
        base.iter().filter(|(name, _)| *name != more.0).copied().chain([more]).collect()
    };
    let check = |more, code, words: &[&str]| {
        check_fault(&import(&nbits(&with(more), &[weights(), scale()])), code, words);
    };
    check(("bits", 3), Code::Unsupported, &["weights of 3 bits"]);
    check(("weight_prepacked", 1), Code::Unsupported, &["weight_prepacked"]);
    check(("block_size", 24), Code::BadGraph, &["block_size 24"]);
    check(("block_size", 1 << 62), Code::BadGraph, &["MatMulNBits"]);
    check(("N", 0), Code::BadGraph, &["N is 0"]);
    check(("N", i64::MAX), Code::BadGraph, &["MatMulNBits"]);
    let order = Some(Tensor::from_vec(vec![3], vec![0i32; 3]));
    let faulty = nbits(&base, &[weights(), scale(), None, order]);
    check_fault(&import(&faulty), Code::BadGraph, &["g_idx has 3 elements"]);
}
