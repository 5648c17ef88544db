//! Small results of every operator, worked out by hand from NumPy's and ONNX's definitions.

#![allow(
    clippy::cloned_ref_to_slice_refs,
    clippy::type_complexity,
    reason = "tables of operands read better in one form"
)]

use ops::*;
use tensor::{DType, Dim, Scalar, Tensor};

fn f(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

fn i(shape: &[usize], values: &[i64]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

fn b(shape: &[usize], values: &[bool]) -> Tensor {
    Tensor::from_bools(shape.to_vec(), values)
}

fn dims(values: &[i64]) -> Vec<Dim> {
    values.iter().map(|v| Dim::from(*v)).collect()
}

#[track_caller]
fn check(op: impl Into<Op>, inputs: &[Tensor], expected: &[Tensor]) {
    assert_eq!(op.into().eval(inputs).unwrap(), expected);
}

/// Elements as `f64`, for tables over several element types.
fn typed(dtype: DType, values: &[f64]) -> Tensor {
    Tensor::build(dtype, vec![values.len()], |at| {
        if dtype.is_float() { Scalar::Float(values[at]) } else { Scalar::Int(values[at] as i128) }
    })
}

#[test]
fn sources_of_data() {
    let t = f(&[2], &[1.0, 2.0]);
    check(Constant { value: Const(t.clone()) }, &[], &[t]);
    check(Dims { values: dims(&[3, 4]) }, &[], &[i(&[2], &[3, 4])]);
    check(Bind { symbols: vec!["N".into()] }, &[i(&[], &[3])], &[]);
    let iota = Iota { dtype: DType::I64, shape: dims(&[2, 3]), axis: 1 };
    check(iota, &[], &[i(&[2, 3], &[0, 1, 2, 0, 1, 2])]);
}

#[test]
fn unary() {
    let cases: &[(UnaryKind, &[f32], &[f32])] = &[
        (UnaryKind::Neg, &[1.5, -2.0], &[-1.5, 2.0]),
        (UnaryKind::Abs, &[1.5, -2.0], &[1.5, 2.0]),
        (UnaryKind::Sign, &[1.5, -2.0, 0.0, -0.0], &[1.0, -1.0, 0.0, 0.0]),
        (UnaryKind::Exp, &[0.0, 1.0], &[1.0, std::f32::consts::E]),
        (UnaryKind::Log, &[1.0, 0.0], &[0.0, f32::NEG_INFINITY]),
        (UnaryKind::Log1p, &[0.0, 1e-10], &[0.0, 1e-10]),
        (UnaryKind::Expm1, &[0.0, 1e-10], &[0.0, 1e-10]),
        (UnaryKind::Sqrt, &[4.0, 2.0], &[2.0, std::f32::consts::SQRT_2]),
        (UnaryKind::Sin, &[0.0, 1.0], &[0.0, 0.841_470_96]),
        (UnaryKind::Cos, &[0.0, 1.0], &[1.0, 0.540_302_3]),
        (UnaryKind::Tan, &[0.0, 1.0], &[0.0, 1.557_407_7]),
        (UnaryKind::Asin, &[1.0], &[std::f32::consts::FRAC_PI_2]),
        (UnaryKind::Acos, &[1.0], &[0.0]),
        (UnaryKind::Atan, &[1.0], &[std::f32::consts::FRAC_PI_4]),
        (UnaryKind::Sinh, &[1.0], &[1.175_201_2]),
        (UnaryKind::Cosh, &[1.0], &[1.543_080_7]),
        (UnaryKind::Tanh, &[1.0, 100.0], &[0.761_594_2, 1.0]),
        (UnaryKind::Asinh, &[1.0, 1e-10], &[0.881_373_6, 1e-10]),
        (UnaryKind::Acosh, &[1.0, 2.0], &[0.0, 1.316_958]),
        (UnaryKind::Atanh, &[0.5], &[0.549_306_15]),
        (UnaryKind::Erf, &[0.0, 0.5, -1.0], &[0.0, 0.520_499_9, -0.842_700_8]),
        (UnaryKind::Sigmoid, &[0.0, -1000.0, 1000.0], &[0.5, 0.0, 1.0]),
        (UnaryKind::Floor, &[1.5, -1.5], &[1.0, -2.0]),
        (UnaryKind::Ceil, &[1.5, -1.5], &[2.0, -1.0]),
        (UnaryKind::Round, &[0.5, 1.5, -2.5], &[0.0, 2.0, -2.0]),
        (UnaryKind::Trunc, &[1.5, -1.5], &[1.0, -1.0]),
    ];
    for (kind, x, y) in cases {
        check(Unary { kind: *kind }, &[f(&[x.len()], x)], &[f(&[y.len()], y)]);
    }
    let covered = |kind: &UnaryKind| cases.iter().any(|(k, ..)| k == kind);
    let rest: Vec<_> = UnaryKind::ALL.iter().filter(|k| !covered(k)).collect();
    assert_eq!(rest, [&UnaryKind::Not, &UnaryKind::IsNan]);
    let nan = f(&[2], &[f32::NAN, f32::INFINITY]);
    check(Unary { kind: UnaryKind::IsNan }, &[nan], &[b(&[2], &[true, false])]);
    check(Unary { kind: UnaryKind::Not }, &[b(&[1], &[true])], &[b(&[1], &[false])]);
    let bytes = |v: &[u8]| Tensor::from_vec(vec![v.len()], v.to_vec());
    check(Unary { kind: UnaryKind::Not }, &[bytes(&[1, 255])], &[bytes(&[254, 0])]);
    let ints = |v: &[i8]| Tensor::from_vec(vec![v.len()], v.to_vec());
    check(Unary { kind: UnaryKind::Neg }, &[ints(&[-128, 3])], &[ints(&[-128, -3])]);
    check(Unary { kind: UnaryKind::Abs }, &[ints(&[-128, -3])], &[ints(&[-128, 3])]);
    check(Unary { kind: UnaryKind::Sign }, &[ints(&[-128, 0])], &[ints(&[-1, 0])]);
}

#[test]
fn erf_is_accurate_to_the_last_digits() {
    // Abramowitz and Stegun 7.1.5, summed with more digits: erf(0.5), erf(1), erf(2), erf(3).
    let expected = [0.520_499_877_813_046_5, 0.842_700_792_949_714_9, 0.995_322_265_018_952_7, 0.999_977_909_503_001_4];
    let x = typed(DType::F64, &[0.5, 1.0, 2.0, 3.0]);
    let y = Op::from(Unary { kind: UnaryKind::Erf }).eval(&[x]).unwrap();
    for (got, want) in y[0].values::<f64>().iter().zip(expected) {
        assert!((got - want).abs() < 3e-16, "{got} {want}");
    }
}

#[test]
fn binary() {
    use BinaryKind::*;
    use DType::{F32, I8, I64, U8};
    const NAN: f64 = f64::NAN;
    // (kind, type, a, b, result)
    let cases: &[(BinaryKind, DType, &[f64], &[f64], &[f64])] = &[
        (Add, F32, &[1.0, 0.5], &[2.0, 0.25], &[3.0, 0.75]),
        (Add, U8, &[255.0], &[2.0], &[1.0]),
        (Sub, U8, &[1.0], &[2.0], &[255.0]),
        (Mul, I8, &[100.0], &[3.0], &[44.0]),
        (Div, F32, &[1.0, 1.0], &[4.0, 0.0], &[0.25, f64::INFINITY]),
        (Div, I64, &[-7.0, 7.0, 5.0], &[2.0, -2.0, 0.0], &[-3.0, -3.0, 0.0]),
        (Pow, F32, &[2.0, 4.0], &[3.0, -0.5], &[8.0, 0.5]),
        (
            Pow,
            I64,
            &[2.0, -1.0, 0.0, 2.0, 3.0],
            &[62.0, -3.0, -1.0, -1.0, 0.0],
            &[4.611_686_018_427_388e18, -1.0, 0.0, 0.0, 1.0],
        ),
        (Max, F32, &[1.0, NAN, 1.0], &[2.0, 1.0, NAN], &[2.0, NAN, NAN]),
        (Min, F32, &[1.0, NAN, 1.0], &[2.0, 1.0, NAN], &[1.0, NAN, NAN]),
        (Mod, I64, &[-7.0, 7.0, 7.0, 3.0], &[3.0, -3.0, 3.0, 0.0], &[2.0, -2.0, 1.0, 0.0]),
        (Mod, F32, &[-7.5, 7.5], &[2.0, -2.0], &[0.5, -0.5]),
        (Rem, I64, &[-7.0, 7.0, 3.0], &[3.0, -3.0, 0.0], &[-1.0, 1.0, 0.0]),
        (Rem, F32, &[-7.5, 7.5], &[2.0, -2.0], &[-1.5, 1.5]),
        (Atan2, F32, &[0.0, 1.0], &[1.0, 0.0], &[0.0, std::f64::consts::FRAC_PI_2]),
        (And, U8, &[12.0], &[10.0], &[8.0]),
        (Or, U8, &[12.0], &[10.0], &[14.0]),
        (Xor, U8, &[12.0], &[10.0], &[6.0]),
        (Shl, U8, &[3.0, 3.0], &[7.0, 8.0], &[128.0, 0.0]),
        (Shr, I8, &[-8.0, -8.0, 8.0], &[1.0, 9.0, 8.0], &[-4.0, -1.0, 0.0]),
    ];
    for (kind, dtype, x, y, z) in cases {
        let got = Op::from(Binary { kind: *kind }).eval(&[typed(*dtype, x), typed(*dtype, y)]).unwrap();
        let (got, want) = (format!("{got:?}"), format!("{:?}", [typed(*dtype, z)]));
        assert_eq!(got, want, "{kind:?} {dtype}");
    }
    assert!(BinaryKind::ALL.iter().all(|kind| cases.iter().any(|(k, ..)| k == kind)));
    let xor = Binary { kind: Xor };
    check(xor, &[b(&[2], &[true, true]), b(&[2], &[true, false])], &[b(&[2], &[false, true])]);
}

#[test]
fn compare_select_cast() {
    let (x, y) = (f(&[4], &[1.0, 2.0, 3.0, f32::NAN]), f(&[4], &[2.0, 2.0, 2.0, f32::NAN]));
    let expected = [
        (CompareKind::Eq, [false, true, false, false]),
        (CompareKind::Ne, [true, false, true, true]),
        (CompareKind::Lt, [true, false, false, false]),
        (CompareKind::Le, [true, true, false, false]),
        (CompareKind::Gt, [false, false, true, false]),
        (CompareKind::Ge, [false, true, true, false]),
    ];
    for (kind, holds) in expected {
        check(Compare { kind }, &[x.clone(), y.clone()], &[b(&[4], &holds)]);
    }
    check(Select {}, &[b(&[2], &[true, false]), i(&[2], &[1, 2]), i(&[2], &[3, 4])], &[i(&[2], &[1, 4])]);
    let cast = |to| Cast { to, saturate: true };
    check(cast(DType::I64), &[f(&[3], &[-1.7, 2.9, f32::NAN])], &[i(&[3], &[-1, 2, 0])]);
    check(cast(DType::U8), &[i(&[2], &[-1, 257])], &[Tensor::from_vec(vec![2], vec![255u8, 1])]);
    check(cast(DType::Bool), &[f(&[3], &[0.0, -0.5, f32::NAN])], &[b(&[3], &[false, true, true])]);
    check(cast(DType::F32), &[b(&[2], &[true, false])], &[f(&[2], &[1.0, 0.0])]);
    for (to, saturate, code) in [
        (DType::F8E4M3FN, true, 0x7e),
        (DType::F8E4M3FN, false, 0x7f),
        (DType::F8E5M2, true, 0x7b),
        (DType::F8E5M2, false, 0x7c),
    ] {
        let y = Op::from(Cast { to, saturate }).eval(&[f(&[1], &[1e9])]).unwrap();
        assert_eq!(y[0].bytes()[0], code, "{to} {saturate}");
    }
    // NaN where there is none.
    let y = Op::from(cast(DType::F4E2M1)).eval(&[f(&[2], &[f32::NAN, -f32::INFINITY])]).unwrap();
    assert_eq!(y[0].bytes()[..], [0x8, 0xf]);
}

/// Zero, NaN, infinity, too large, too small, and halves: the two columns of the standard's table, to the nearest power.
#[test]
fn powers_of_two() {
    let x = f(&[8], &[0.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-45, 1.0, -1.5, 2.75]);
    for (saturate, codes) in
        [(true, [0, 255, 254, 254, 0, 127, 128, 128]), (false, [255, 255, 255, 255, 255, 127, 128, 128])]
    {
        let y = Op::from(Cast { to: DType::F8E8M0, saturate }).eval(std::slice::from_ref(&x)).unwrap();
        assert_eq!(y[0].bytes()[..], codes, "{saturate}");
    }
}

#[test]
fn bits_are_kept() {
    let ones = Tensor::from_vec(vec![2], vec![0x3f80_0000i32, -0x4080_0000]);
    check(Bitcast { to: DType::F32 }, &[ones.clone()], &[f(&[2], &[1.0, -1.0])]);
    check(Bitcast { to: DType::I32 }, &[f(&[2], &[1.0, -1.0])], &[ones]);
    let nibbles = |dtype, bytes: &[u8]| Tensor::from_bytes(dtype, vec![2], bytes.to_vec().into()).unwrap();
    check(Bitcast { to: DType::I4 }, &[nibbles(DType::U4, &[7, 9])], &[nibbles(DType::I4, &[7, 0xf9])]);
    check(Bitcast { to: DType::U4 }, &[nibbles(DType::I4, &[7, 0xf9])], &[nibbles(DType::U4, &[7, 9])]);
}

#[test]
fn movement() {
    let x = i(&[2, 3], &[0, 1, 2, 3, 4, 5]);
    check(Reshape { shape: dims(&[3, 2]) }, &[x.clone()], &[i(&[3, 2], &[0, 1, 2, 3, 4, 5])]);
    check(Transpose { perm: vec![1, 0] }, &[x.clone()], &[i(&[3, 2], &[0, 3, 1, 4, 2, 5])]);
    check(Broadcast { shape: dims(&[2, 2, 1]) }, &[i(&[2, 1], &[7, 8])], &[i(&[2, 2, 1], &[7, 8, 7, 8])]);
    check(Broadcast { shape: dims(&[2, 2]) }, &[i(&[2, 1], &[7, 8])], &[i(&[2, 2], &[7, 7, 8, 8])]);
    let slice = Slice { starts: dims(&[1, 2]), sizes: dims(&[2, 2]), steps: vec![-1, -2] };
    check(slice, &[x.clone()], &[i(&[2, 2], &[5, 3, 2, 0])]);
    check(Concat { axis: 1 }, &[x.clone(), i(&[2, 1], &[8, 9])], &[i(&[2, 4], &[0, 1, 2, 8, 3, 4, 5, 9])]);
}

#[test]
fn pad() {
    let x = i(&[3], &[1, 2, 3]);
    for (mode, expected) in [
        (PadMode::Constant, [0, 0, 1, 2, 3, 0]),
        (PadMode::Reflect, [3, 2, 1, 2, 3, 2]),
        (PadMode::Edge, [1, 1, 1, 2, 3, 3]),
        (PadMode::Wrap, [2, 3, 1, 2, 3, 1]),
    ] {
        let pad = Pad { low: dims(&[2]), high: dims(&[1]), mode };
        check(pad, &[x.clone(), i(&[], &[0])], &[i(&[6], &expected)]);
    }
}

#[test]
fn gather_and_scatter() {
    let x = i(&[2, 3], &[0, 1, 2, 3, 4, 5]);
    check(Gather { axis: 1 }, &[x.clone(), i(&[], &[-1])], &[i(&[2], &[2, 5])]);
    check(Gather { axis: 0 }, &[x.clone(), i(&[1, 2], &[1, 0])], &[i(&[1, 2, 3], &[3, 4, 5, 0, 1, 2])]);
    check(GatherElements { axis: 1 }, &[x.clone(), i(&[2, 1], &[2, -3])], &[i(&[2, 1], &[2, 3])]);
    check(GatherNd { batch_dims: 0 }, &[x.clone(), i(&[2, 2], &[0, 1, 1, -1])], &[i(&[2], &[1, 5])]);
    check(GatherNd { batch_dims: 1 }, &[x.clone(), i(&[2, 1], &[1, 0])], &[i(&[2], &[1, 3])]);
    let elements = ScatterElements { axis: 0, kind: ScatterKind::Add };
    check(elements, &[x.clone(), i(&[2, 1], &[1, 1]), i(&[2, 1], &[10, 100])], &[i(&[2, 3], &[0, 1, 2, 113, 4, 5])]);
    for (kind, expected) in [
        (ScatterKind::Replace, [0, 1, 2, 7, 1, 9]),
        (ScatterKind::Add, [0, 1, 2, 10, 5, 14]),
        (ScatterKind::Mul, [0, 1, 2, 21, 4, 45]),
        (ScatterKind::Max, [0, 1, 2, 7, 4, 9]),
        (ScatterKind::Min, [0, 1, 2, 3, 1, 5]),
    ] {
        check(ScatterNd { kind }, &[x.clone(), i(&[1, 1], &[1]), i(&[1, 3], &[7, 1, 9])], &[i(&[2, 3], &expected)]);
    }
    let bad = Op::from(Gather { axis: 0 }).eval(&[x, i(&[1], &[2])]).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "gather: index 2 (element [0] of the indices) lies outside of axis 0, which has size 2"
    );
}

#[test]
fn reductions() {
    let x = f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for (kind, expected, empty) in [
        (ReduceKind::Sum, [6.0, 15.0], 0.0),
        (ReduceKind::Prod, [6.0, 120.0], 1.0),
        (ReduceKind::Max, [3.0, 6.0], f32::NEG_INFINITY),
        (ReduceKind::Min, [1.0, 4.0], f32::INFINITY),
    ] {
        check(Reduce { kind, axes: vec![1] }, &[x.clone()], &[f(&[2], &expected)]);
        check(Reduce { kind, axes: vec![0] }, &[f(&[0], &[])], &[f(&[], &[empty])]);
    }
    check(Reduce { kind: ReduceKind::Sum, axes: vec![0] }, &[x], &[f(&[3], &[5.0, 7.0, 9.0])]);
    let nan = f(&[2], &[f32::NAN, 1.0]);
    let max = Op::from(Reduce { kind: ReduceKind::Max, axes: vec![0] }).eval(&[nan]).unwrap();
    assert!(max[0].values::<f32>()[0].is_nan());
    let any = Reduce { kind: ReduceKind::Max, axes: vec![0] };
    check(any, &[b(&[2], &[false, true])], &[b(&[], &[true])]);
    let half = typed(DType::F16, &vec![1.0; 3000]);
    check(
        Reduce { kind: ReduceKind::Sum, axes: vec![0] },
        &[half],
        &[typed(DType::F16, &[3000.0]).reshaped(vec![]).unwrap()],
    );
}

#[test]
fn arg_reduce_and_topk() {
    let x = f(&[2, 3], &[1.0, 3.0, 3.0, f32::NAN, 0.0, 0.0]);
    for (kind, last, expected) in [
        (ArgKind::Max, false, [1, 0]),
        (ArgKind::Max, true, [2, 0]),
        (ArgKind::Min, false, [0, 0]),
        (ArgKind::Min, true, [0, 0]),
    ] {
        check(ArgReduce { kind, axis: 1, last }, &[x.clone()], &[i(&[2], &expected)]);
    }
    let x = i(&[4], &[5, 9, 5, 1]);
    check(TopK { axis: 0, k: 3.into(), largest: true }, &[x.clone()], &[i(&[3], &[9, 5, 5]), i(&[3], &[1, 0, 2])]);
    check(TopK { axis: 0, k: 2.into(), largest: false }, &[x], &[i(&[2], &[1, 5]), i(&[2], &[3, 0])]);
}

#[test]
fn cumulative() {
    let x = i(&[4], &[1, 2, 3, 4]);
    for (kind, exclusive, reverse, expected) in [
        (CumKind::Sum, false, false, [1, 3, 6, 10]),
        (CumKind::Sum, true, false, [0, 1, 3, 6]),
        (CumKind::Sum, false, true, [10, 9, 7, 4]),
        (CumKind::Sum, true, true, [9, 7, 4, 0]),
        (CumKind::Prod, false, false, [1, 2, 6, 24]),
        (CumKind::Prod, true, true, [24, 12, 4, 1]),
    ] {
        check(Cumulative { kind, axis: 0, exclusive, reverse }, &[x.clone()], &[i(&[4], &expected)]);
    }
}

fn matmul(out: DType) -> Dot {
    Dot { lhs_batch: vec![], rhs_batch: vec![], lhs_contract: vec![1], rhs_contract: vec![0], out }
}

#[test]
fn dot() {
    let (x, y) = (f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), f(&[2, 1], &[5.0, 6.0]));
    check(matmul(DType::F32), &[x, y], &[f(&[2, 1], &[17.0, 39.0])]);
    let (x, y) = (Tensor::from_vec(vec![1, 2], vec![255u8, 255]), Tensor::from_vec(vec![2, 1], vec![-128i8, -128]));
    check(matmul(DType::I32), &[x, y], &[Tensor::from_vec(vec![1, 1], vec![-65280i32])]);
    let batched =
        Dot { lhs_batch: vec![1], rhs_batch: vec![0], lhs_contract: vec![0], rhs_contract: vec![2], out: DType::I64 };
    // lhs[k, b], rhs[b, n, k] -> [b, n]
    let (x, y) = (i(&[2, 2], &[1, 2, 3, 4]), i(&[2, 1, 2], &[10, 20, 30, 40]));
    check(batched, &[x, y], &[i(&[2, 1], &[70, 220])]);
    check(matmul(DType::F32), &[f(&[1, 0], &[]), f(&[0, 2], &[])], &[f(&[1, 2], &[0.0, 0.0])]);
}

