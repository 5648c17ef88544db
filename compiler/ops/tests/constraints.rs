//! Every constraint that an operator's documentation names has an error that quotes it.

use ops::*;
use tensor::{DType, Dim, TensorType};

fn ty(text: &str) -> TensorType {
    let (dtype, rest) = text.split_once('[').unwrap();
    let dims = rest.trim_end_matches(']').split(',');
    let shape: Vec<Dim> = dims.filter(|d| !d.is_empty()).map(|d| d.parse().unwrap()).collect();
    TensorType::new(dtype.parse().unwrap(), shape)
}

#[track_caller]
fn breaks(label: &str, op: impl Into<Op>, inputs: &[&str]) {
    let op = op.into();
    let types: Vec<TensorType> = inputs.iter().map(|text| ty(text)).collect();
    let error = op.infer(&types).unwrap_err();
    assert_eq!((error.op, error.constraint), (op.name(), label), "{error}");
}

fn dims(values: &[i64]) -> Vec<Dim> {
    values.iter().map(|v| Dim::from(*v)).collect()
}

#[test]
fn sources_of_data() {
    let value = Const(tensor::Tensor::from_vec(vec![1], vec![1.0f32]));
    breaks("C1", Constant { value }, &["f32[]"]);
    breaks("C1", Dims { values: vec![] }, &["f32[]"]);
    let bind = Bind { symbols: vec!["N".into()] };
    breaks("C1", bind.clone(), &["f32[1]"]);
    breaks("C1", bind, &["i64[2]"]);
    let iota = |dtype, axis| Iota { dtype, shape: dims(&[2]), axis };
    breaks("C1", iota(DType::I64, 1), &[]);
    breaks("C2", iota(DType::Bool, 0), &[]);
    let random =
        Random { kind: RandomKind::Uniform, dtype: DType::I64, shape: vec![], a: 0.0.into(), b: 1.0.into(), seed: 0 };
    breaks("C1", random, &[]);
}

#[test]
fn elementwise() {
    breaks("C1", Unary { kind: UnaryKind::Exp }, &["i32[2]"]);
    breaks("C1", Unary { kind: UnaryKind::Neg }, &["f8e5m2[2]"]);
    let add = Binary { kind: BinaryKind::Add };
    breaks("C1", add.clone(), &["f32[2]", "f32[3]"]);
    breaks("C1", add.clone(), &["f32[N]", "f32[N+1]"]);
    breaks("C1", add.clone(), &["f32[2]", "f64[2]"]);
    breaks("C2", add, &["bool[2]", "bool[2]"]);
    breaks("C2", Binary { kind: BinaryKind::Shl }, &["f32[2]", "f32[2]"]);
    let less = Compare { kind: CompareKind::Lt };
    breaks("C1", less.clone(), &["f32[2]", "f32[3]"]);
    breaks("C1", less, &["f8e5m2[2]", "f8e5m2[2]"]);
    breaks("C1", Select {}, &["f32[2]", "f32[2]", "f32[2]"]);
    breaks("C1", Select {}, &["bool[3]", "f32[2]", "f32[2]"]);
    breaks("C1", Cast { to: DType::F32, saturate: true }, &[]);
    breaks("C1", Bitcast { to: DType::F32 }, &["i64[2]"]);
    breaks("C1", Bitcast { to: DType::Bool }, &["u8[2]"]);
}

#[test]
fn movement() {
    breaks("C1", Reshape { shape: dims(&[4]) }, &["f32[2,3]"]);
    breaks("C1", Transpose { perm: vec![0, 0] }, &["f32[2,3]"]);
    breaks("C1", Broadcast { shape: dims(&[2]) }, &["f32[2,3]"]);
    breaks("C2", Broadcast { shape: dims(&[2, 4]) }, &["f32[2,3]"]);
    let slice = |start, size, step| Slice { starts: dims(&[start]), sizes: dims(&[size]), steps: vec![step] };
    breaks("C1", slice(0, 4, 1), &["f32[3]"]);
    breaks("C1", slice(0, 2, -1), &["f32[3]"]);
    breaks("C1", slice(0, 2, 0), &["f32[3]"]);
    let pad = |low, mode| Pad { low: dims(&[low]), high: dims(&[0]), mode };
    breaks("C1", pad(-1, PadMode::Constant), &["f32[3]", "f32[]"]);
    breaks("C1", pad(1, PadMode::Constant), &["f32[3]", "f64[]"]);
    breaks("C2", pad(3, PadMode::Reflect), &["f32[3]", "f32[]"]);
    breaks("C1", Concat { axis: 0 }, &[]);
    breaks("C1", Concat { axis: 1 }, &["f32[2]"]);
    breaks("C2", Concat { axis: 0 }, &["f32[2,3]", "f32[2,4]"]);
}

