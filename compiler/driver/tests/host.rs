//! Graphs compiled for the host give what the reference evaluator gives: odd sizes, tails of vectors, views, parts.

use driver::Options;
use graph::{BuildError, Builder, ValueId};
use import_onnx::Imported;
use ops::{BinaryKind, Conv, Dot, Pool, PoolKind, Reduce, ReduceKind, Slice, UnaryKind};
use std::time::Duration;
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

type Built = Result<ValueId, BuildError>;

/// Numbers without a pattern, the same in every run.
fn noise(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Tensor::build(DType::F32, shape.to_vec(), |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Scalar::Float((state >> 40) as f64 / f64::from(1 << 23) - 1.0)
    })
}

fn f32s(shape: &[Dim]) -> TensorType {
    TensorType::new(DType::F32, shape.iter().cloned())
}

/// Compiles what `build` makes of inputs of these types, and compares a run on noise of these shapes with the evaluator.
#[track_caller]
fn check_symbolic(types: &[TensorType], shapes: &[Vec<usize>], build: impl Fn(&mut Builder, &[ValueId]) -> Built) {
    let mut b = Builder::new("test");
    let inputs: Vec<ValueId> = types.iter().enumerate().map(|(k, ty)| b.input(&format!("x{k}"), ty.clone())).collect();
    let y = build(&mut b, &inputs).unwrap();
    b.output("y", y);
    let graph = b.finish();
    let values: Vec<Tensor> = shapes.iter().enumerate().map(|(k, shape)| noise(shape, k as u64 + 1)).collect();
    let expected = graph::evaluate(&graph, &values).unwrap();
    for optimize in [false, true] {
        let imported = Imported { graph: graph.clone(), ..Imported::default() };
        let options = Options { optimize, ..Options::default() };
        let compiled = driver::compile_imported(imported, Duration::ZERO, &options).unwrap();
        let engine = runtime::Engine::from_artifact(compiled.artifact.into(), &runtime::Host::new(None)).unwrap();
        let outputs = engine.run(&values).unwrap();
        assert_eq!(outputs[0].shape(), expected[0].shape());
        for (at, (a, b)) in outputs[0].iter().zip(expected[0].iter()).enumerate() {
            let (a, b) = (a.as_f64(), b.as_f64());
            assert!((a - b).abs() <= 1e-5 + 1e-5 * b.abs(), "element {at}: {a}, not {b} (optimize: {optimize})");
        }
    }
}

#[track_caller]
fn check(shapes: &[&[usize]], build: impl Fn(&mut Builder, &[ValueId]) -> Built) {
    let dims = |shape: &[usize]| shape.iter().map(|d| Dim::from(*d)).collect::<Vec<_>>();
    let types: Vec<TensorType> = shapes.iter().map(|shape| f32s(&dims(shape))).collect();
    check_symbolic(&types, &shapes.iter().map(|s| s.to_vec()).collect::<Vec<_>>(), build);
}

fn dot(lhs_batch: &[usize], rhs_batch: &[usize], lhs: usize, rhs: usize) -> Dot {
    Dot {
        lhs_batch: lhs_batch.to_vec(),
        rhs_batch: rhs_batch.to_vec(),
        lhs_contract: vec![lhs],
        rhs_contract: vec![rhs],
        out: DType::F32,
    }
}

fn conv(strides: usize, pad: usize, groups: usize) -> Conv {
    Conv {
        strides: vec![strides; 2],
        pads_low: vec![pad.into(); 2],
        pads_high: vec![pad.into(); 2],
        dilations: vec![1; 2],
        base_dilations: vec![1; 2],
        groups,
        out: DType::F32,
    }
}

#[test]
fn elementwise_of_every_length_around_a_vector() {
    for n in [1, 2, 7, 15, 16, 17, 31, 33, 100] {
        check(&[&[n], &[n]], |b, x| {
            let sum = b.add(x[0], x[1])?;
            b.unary(UnaryKind::Tanh, sum)
        });
    }
}

