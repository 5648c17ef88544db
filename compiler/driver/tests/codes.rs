//! Products with quantized weights: the values, for few and many rows and for machines with other vectors, and the memory.

use driver::{Options, Target};
use graph::{BuildError, Builder, Graph, ValueId};
use import_onnx::Imported;
use ops::{BinaryKind, Dot};
use runtime::{Engine, Host, Limits};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

/// Sizes of weights: columns, blocks, bytes of a block.
type Sizes = [usize; 3];

/// Integers without a pattern, from 0 to `end`.
fn noise(seed: u64, end: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % end
    }
}

fn floats(shape: Vec<usize>, seed: u64) -> Tensor {
    let mut next = noise(seed, 2001);
    Tensor::build(DType::F32, shape, |_| Scalar::Float(next() as f64 / 1000.0 - 1.0))
}

fn bytes(shape: Vec<usize>, seed: u64) -> Tensor {
    let mut next = noise(seed, 256);
    Tensor::build(DType::U8, shape, |_| Scalar::Int(next().into()))
}

/// `x[M, k] . ((code - zero) * scale)'`, with a bias and an activation behind; codes as in ONNX Runtime's `MatMulNBits`.
fn product([n, blocks, run]: Sizes, code: DType) -> Result<Graph, BuildError> {
    let per = 8 / code.bits() as usize;
    let mut b = Builder::new("product");
    let whole: Vec<Dim> = [n, blocks, run, per].map(Dim::from).to_vec();
    let rows = Dim::symbol("M");
    let x = b.input("x", TensorType::new(DType::F32, [rows.clone(), (blocks * run * per).into()]));
    let split = b.reshape(x, [vec![rows.clone()], whole[1..].to_vec()].concat())?;
    let weights = b.constant(bytes(vec![n, blocks, run, 1], 1))?;
    let apart = b.broadcast(weights, whole.clone())?;
    let distances = (0..per).map(|at| at as u8 * code.bits() as u8).collect();
    let distances = b.constant(Tensor::from_vec(vec![per], distances))?;
    let distances = b.broadcast(distances, whole.clone())?;
    let shifted = b.binary(BinaryKind::Shr, apart, distances)?;
    let codes = if per == 1 { b.emit(ops::Bitcast { to: code }, &[apart])? } else { b.cast(shifted, code)? };
    let number = b.cast(codes, DType::F32)?;
    let spread = |b: &mut Builder, value: Tensor| -> Result<ValueId, BuildError> {
        let value = b.constant(value)?;
        let value = b.cast(value, DType::F32)?;
        b.broadcast(value, whole.clone())
    };
    let zero = spread(&mut b, bytes(vec![n, blocks, 1, 1], 2))?;
    let scale = spread(&mut b, floats(vec![n, blocks, 1, 1], 3))?;
    let number = b.sub(number, zero)?;
    let weights = b.mul(number, scale)?;
    let contract = |first: usize| (first..first + 3).collect();
    let dot = Dot {
        lhs_batch: vec![],
        rhs_batch: vec![],
        lhs_contract: contract(1),
        rhs_contract: contract(1),
        out: DType::F32,
    };
    let y = b.emit(dot, &[split, weights])?;
    let bias = b.constant(floats(vec![n], 4))?;
    let y = b.add(y, bias)?;
    let y = b.unary(ops::UnaryKind::Abs, y)?;
    b.output("y", y);
    Ok(b.finish())
}

fn engine(graph: &Graph, target: Target, limits: Limits) -> Engine {
    let imported = Imported { graph: graph.clone(), ..Imported::default() };
    let options = Options { targets: vec![target], ..Options::default() };
    let compiled = driver::compile_imported(imported, Duration::ZERO, &options).unwrap();
    let report = format!("{:?}", compiled.report);
    assert!(report.contains("bits decoded"), "{report}");
    Engine::from_artifact_with(Arc::new(compiled.artifact), &Host::new(NonZeroUsize::new(2)), limits).unwrap()
}

fn check(sizes: Sizes, code: DType, target: &str) {
    let graph = product(sizes, code).unwrap();
    let target = if target == "host" { Target::host() } else { target.parse().unwrap() };
    let engine = engine(&graph, target, Limits::default());
    let k = sizes[1] * sizes[2] * (8 / code.bits() as usize);
    for rows in [1, 2, 3, 5, 14, 16, 17, 29] {
        let x = floats(vec![rows, k], 5);
        let expected = graph::evaluate(&graph, std::slice::from_ref(&x)).unwrap();
        let got = engine.run(&[x]).unwrap();
        let largest = expected[0].iter().map(|v| v.as_f64()).fold(0.0, f64::max);
        for (at, (a, b)) in got[0].iter().zip(expected[0].iter()).enumerate() {
            let off = (a.as_f64() - b.as_f64()).abs();
            assert!(off <= 1e-5 * largest, "{code}, {sizes:?}, {rows} rows, element {at}: {a:?}, not {b:?}");
        }
    }
}

#[test]
fn codes_of_all_widths_give_what_the_evaluator_gives() {
    for (code, run) in
        [(DType::U4, 16), (DType::I4, 64), (DType::U2, 32), (DType::I2, 8), (DType::U8, 32), (DType::I8, 16)]
    {
        check([333, 7, run], code, "host");
    }
}

#[test]
fn machines_with_shorter_vectors_have_no_tables() {
    check([333, 6, 16], DType::U4, "host:x86-64-v3");
    check([333, 6, 8], DType::I4, "host:x86-64-v3");
    check([150, 6, 32], DType::U8, "host:x86-64-v3");
}

#[test]
fn runs_of_bytes_that_fill_no_vector_are_taken_in_parts() {
    check([400, 9, 12], DType::U4, "host");
    check([400, 9, 4], DType::U4, "host");
}

/// The floats would take eight times the memory of the codes.
#[test]
fn weights_stay_packed() {
    let sizes = [4096, 16, 16];
    let packed: usize = sizes.iter().product();
    let graph = product(sizes, DType::U4).unwrap();
    // Scales, zero points and bias; a few panels of decoded columns for each of two threads; results.
    let common = 4096 * 16 * 5 + 4096 * 4;
    let panels = 2 * (4 * 32 * 512 * 4 + 8192);
    let limit = packed + common + panels + 17 * 4096 * 4 + (16 << 10);
    let engine = engine(&graph, Target::host(), Limits { memory: Some(limit), time: None });
    engine.run(&[floats(vec![1, 512], 1)]).unwrap();
    engine.run(&[floats(vec![17, 512], 1)]).unwrap();
    assert!(limit < 4 * packed);
    let stored: usize = engine.artifact().weights.iter().map(|weight| weight.data.len()).sum();
    assert!(stored < packed + common + 1024, "{stored} bytes are stored");
}