#[test]
fn gather_and_scatter() {
    breaks("C1", Gather { axis: 0 }, &["f32[]", "i64[]"]);
    breaks("C1", Gather { axis: 0 }, &["f32[2]", "f32[]"]);
    breaks("C1", GatherElements { axis: 0 }, &["f32[2]", "i64[]"]);
    breaks("C2", GatherElements { axis: 0 }, &["f32[2,2]", "i64[9,3]"]);
    breaks("C1", GatherNd { batch_dims: 0 }, &["f32[2]", "i64[1,2]"]);
    breaks("C1", GatherNd { batch_dims: 0 }, &["f32[2]", "i64[1,N]"]);
    breaks("C2", GatherNd { batch_dims: 1 }, &["f32[2,2]", "i64[3,1]"]);
    let elements = |kind| ScatterElements { axis: 0, kind };
    breaks("C1", elements(ScatterKind::Add), &["f32[2]", "i64[1]", "f32[2]"]);
    breaks("C2", elements(ScatterKind::Add), &["f32[2,2]", "i64[1,3]", "f32[1,3]"]);
    breaks("C3", elements(ScatterKind::Add), &["bool[2]", "i64[1]", "bool[1]"]);
    let nd = |kind| ScatterNd { kind };
    breaks("C1", nd(ScatterKind::Add), &["f32[2]", "i64[1,2]", "f32[1]"]);
    breaks("C2", nd(ScatterKind::Add), &["f32[2]", "i64[1,1]", "f32[2]"]);
    breaks("C3", nd(ScatterKind::Mul), &["bool[2]", "i64[1,1]", "bool[1]"]);
}

#[test]
fn reductions() {
    let reduce = |axes: &[usize]| Reduce { kind: ReduceKind::Sum, axes: axes.to_vec() };
    breaks("C1", reduce(&[1, 0]), &["f32[2,2]"]);
    breaks("C1", reduce(&[2]), &["f32[2,2]"]);
    breaks("C2", reduce(&[0]), &["bool[2]"]);
    breaks("C1", ArgReduce { kind: ArgKind::Max, axis: 1, last: false }, &["f32[2]"]);
    let cumulative = |axis| Cumulative { kind: CumKind::Sum, axis, exclusive: false, reverse: false };
    breaks("C1", cumulative(1), &["f32[2]"]);
    breaks("C2", cumulative(0), &["bool[2]"]);
    let topk = |axis, k: i64| TopK { axis, k: k.into(), largest: true };
    breaks("C1", topk(1, 1), &["f32[2]"]);
    breaks("C1", topk(0, 3), &["f32[2]"]);
    breaks("C1", topk(0, -1), &["f32[2]"]);
}

#[test]
fn contractions_and_windows() {
    let dot = |lhs, rhs, out| Dot {
        lhs_batch: vec![],
        rhs_batch: vec![],
        lhs_contract: vec![lhs],
        rhs_contract: vec![rhs],
        out,
    };
    breaks("C1", dot(1, 0, DType::F32), &["f32[2,3]", "f32[4,2]"]);
    breaks("C1", dot(2, 0, DType::F32), &["f32[2,3]", "f32[3,2]"]);
    breaks("C2", dot(1, 0, DType::F32), &["i8[2,3]", "i8[3,2]"]);
    let conv = |groups, out| Conv {
        strides: vec![1],
        pads_low: dims(&[0]),
        pads_high: dims(&[0]),
        dilations: vec![1],
        base_dilations: vec![1],
        groups,
        out,
    };
    breaks("C1", conv(1, DType::F32), &["f32[1,2]", "f32[1,2]"]);
    breaks("C1", conv(0, DType::F32), &["f32[1,2,3]", "f32[1,2,1]"]);
    breaks("C2", conv(1, DType::F32), &["f32[1,2,3]", "f32[1,1,1]"]);
    breaks("C3", conv(1, DType::I32), &["f32[1,2,3]", "f32[1,2,1]"]);
    breaks("C4", conv(1, DType::F32), &["f32[1,2,3]", "f32[1,2,5]"]);
    let pool = |window| Pool {
        kind: PoolKind::Max,
        window: vec![window],
        strides: vec![1],
        pads_low: dims(&[0]),
        pads_high: dims(&[0]),
        dilations: vec![1],
    };
    breaks("C1", pool(0), &["f32[3]"]);
    breaks("C2", pool(5), &["f32[3]"]);
    breaks("C3", pool(1), &["bool[3]"]);
    let arg = |window| PoolArgMax {
        window: vec![window],
        strides: vec![1],
        pads_low: dims(&[0]),
        pads_high: dims(&[0]),
        dilations: vec![1],
        column_major: false,
    };
    breaks("C1", arg(0), &["f32[3]"]);
    breaks("C2", arg(5), &["f32[3]"]);
    breaks("C3", arg(1), &["bool[3]"]);
}

#[test]
fn data_dependent_and_control() {
    let count = || "n".to_string();
    breaks("C1", NonZero { count: count() }, &[]);
    breaks("C1", Unique { axis: 1, sorted: true, count: count() }, &["f32[2]"]);
    let nms = || NonMaxSuppression { center_point: false, count: count() };
    breaks("C1", nms(), &["f32[1,2,4]", "f32[1,1,2]", "i32[]", "f32[]", "f32[]"]);
    breaks("C2", nms(), &["f32[1,2,4]", "f32[1,1,3]", "i64[]", "f32[]", "f32[]"]);
    breaks("C1", If { symbols: vec![] }, &["bool[]"]);
    breaks("C1", Loop { n_carried: 0, symbols: vec![] }, &["i64[]", "bool[]"]);
}

#[test]
fn symbols_are_given_the_benefit_of_the_doubt() {
    let infer = |op: Op, inputs: &[&str]| {
        let types: Vec<_> = inputs.iter().map(|text| ty(text)).collect();
        op.infer(&types).unwrap()[0].to_string()
    };
    assert_eq!(infer(Binary { kind: BinaryKind::Add }.into(), &["f32[N]", "f32[4]"]), "f32[4]");
    assert_eq!(infer(Select {}.into(), &["bool[N,2]", "f32[3,M]", "f32[N,M]"]), "f32[3,2]");
    assert_eq!(infer(Gather { axis: 0 }.into(), &["f32[N,5]", "i64[]"]), "f32[5]");
}