#[test]
fn bias_scalar_and_channel_broadcasts() {
    check(&[&[2, 5, 3, 7], &[5, 1, 1], &[]], |b, x| {
        let biased = b.add(x[0], x[1])?;
        b.mul(biased, x[2])
    });
}

#[test]
fn symbolic_lengths_serve_any_size() {
    let (n, m) = (Dim::symbol("N"), Dim::symbol("M"));
    for (rows, columns) in [(1, 1), (3, 16), (2, 37)] {
        check_symbolic(
            &[f32s(&[n.clone(), m.clone()]), f32s(std::slice::from_ref(&m))],
            &[vec![rows, columns], vec![columns]],
            |b, x| b.binary(BinaryKind::Max, x[0], x[1]),
        );
    }
}

#[test]
fn softmax_over_rows_and_columns() {
    for axis in [0, 1] {
        check(&[&[5, 19]], |b, x| {
            let largest = b.reduce(ReduceKind::Max, x[0], &[axis], true)?;
            let centered = b.sub(x[0], largest)?;
            let exps = b.unary(UnaryKind::Exp, centered)?;
            let sum = b.reduce(ReduceKind::Sum, exps, &[axis], true)?;
            b.div(exps, sum)
        });
    }
}

#[test]
fn normalizations_of_rows_of_every_length() {
    for n in [1, 3, 4, 16, 17, 64, 100] {
        check(&[&[2, 5, n], &[2, 5, n], &[n]], |b, x| {
            // A function that is needed in three passes, and a normalization of it.
            let sum = b.add(x[0], x[1])?;
            let y = b.unary(UnaryKind::Tanh, sum)?;
            let mean = b.reduce(ReduceKind::Sum, y, &[2], true)?;
            let below = b.sub(y, mean)?;
            let square = b.mul(below, below)?;
            let square = b.reduce(ReduceKind::Max, square, &[2], true)?;
            let one = b.unary(UnaryKind::Exp, square)?;
            let scaled = b.div(below, one)?;
            b.mul(scaled, x[2])
        });
    }
}

#[test]
fn a_symbolic_row_serves_any_length() {
    let types = [f32s(&[3.into(), Dim::symbol("n")])];
    for n in [1, 15, 16, 33, 200] {
        check_symbolic(&types, &[vec![3, n]], |b, x| {
            let largest = b.reduce(ReduceKind::Max, x[0], &[1], true)?;
            let below = b.sub(x[0], largest)?;
            let e = b.unary(UnaryKind::Exp, below)?;
            let sum = b.reduce(ReduceKind::Sum, e, &[1], true)?;
            b.div(e, sum)
        });
    }
}

#[test]
fn normalized_rows_write_their_part_of_a_concatenation() {
    for axis in [0, 1] {
        check(&[&[4, 20]], |b, x| {
            let largest = b.reduce(ReduceKind::Max, x[0], &[1], true)?;
            let below = b.sub(x[0], largest)?;
            b.emit(ops::Concat { axis }, &[below, x[0]])
        });
    }
}

#[test]
fn reductions_over_inner_outer_and_all_axes() {
    for axes in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
        check(&[&[3, 4, 150]], |b, x| b.emit(Reduce { kind: ReduceKind::Sum, axes: axes.clone() }, &[x[0]]));
    }
}

#[test]
fn products_of_every_shape() {
    for (m, n, k) in [(1, 1, 1), (1, 40, 7), (3, 33, 5), (14, 32, 16), (29, 70, 33), (100, 1, 12), (64, 48, 128)] {
        check(&[&[m, k], &[k, n]], |b, x| b.emit(dot(&[], &[], 1, 0), x));
        check(&[&[m, k], &[n, k]], |b, x| b.emit(dot(&[], &[], 1, 1), x));
        check(&[&[k, m], &[k, n]], |b, x| b.emit(dot(&[], &[], 0, 0), x));
    }
}

