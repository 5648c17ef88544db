//! Neural-network operators against numbers worked out by hand, and against themselves in another form.

use import_onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TensorTypeProto,
    TypeProto, TypeValue, ValueInfoProto,
};
use import_onnx::{Options, import, parse};
use prost::Message;
use std::collections::BTreeMap;
use tensor::{DType, Dim, Scalar, Tensor};

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: values.to_vec(), r#type: 7, ..Default::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), r#type: 2, ..Default::default() }
}

fn word(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: Some(value.as_bytes().to_vec().into()), r#type: 3, ..Default::default() }
}

fn floats(shape: &[usize], seed: usize) -> Tensor {
    let n = shape.iter().product();
    let at = |i: usize| ((i * 7 + seed * 3) % 11) as f32 * 0.2 - 1.0;
    Tensor::from_vec(shape.to_vec(), (0..n).map(at).collect())
}

fn value_info(name: String, tensor: Option<&Tensor>) -> ValueInfoProto {
    let ty = tensor.map(|t| TensorTypeProto {
        elem_type: import_onnx::code_of(t.dtype()),
        shape: Some(TensorShapeProto::default()),
    });
    ValueInfoProto { name, r#type: ty.map(|ty| TypeProto { value: Some(TypeValue::Tensor(ty)) }) }
}

/// The results of one node. With `dynamic`, sizes of inputs are symbols at compile time.
fn run_form(
    op: &str,
    opset: i64,
    attributes: Vec<AttributeProto>,
    inputs: &[Option<&Tensor>],
    n_outputs: usize,
    dynamic: bool,
) -> Vec<Tensor> {
    let name = |idx: usize| format!("i{idx}");
    let given = || inputs.iter().enumerate().filter_map(|(idx, t)| t.map(|t| (idx, t)));
    let outputs: Vec<String> = (0..n_outputs).map(|idx| format!("o{idx}")).collect();
    let graph = GraphProto {
        name: "test".into(),
        node: vec![NodeProto {
            op_type: op.into(),
            input: (0..inputs.len()).map(|idx| inputs[idx].map_or(String::new(), |_| name(idx))).collect(),
            output: outputs.clone(),
            attribute: attributes,
            ..Default::default()
        }],
        input: given().map(|(idx, t)| value_info(name(idx), Some(t))).collect(),
        output: outputs.into_iter().map(|o| value_info(o, None)).collect(),
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
        graph: Some(graph),
        ..Default::default()
    };
    let mut sink = diag::Sink::new();
    let parsed = parse(model.encode_to_vec().into(), "test", &mut sink);
    let parsed = parsed.unwrap_or_else(|_| panic!("{:?}", sink.diagnostics()));
    let dim = |size: &usize| {
        if dynamic && *size > 1 { Dim::symbol(&format!("s{size}")) } else { Dim::from(*size) }
    };
    let shapes: BTreeMap<String, Vec<Dim>> =
        given().map(|(idx, t)| (name(idx), t.shape().iter().map(dim).collect())).collect();
    let options = Options { shapes, ..Options::default() };
    let imported = import(&parsed, &options, None, &mut sink);
    let imported = imported.unwrap_or_else(|_| panic!("{:?}", sink.diagnostics()));
    let operands: Vec<Tensor> = given().map(|(_, t)| t.clone()).collect();
    graph::evaluate(&imported.graph, &operands).expect("the graph runs")
}

fn run(op: &str, opset: i64, attributes: Vec<AttributeProto>, inputs: &[Option<&Tensor>]) -> Tensor {
    run_form(op, opset, attributes, inputs, 1, false).swap_remove(0)
}

fn assert_close(got: &Tensor, want: &Tensor) {
    assert_eq!(got.ty(), want.ty());
    for (idx, (a, b)) in got.iter().zip(want.iter()).enumerate() {
        let (a, b) = (a.as_f64(), b.as_f64());
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{idx}: {a}, not {b}");
    }
}

fn vector(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

#[test]
fn matrix_products_broadcast_leading_axes_of_either_side() {
    let (x, y) = (floats(&[2, 1, 3, 4], 1), floats(&[5, 4, 2], 2));
    let product = run("MatMul", 13, vec![], &[Some(&x), Some(&y)]);
    let (a, b) = (x.values::<f32>(), y.values::<f32>());
    let mut want = Vec::new();
    for (i, j) in (0..2).flat_map(|i| (0..5).map(move |j| (i, j))) {
        for (m, n) in (0..3).flat_map(|m| (0..2).map(move |n| (m, n))) {
            let at = |k: usize| a[i * 12 + m * 4 + k] * b[j * 8 + k * 2 + n];
            want.push((0..4).map(at).sum());
        }
    }
    assert_close(&product, &vector(&want, &[2, 5, 3, 2]));
}

#[test]
fn a_transposed_convolution_is_the_same_tiled_and_spread() {
    let (x, w) = (floats(&[1, 4, 3, 2], 1), floats(&[4, 3, 2, 2], 2));
    let common = || vec![ints("strides", &[2, 2]), int("group", 2)];
    let tiled = run("ConvTranspose", 11, common(), &[Some(&x), Some(&w)]);
    // Padding keeps the importer from tiling; one more element at the end makes up for it.
    let mut attributes = common();
    attributes.push(ints("output_padding", &[1, 1]));
    let spread = run("ConvTranspose", 11, attributes, &[Some(&x), Some(&w)]);
    assert_eq!(spread.shape(), [1, 6, 7, 5]);
    let (a, b) = (tiled.values::<f32>(), spread.values::<f32>());
    for (idx, v) in a.iter().enumerate() {
        let (channel, rest) = (idx / 24, idx % 24);
        let other = b[channel * 35 + rest / 4 * 5 + rest % 4];
        assert!((v - other).abs() < 1e-5);
    }
}

#[test]
fn softmax_before_version_13_runs_over_all_later_axes() {
    let x = Tensor::from_vec(vec![1, 2, 2], vec![0.0f32; 4]);
    let axis = || vec![int("axis", 1)];
    assert_eq!(*run("Softmax", 11, axis(), &[Some(&x)]).values::<f32>(), [0.25; 4]);
    assert_eq!(*run("Softmax", 13, axis(), &[Some(&x)]).values::<f32>(), [0.5; 4]);
}

#[test]
fn partial_windows_count_only_what_they_cover() {
    let x = vector(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1, 1, 5]);
    let attributes = |count_pad: i64| {
        vec![
            ints("kernel_shape", &[2]),
            ints("strides", &[2]),
            ints("pads", &[1, 0]),
            int("ceil_mode", 1),
            int("count_include_pad", count_pad),
        ]
    };
    let without = run("AveragePool", 19, attributes(0), &[Some(&x)]);
    assert_close(&without, &vector(&[1.0, 2.5, 4.5], &[1, 1, 3]));
    let with = run("AveragePool", 19, attributes(1), &[Some(&x)]);
    assert_close(&with, &vector(&[0.5, 2.5, 4.5], &[1, 1, 3]));
}

#[test]
fn long_sequences_loop_and_give_what_unrolled_ones_give() {
    let (w, r) = (floats(&[1, 12, 2], 1), floats(&[1, 12, 3], 2));
    let x = floats(&[40, 2, 2], 3);
    let start = Tensor::from_vec(vec![20, 2, 2], x.values::<f32>()[..80].to_vec());
    let size = || vec![int("hidden_size", 3)];
    let all = run("LSTM", 14, size(), &[Some(&x), Some(&w), Some(&r)]);
    let first = run("LSTM", 14, size(), &[Some(&start), Some(&w), Some(&r)]);
    let prefix = vector(&all.values::<f32>()[..first.len()], first.shape());
    assert_close(&prefix, &first);
}

#[test]
fn sequences_end_at_their_own_length_in_both_directions() {
    let (w, r) = (floats(&[2, 3, 2], 1), floats(&[2, 3, 3], 2));
    let x = floats(&[4, 1, 2], 3);
    let start = Tensor::from_vec(vec![2, 1, 2], x.values::<f32>()[..4].to_vec());
    let lengths = Tensor::from_vec(vec![1], vec![2i32]);
    let attributes = || vec![int("hidden_size", 3), word("direction", "bidirectional")];
    let inputs = [Some(&x), Some(&w), Some(&r), None, Some(&lengths)];
    let long = run_form("RNN", 14, attributes(), &inputs, 2, false);
    let short = run_form("RNN", 14, attributes(), &[Some(&start), Some(&w), Some(&r)], 2, false);
    assert_close(&long[1], &short[1]);
    assert!(long[0].values::<f32>()[12..].iter().all(|v| *v == 0.0));
}

#[test]
fn grouped_attention_is_attention_with_repeated_keys() {
    let (q, kv) = (floats(&[1, 4, 2, 3], 1), floats(&[1, 2, 5, 3], 2));
    let values = kv.values::<f32>();
    let repeated: Vec<f32> = [0, 0, 1, 1].iter().flat_map(|head| values[head * 15..head * 15 + 15].to_vec()).collect();
    let repeated = vector(&repeated, &[1, 4, 5, 3]);
    let causal = || vec![int("is_causal", 1)];
    let grouped = run("Attention", 23, causal(), &[Some(&q), Some(&kv), Some(&kv)]);
    let inputs = [Some(&q), Some(&repeated), Some(&repeated)];
    assert_close(&grouped, &run("Attention", 23, causal(), &inputs));
}

#[test]
fn rows_that_may_see_nothing_are_zeros() {
    let x = floats(&[1, 1, 2, 3], 1);
    let mask = Tensor::from_bools(vec![2, 2], &[false, false, true, true]);
    let inputs = [Some(&x), Some(&x), Some(&x), Some(&mask)];
    let y = run("Attention", 23, vec![], &inputs);
    assert_eq!(y.values::<f32>()[..3], [0.0; 3]);
    assert!(y.values::<f32>()[3..].iter().all(|v| v.is_finite()));
}

#[test]
fn resizing_by_scales_of_the_run_equals_resizing_by_constants() {
    let x = floats(&[1, 2, 5, 6], 1);
    let scales = vector(&[1.0, 1.0, 0.6, 1.5], &[4]);
    for mode in ["nearest", "linear", "cubic"] {
        let attributes = || vec![word("mode", mode), int("antialias", i64::from(mode != "nearest"))];
        let inputs = [Some(&x), None, Some(&scales)];
        let fixed = run("Resize", 18, attributes(), &inputs);
        let dynamic = run_form("Resize", 18, attributes(), &inputs, 1, true);
        assert_eq!(fixed.shape(), [1, 2, 3, 9]);
        assert_close(&dynamic[0], &fixed);
    }
}

#[test]
fn quantization_rounds_to_even_and_saturates() {
    let x = vector(&[0.5, 1.5, -9.0, 999.0], &[4]);
    let (scale, zero) = (Tensor::from_vec(vec![], vec![1.0f32]), Tensor::from_vec(vec![], vec![2u8]));
    let y = run("QuantizeLinear", 13, vec![], &[Some(&x), Some(&scale), Some(&zero)]);
    assert_eq!(*y.values::<u8>(), [2, 4, 0, 255]);
    assert_eq!(y.dtype(), DType::U8);
}

#[test]
fn norms_of_half_floats_are_computed_in_single_precision() {
    // The sum of squares overflows 16 bits.
    let half = |shape: Vec<usize>, values: [f64; 2]| Tensor::build(DType::F16, shape, |idx| Scalar::Float(values[idx]));
    let (x, scale) = (half(vec![1, 2], [300.0, -300.0]), half(vec![2], [1.0, 1.0]));
    let y = run("LayerNormalization", 17, vec![], &[Some(&x), Some(&scale)]);
    assert_eq!(y.get(0).as_f64(), 1.0);
    assert_eq!(y.get(1).as_f64(), -1.0);
}
