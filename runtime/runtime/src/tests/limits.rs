//! Limits of memory and time, ranges of symbols, and values that a run must be given.

use super::*;
use crate::Limits;
use artifact::{HostOp, Loop, Place, Scan, Step, SymbolRange, WeightId};
use std::time::Duration;
use tensor::{DType, Dim, Scalar};

fn limited(program: ProgramBuilder, weights: Vec<Weight>, limits: Limits) -> Result<Engine, Error> {
    let artifact = artifact(program.finish(), &any_host(), no_kernels(), vec![], weights);
    Engine::from_artifact_with(Arc::new(artifact), &host(1), limits)
}

fn memory(bytes: usize) -> Limits {
    Limits { memory: Some(bytes), time: None }
}

fn time(limit: Duration) -> Limits {
    Limits { memory: None, time: Some(limit) }
}

#[track_caller]
fn passes_limit(result: Result<Vec<Tensor>, Error>, expected: &str) {
    match result {
        Err(Error::Limit(text)) => assert!(text.contains(expected), "{text}; expected: {expected}"),
        other => panic!("{other:?}; expected: {expected}"),
    }
}

/// `y = x`, by way of a buffer: 128 bytes of weights, and for 16 elements 64 bytes of arena and as many of output.
fn through_a_buffer() -> ProgramBuilder {
    let mut b = ProgramBuilder::new();
    let [x, t, y] = [Place::Input(0), Place::Arena, Place::Output(0)].map(|place| b.tensor(place, DType::F32, &[n()]));
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Copy { from: x, to: t });
    b.push(Step::Copy { from: t, to: y });
    b
}

fn weight() -> Vec<Weight> {
    vec![Weight { name: "w".into(), dtype: DType::F32, data: Bytes::from(vec![0; 128]) }]
}

#[test]
fn planned_memory_is_refused_before_the_run() {
    let x = floats(&[1.0; 16]);
    let engine = limited(through_a_buffer(), weight(), memory(256)).unwrap();
    let parts = "the run needs 384 bytes of memory (weights 128 bytes, arena 128 bytes, outputs 128 bytes, scratch 0 bytes), 128 bytes \
                 more than the limit of 256 bytes";
    passes_limit(engine.run(&[floats(&[1.0; 17])]), parts);
    assert_eq!(run(&engine, std::slice::from_ref(&x))[0], x, "another run of the engine fits exactly");
    let short = limited(through_a_buffer(), weight(), memory(255)).unwrap();
    passes_limit(short.run(&[x]), "1 bytes more than the limit of 255 bytes");
    let error = limited(through_a_buffer(), weight(), memory(127)).err().unwrap();
    assert!(matches!(&error, Error::Limit(text) if text.contains("the weights alone")), "{error}");
}

#[test]
fn sizes_beyond_any_memory_are_refused_and_not_added_up_wrongly() {
    let mut b = ProgramBuilder::new();
    let shape = [n() * (1 << 30).into(), n() * (1 << 30).into()];
    let [x, t] = [b.tensor(Place::Input(0), DType::U8, &[n()]), b.tensor(Place::Arena, DType::U8, &shape)];
    let y = b.tensor(Place::Output(0), DType::U8, &shape);
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Copy { from: t, to: y });
    let engine = limited(b, vec![], memory(1 << 30)).unwrap();
    let x = Tensor::full(DType::U8, vec![2], Scalar::Int(0));
    passes_limit(engine.run(&[x]), "more than the limit of 1024.0 MiB");
}

#[test]
fn buffers_that_data_sizes_count_when_they_are_needed() {
    let build = || {
        let mut b = ProgramBuilder::new();
        let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
        let found = b.tensor(Place::Output(0), DType::I64, &[1.into(), Dim::symbol("count")]);
        b.input("x", x);
        b.output("found", found);
        let symbols = vec![b.symbol("count")];
        b.push(Step::Host { op: HostOp::NonZero, inputs: vec![x], outputs: vec![found], symbols, nodes: vec![] });
        b
    };
    let engine = limited(build(), vec![], memory(256)).unwrap();
    let ones = |n: usize| floats(&[&vec![1.0; n][..], &vec![0.0; 100 - n]].concat());
    assert_eq!(engine.run(&[ones(32)]).unwrap()[0].shape(), [1, 32]);
    passes_limit(engine.run(&[ones(33)]), "some sizes depend on data");
    assert!(limited(build(), vec![], Limits::default()).unwrap().run(&[ones(100)]).is_ok());
}

/// `y[trips, N]`: the input again and again, as long as `trips` says and `go_on` is true.
fn repeated() -> ProgramBuilder {
    let mut b = ProgramBuilder::new();
    let trips = b.tensor(Place::Input(0), DType::I64, &[]);
    let x = b.tensor(Place::Input(1), DType::F32, &[n()]);
    let slice = b.tensor(Place::Arena, DType::F32, &[n()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("T"), n()]);
    b.input("trips", trips);
    b.input("x", x);
    b.output("y", y);
    let count = b.symbol("T");
    let body = b.open();
    b.push(Step::Copy { from: x, to: slice });
    b.close();
    b.push(Step::Loop(Loop {
        max_trips: Some(trips),
        cond: None,
        iteration: None,
        index: None,
        body,
        cond_out: None,
        carried: vec![],
        rebind: vec![],
        scans: vec![Scan { slice, out: y, reversed: false }],
        trips: Some(count),
    }));
    b
}