#[test]
fn batched_product_of_transposed_heads_with_bias_and_function() {
    check(&[&[2, 9, 3, 8], &[2, 11, 3, 8], &[11]], |b, x| {
        let q = b.transpose(x[0], vec![0, 2, 1, 3])?;
        let k = b.transpose(x[1], vec![0, 2, 1, 3])?;
        let scores = b.emit(dot(&[0, 1], &[0, 1], 3, 3), &[q, k])?;
        let biased = b.add(scores, x[2])?;
        b.unary(UnaryKind::Sigmoid, biased)
    });
}

#[test]
fn product_with_a_constant_uses_packed_weights() {
    check(&[&[5, 37]], |b, x| {
        let weight = b.constant(noise(&[37, 45], 9))?;
        b.emit(dot(&[], &[], 1, 0), &[x[0], weight])
    });
}

#[test]
fn convolutions_with_padding_stride_and_groups() {
    for (stride, pad, groups) in [(1, 0, 1), (1, 1, 1), (2, 1, 1), (3, 2, 1), (1, 1, 2), (2, 1, 8)] {
        check(&[&[2, 8, 13, 9], &[16, 8 / groups, 3, 3]], |b, x| b.emit(conv(stride, pad, groups), x));
    }
}

#[test]
fn a_convolution_of_one_place_writes_one_column() {
    check(&[&[1, 24, 1, 1]], |b, x| {
        let weight = b.constant(noise(&[24, 24, 1, 1], 3))?;
        let y = b.emit(conv(1, 0, 1), &[x[0], weight])?;
        b.unary(UnaryKind::Tanh, y)
    });
}

#[test]
fn convolutions_of_constant_filters_with_every_rest_of_columns() {
    for (height, width) in [(7, 7), (14, 14), (4, 4), (4, 5), (3, 11), (1, 31), (2, 30)] {
        for (pad, window) in [(0, 1), (1, 3)] {
            check(&[&[1, 5, height, width]], |b, x| {
                let weight = b.constant(noise(&[17, 5, window, window], 3))?;
                let y = b.emit(conv(1, pad, 1), &[x[0], weight])?;
                b.unary(UnaryKind::Tanh, y)
            });
        }
    }
}

#[test]
fn depthwise_convolutions_of_every_window() {
    for (window, stride, dilation) in
        [(3, 1, 1), (3, 2, 1), (5, 1, 1), (5, 2, 2), (3, 3, 2), (7, 1, 1), (2, 4, 3), (9, 1, 1)]
    {
        for (pad, filters) in [(0, 6), (window / 2, 12)] {
            let op = Conv { dilations: vec![dilation; 2], ..conv(stride, pad, 6) };
            check(&[&[2, 6, 23, 38], &[filters, 1, window, window], &[filters, 1, 1]], |b, x| {
                let y = b.emit(op.clone(), &[x[0], x[1]])?;
                let y = b.add(y, x[2])?;
                b.unary(UnaryKind::Sigmoid, y)
            });
        }
    }
}

#[test]
fn depthwise_convolutions_of_lines_and_of_any_size() {
    let line = Conv {
        strides: vec![2],
        pads_low: vec![1.into()],
        pads_high: vec![2.into()],
        dilations: vec![1],
        base_dilations: vec![1],
        groups: 5,
        out: DType::F32,
    };
    check(&[&[3, 5, 70], &[5, 1, 4]], |b, x| b.emit(line.clone(), x));
    let (h, w) = (Dim::symbol("h"), Dim::symbol("w"));
    let types = [f32s(&[1.into(), 4.into(), h, w]), f32s(&[4.into(), 1.into(), 3.into(), 3.into()])];
    let shapes: Vec<Vec<usize>> =
        [(1, 1), (2, 5), (19, 16), (40, 100)].iter().map(|(h, w)| vec![1, 4, *h, *w]).collect();
    for shape in shapes {
        check_symbolic(&types, &[shape, vec![4, 1, 3, 3]], |b, x| b.emit(conv(2, 1, 4), x));
    }
}