/// Tiles and panels of the quick path against the plain sum, with sizes that do not divide.
#[test]
fn dot_of_odd_sizes() {
    let (m, k, n) = (5, 7, 517);
    let x = Tensor::build(DType::F32, vec![m, k], |at| Scalar::Float((at % 11) as f64 - 5.0));
    let y = Tensor::build(DType::F32, vec![k, n], |at| Scalar::Float((at % 13) as f64 - 6.0));
    let expected = Tensor::build(DType::F32, vec![m, n], |at| {
        let term = |p: usize| x.get(at / n * k + p).as_f64() * y.get(p * n + at % n).as_f64();
        Scalar::Float((0..k).map(term).sum())
    });
    check(matmul(DType::F32), &[x, y], &[expected]);
}

fn conv(n: usize) -> Conv {
    Conv {
        strides: vec![1; n],
        pads_low: vec![0.into(); n],
        pads_high: vec![0.into(); n],
        dilations: vec![1; n],
        base_dilations: vec![1; n],
        groups: 1,
        out: DType::F32,
    }
}

#[test]
fn convolution() {
    let x = f(&[1, 1, 3, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let w = f(&[1, 1, 2, 2], &[1.0, 1.0, 1.0, 1.0]);
    check(conv(2), &[x, w], &[f(&[1, 1, 2, 2], &[8.0, 12.0, 20.0, 24.0])]);
    let line = f(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let w = f(&[1, 1, 2], &[1.0, 10.0]);
    let padded = Conv { pads_low: dims(&[1]), strides: vec![2], dilations: vec![2], ..conv(1) };
    check(padded, &[line.clone(), w.clone()], &[f(&[1, 1, 2], &[20.0, 42.0])]);
    let spread = Conv { base_dilations: vec![2], pads_low: dims(&[1]), pads_high: dims(&[-1]), ..conv(1) };
    check(spread, &[line, w], &[f(&[1, 1, 6], &[10.0, 1.0, 20.0, 2.0, 30.0, 3.0])]);
    let grouped = Conv { groups: 2, ..conv(1) };
    let (x, w) = (f(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]), f(&[2, 1, 1], &[10.0, 100.0]));
    check(grouped, &[x, w], &[f(&[1, 2, 2], &[10.0, 20.0, 300.0, 400.0])]);
}

#[test]
fn pooling() {
    let x = f(&[1, 2, 3], &[1.0, 5.0, 2.0, 4.0, 3.0, 6.0]);
    let pool = |kind| Pool {
        kind,
        window: vec![2, 2],
        strides: vec![1, 2],
        pads_low: dims(&[0, 1]),
        pads_high: dims(&[0, 0]),
        dilations: vec![1, 1],
    };
    check(pool(PoolKind::Max), &[x.clone()], &[f(&[1, 1, 2], &[4.0, 6.0])]);
    check(pool(PoolKind::Sum), &[x.clone()], &[f(&[1, 1, 2], &[5.0, 16.0])]);
    for (column_major, expected) in [(false, [3, 5]), (true, [1, 5])] {
        let arg = PoolArgMax {
            window: vec![2, 2],
            strides: vec![1, 2],
            pads_low: dims(&[0, 1]),
            pads_high: dims(&[0, 0]),
            dilations: vec![1, 1],
            column_major,
        };
        check(arg, &[x.clone()], &[i(&[1, 1, 2], &expected)]);
    }
    let outside = Pool { pads_low: dims(&[0, 2]), window: vec![1, 1], strides: vec![1, 1], ..pool(PoolKind::Max) };
    let y = Op::from(outside).eval(&[x]).unwrap();
    assert_eq!(y[0].values::<f32>()[..3], [f32::NEG_INFINITY, f32::NEG_INFINITY, 1.0]);
}

#[test]
fn data_dependent() {
    let count = || "n".to_string();
    check(NonZero { count: count() }, &[i(&[2, 2], &[0, 3, 4, 0])], &[i(&[2, 2], &[0, 1, 1, 0])]);
    let x = i(&[5], &[2, 1, 1, 3, 2]);
    check(
        Unique { axis: -1, sorted: true, count: count() },
        &[x.clone()],
        &[i(&[3], &[1, 2, 3]), i(&[3], &[1, 0, 3]), i(&[5], &[1, 0, 0, 2, 1]), i(&[3], &[2, 2, 1])],
    );
    check(
        Unique { axis: -1, sorted: false, count: count() },
        &[x],
        &[i(&[3], &[2, 1, 3]), i(&[3], &[0, 1, 3]), i(&[5], &[0, 1, 1, 2, 0]), i(&[3], &[2, 2, 1])],
    );
    check(
        Unique { axis: 1, sorted: true, count: count() },
        &[i(&[2, 3], &[1, 0, 1, 5, 4, 5])],
        &[i(&[2, 2], &[0, 1, 4, 5]), i(&[2], &[1, 0]), i(&[3], &[1, 0, 1]), i(&[2], &[1, 2])],
    );
}

#[test]
fn non_max_suppression() {
    // The example of ONNX's specification: six boxes, three of them kept.
    let boxes = f(
        &[1, 6, 4],
        &[
            0.0, 0.0, 1.0, 1.0, 0.0, 0.1, 1.0, 1.1, 0.0, -0.1, 1.0, 0.9, 0.0, 10.0, 1.0, 11.0, 0.0, 10.1, 1.0, 11.1,
            0.0, 100.0, 1.0, 101.0,
        ],
    );
    let scores = f(&[1, 1, 6], &[0.9, 0.75, 0.6, 0.95, 0.5, 0.3]);
    let nms = |center_point| NonMaxSuppression { center_point, count: "n".into() };
    let run = |most, threshold| [boxes.clone(), scores.clone(), i(&[], &[most]), f(&[], &[0.5]), f(&[], &[threshold])];
    check(nms(false), &run(3, 0.0), &[i(&[3, 3], &[0, 0, 3, 0, 0, 0, 0, 0, 5])]);
    check(nms(false), &run(3, 0.4), &[i(&[2, 3], &[0, 0, 3, 0, 0, 0])]);
    check(nms(false), &run(0, 0.0), &[i(&[0, 3], &[])]);
    let centers = f(&[1, 2, 4], &[0.5, 0.5, 1.0, 1.0, 0.5, 0.6, 1.0, 1.0]);
    let inputs = [centers, f(&[1, 1, 2], &[0.1, 0.9]), i(&[], &[9]), f(&[], &[0.5]), f(&[], &[0.0])];
    check(nms(true), &inputs, &[i(&[1, 3], &[0, 0, 1])]);
}

#[test]
fn random_numbers_are_fixed_by_the_seed() {
    let random = |kind, n: usize| Random {
        kind,
        dtype: DType::F64,
        shape: vec![n.into()],
        a: 0.0.into(),
        b: 1.0.into(),
        seed: 0,
    };
    let uniform = Op::from(random(RandomKind::Uniform, 1)).eval(&[]).unwrap();
    // The first output of SplitMix64 from state 0 is 0xe220a8397b1dcdaf.
    assert_eq!(uniform[0].values::<f64>()[0], (0xe220_a839_7b1d_cdafu64 >> 11) as f64 / 2f64.powi(53));
    let normal = Op::from(random(RandomKind::Normal, 10_001)).eval(&[]).unwrap();
    let values = normal[0].values::<f64>().into_owned();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    assert!(mean.abs() < 0.04 && (deviation - 1.0).abs() < 0.03, "{mean} {deviation}");
}

#[test]
fn control_flow_is_left_to_the_graph() {
    let branch = Op::from(If { symbols: vec![] });
    let turn = Op::from(Loop { n_carried: 0, symbols: vec![] });
    assert!(branch.eval(&[]).is_err() && turn.eval(&[]).is_err());
}