#[test]
fn what_loops_collect_counts() {
    let x = floats(&[1.0; 1024]);
    let inputs = |trips: i64| [Tensor::scalar(DType::I64, Scalar::Int(trips.into())), x.clone()];
    let engine = limited(repeated(), vec![], memory(100 << 10)).unwrap();
    assert_eq!(engine.run(&inputs(4)).unwrap()[0].shape(), [4, 1024]);
    passes_limit(engine.run(&inputs(1000)), "more than the limit of 100.0 KiB");
    assert!(engine.run(&inputs(4)).is_ok(), "what an earlier run held does not count");
}

#[test]
fn a_loop_without_an_end_is_ended() {
    let engine = limited(repeated(), vec![], time(Duration::from_millis(50))).unwrap();
    let inputs = |trips: i64| [Tensor::scalar(DType::I64, Scalar::Int(trips.into())), floats(&[])];
    passes_limit(engine.run(&inputs(i64::MAX)), "the run took longer than its limit of 0.050 s");
    assert!(engine.run(&inputs(2)).is_ok(), "each run has its own time");
    let never = limited(through_a_buffer(), vec![], time(Duration::ZERO)).unwrap();
    passes_limit(never.run(&[floats(&[1.0])]), "limit of 0.000 s");
    assert!(limited(through_a_buffer(), vec![], time(Duration::MAX)).unwrap().run(&[floats(&[1.0])]).is_ok());
}

#[test]
fn symbols_stay_in_their_ranges() {
    let engine = |low: i64, high: Option<i64>, is_assumed: bool| {
        let program = through_a_buffer().finish();
        let mut artifact = artifact(program, &any_host(), no_kernels(), vec![], vec![]);
        let range = SymbolRange { symbol: "N".into(), name: "batch size".into(), low, high, is_assumed };
        artifact.manifest.ranges.push(range);
        Engine::from_artifact(Arc::new(artifact), &host(1))
    };
    let told = engine(2, Some(3), false).unwrap();
    assert!(told.run(&[floats(&[0.0; 2])]).is_ok() && told.run(&[floats(&[0.0; 3])]).is_ok());
    for n in [0, 1, 4] {
        let text = format!("dimension `batch size`: input `x`, axis 0 is {n}, but the model was compiled for 2..3");
        fails(&told, &[floats(&vec![0.0; n])], &text);
    }
    let assumed = engine(1, None, true).unwrap();
    assert!(assumed.run(&[floats(&[0.0; 70])]).is_ok());
    fails(
        &assumed,
        &[floats(&[])],
        "compiled for 1.., because nothing was said of it; compile it with a range that has 0",
    );
    assert!(engine(3, Some(2), false).err().unwrap().to_string().contains("range 3..2"));
}

/// `y = x`, if the input `w` has the value of the weight.
fn expecting(dtype: DType, shape: &[Dim]) -> ProgramBuilder {
    let mut b = ProgramBuilder::new();
    let w = b.tensor(Place::Input(0), dtype, shape);
    let expected = b.tensor(Place::Weight(WeightId(0)), dtype, &[3.into()]);
    b.input("w", w);
    b.push(Step::Expect { given: w, expected, message: "input `w` differs".into() });
    b
}

#[test]
fn expected_values_are_compared_bit_by_bit() {
    let three = |values: [f32; 3]| floats(&values);
    let engine = |expected: &Tensor, shape: &[Dim]| {
        let data = Weight { name: "w".into(), dtype: expected.dtype(), data: expected.bytes().clone() };
        limited(expecting(expected.dtype(), shape), vec![data], Limits::default()).unwrap()
    };
    let other_nan = f32::from_bits(f32::NAN.to_bits() | 1);
    let floating = engine(&three([1.0, f32::NAN, 0.0]), &[3.into()]);
    assert!(floating.run(&[three([1.0, other_nan, 0.0])]).is_ok(), "all NaNs are the same");
    fails(&floating, &[three([1.0, f32::NAN, -0.0])], "input `w` differs: element 2 of f32[3] is -0.0, not 0.0");
    fails(&floating, &[three([1.5, 0.0, 0.0])], "element 0 of f32[3] is 1.5, not 1.0");
    fails(&floating, &[three([1.0, 2.0, 0.0])], "element 1 of f32[3] is 2.0, not NaN");
    let truth = engine(&Tensor::from_bools(vec![3], &[true, false, true]), &[3.into()]);
    assert!(truth.run(&[Tensor::from_bools(vec![3], &[true, false, true])]).is_ok());
    fails(&truth, &[Tensor::from_bools(vec![3], &[true, true, true])], "element 1 of bool[3] is true, not false");
    let symbolic = engine(&Tensor::from_vec(vec![3], vec![1i64, 2, 3]), &[n()]);
    assert!(symbolic.run(&[Tensor::from_vec(vec![3], vec![1i64, 2, 3])]).is_ok());
    fails(&symbolic, &[Tensor::from_vec(vec![2], vec![1i64, 2])], "input `w` differs: it is i64[2], not i64[3]");
}