#[test]
fn depthwise_convolutions_write_their_part_of_a_concatenation() {
    for axis in [0, 1, 2, 3] {
        check(&[&[2, 4, 6, 21], &[4, 1, 3, 3]], |b, x| {
            let left = b.emit(conv(1, 1, 4), &[x[0], x[1]])?;
            b.emit(ops::Concat { axis }, &[left, x[0]])
        });
    }
}

#[test]
fn convolutions_write_their_part_of_a_concatenation() {
    for axis in [0, 1, 2, 3] {
        check(&[&[2, 4, 6, 21], &[8, 4, 3, 3], &[8, 4, 1, 1]], |b, x| {
            let left = b.emit(conv(1, 1, 1), &[x[0], x[1]])?;
            let left = b.unary(UnaryKind::Sigmoid, left)?;
            let right = b.emit(conv(1, 0, 1), &[x[0], x[2]])?;
            b.emit(ops::Concat { axis }, &[left, right])
        });
    }
}

#[test]
fn products_write_their_part_of_a_concatenation() {
    for axis in [0, 1] {
        check(&[&[9, 12], &[12, 19], &[12, 19]], |b, x| {
            let left = b.emit(dot(&[], &[], 1, 0), &[x[0], x[1]])?;
            let right = b.emit(dot(&[], &[], 1, 0), &[x[0], x[2]])?;
            b.emit(ops::Concat { axis }, &[left, right])
        });
    }
}

#[test]
fn pooling_ignores_padding() {
    for kind in [PoolKind::Max, PoolKind::Sum] {
        check(&[&[1, 3, 20, 21]], |b, x| {
            let pool = Pool {
                kind,
                window: vec![3, 3],
                strides: vec![2, 1],
                pads_low: vec![1.into(), 0.into()],
                pads_high: vec![1.into(), 1.into()],
                dilations: vec![1, 1],
            };
            b.emit(pool, &[x[0]])
        });
    }
}

#[test]
fn concatenated_parts_are_written_in_place() {
    for axis in [0, 1, 2] {
        check(&[&[2, 3, 17], &[2, 3, 17]], |b, x| {
            let left = b.unary(UnaryKind::Exp, x[0])?;
            let right = b.unary(UnaryKind::Neg, x[1])?;
            b.emit(ops::Concat { axis }, &[left, right, x[0]])
        });
    }
}

#[test]
fn slices_walk_backwards_and_pads_reflect() {
    check(&[&[4, 23]], |b, x| {
        let slice = Slice { starts: vec![3.into(), 22.into()], sizes: vec![2.into(), 8.into()], steps: vec![-2, -3] };
        let part = b.emit(slice, &[x[0]])?;
        let zero = b.scalar(DType::F32, 0.0)?;
        let mode = ops::PadMode::Reflect;
        b.emit(ops::Pad { low: vec![0.into(), 5.into()], high: vec![1.into(), 7.into()], mode }, &[part, zero])
    });
}

/// What follows a product tile by tile, and reaches its operands by other axes than the result's.
#[test]
fn turned_operands_of_every_length_beside_straight_ones() {
    for (rows, columns) in [(1, 40), (15, 16), (16, 17), (33, 21), (50, 4), (3, 9000)] {
        check(&[&[columns, rows], &[rows, columns]], |b, v| {
            let x = b.transpose(v[0], vec![1, 0])?;
            b.add(x, v[1])
        });
    }
    let axes: Vec<Dim> = ["N", "H", "W", "C"].map(Dim::symbol).to_vec();
    check_symbolic(&[f32s(&axes)], &[vec![2, 3, 21, 18]], |b, v| {
        let x = b.transpose(v[0], vec![0, 3, 1, 2])?;
        b.unary(UnaryKind::Neg, x)
    });
}

/// Squares of several members and types at once: one is computed below its transposition, one has no whole bytes.
#[test]
fn several_turned_operands_and_what_is_below_them() {
    check(&[&[3, 37, 35], &[35]], |b, v| {
        let row = b.broadcast(v[1], b.shape(v[0]).to_vec())?;
        let product = b.emit(ops::Binary { kind: BinaryKind::Mul }, &[v[0], row])?;
        let less = b.emit(ops::Compare { kind: ops::CompareKind::Lt }, &[v[0], row])?;
        let whole = b.emit(ops::Cast { to: DType::I64, saturate: true }, &[v[0]])?;
        let turned = [product, less, whole].map(|value| b.transpose(value, vec![0, 2, 1]));
        let [product, less, whole] = turned;
        let whole = b.emit(ops::Cast { to: DType::F32, saturate: true }, &[whole?])?;
        b.emit(ops::Select {}, &[less?, product?, whole])
    });
}

#[test]
fn turned_operands_write_their_part_of_a_concatenation() {
    check(&[&[20, 18], &[18, 7]], |b, v| {
        let x = b.transpose(v[0], vec![1, 0])?;
        let x = b.unary(UnaryKind::Neg, x)?;
        b.emit(ops::Concat { axis: 1 }, &[v[1], x])
    });
}

#[test]
fn views_behind_a_product() {
    let masked = |b: &mut Builder, x: &[ValueId], mask: ValueId| -> Built {
        let scores = b.emit(dot(&[0, 1], &[0, 1], 3, 3), &[x[0], x[1]])?;
        let mask = b.broadcast(mask, b.shape(scores).to_vec())?;
        b.add(scores, mask)
    };
    for n in [2, 5, 40] {
        check(&[&[1, 2, n, 8], &[1, 2, n, 8], &[n, n]], |b, x| {
            let mask = b.reshape(x[2], vec![1.into(), 1.into(), n.into(), n.into()])?;
            masked(b, x, mask)
        });
        check(&[&[1, 2, n, 8], &[1, 2, n, 8], &[n, n]], |b, x| {
            let mask = b.transpose(x[2], vec![1, 0])?;
            masked(b, x, mask)
        });
        check(&[&[1, 2, n, 8], &[1, 2, n, 8], &[1, 2 * n]], |b, x| {
            let slice = Slice { starts: vec![0.into(), n.into()], sizes: vec![1.into(), n.into()], steps: vec![1, 1] };
            let mask = b.emit(slice, &[x[2]])?;
            masked(b, x, mask)
        });
    }
}

#[test]
fn bits_are_read_as_another_type() {
    check(&[&[3, 21]], |b, x| {
        let bits = b.emit(ops::Bitcast { to: DType::I32 }, &[x[0]])?;
        let mask = b.constant(Tensor::from_vec(vec![], vec![i32::MAX]))?;
        let mask = b.broadcast(mask, b.shape(bits).to_vec())?;
        let bits = b.emit(ops::Binary { kind: BinaryKind::And }, &[bits, mask])?;
        b.emit(ops::Bitcast { to: DType::F32 }, &[bits])
    });
}

#[test]
fn a_shape_that_does_not_fit_is_an_error_of_the_run() {
    let (n, m) = (Dim::symbol("N"), Dim::symbol("M"));
    let mut b = Builder::new("test");
    let x = b.input("x", f32s(&[n]));
    let y = b.input("y", f32s(&[m]));
    let sum = b.emit(ops::Binary { kind: BinaryKind::Add }, &[x, y]).unwrap();
    b.output("sum", sum);
    let imported = Imported { graph: b.finish(), ..Imported::default() };
    let compiled = driver::compile_imported(imported, Duration::ZERO, &Options::default()).unwrap();
    let engine = runtime::Engine::from_artifact(compiled.artifact.into(), &runtime::Host::new(None)).unwrap();
    assert!(engine.run(&[noise(&[3], 1), noise(&[3], 2)]).is_ok());
    let error = engine.run(&[noise(&[3], 1), noise(&[4], 2)]).unwrap_err().to_string();
    assert!(error.contains("do not fit"), "{error}");
}
