//! Symbols, branches, loops and host operators, without kernels.

use super::*;
use artifact::{Condition, HostOp, Loop, Place, Scan, Step, WeightId};
use tensor::{DType, Scalar};

fn scalar(value: i64) -> Tensor {
    Tensor::scalar(DType::I64, Scalar::Int(value.into()))
}

fn flag(value: bool) -> Tensor {
    Tensor::from_bools(vec![], &[value])
}

/// A loop with everything absent.
fn bare(body: artifact::BlockId) -> Loop {
    Loop {
        max_trips: None,
        cond: None,
        iteration: None,
        index: None,
        body,
        cond_out: None,
        carried: vec![],
        rebind: vec![],
        scans: vec![],
        trips: None,
    }
}

#[test]
fn shapes_become_values_and_values_become_shapes() {
    // Input f32[N,M]; outputs: its shape, and itself as [count], where count is read back from a product of the shape.
    let mut b = ProgramBuilder::new();
    let m = Dim::symbol("M");
    let x = b.tensor(Place::Input(0), DType::F32, &[n(), m.clone()]);
    let shape = b.tensor(Place::Output(0), DType::I64, &[2.into()]);
    let count = b.tensor(Place::Arena, DType::I32, &[]);
    let flat = b.tensor(Place::Output(1), DType::F32, &[Dim::symbol("count")]);
    b.input("x", x);
    b.output("shape", shape);
    b.output("flat", flat);
    let [dn, dm, product] = [b.dim(&n()), b.dim(&m), b.dim(&(n() * m.clone()))];
    let symbol = b.symbol("count");
    b.push(Step::Dims { values: vec![dn, dm], out: shape });
    b.push(Step::Dims { values: vec![product], out: count });
    b.push(Step::Bind { input: count, symbols: vec![symbol] });
    b.push(Step::Copy { from: x, to: flat });
    let engine = engine(b);
    let out = run(&engine, &[Tensor::from_vec(vec![2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])]);
    assert_eq!(out[0].to_ints(), [2, 3]);
    assert_eq!(out[1], floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let empty = run(&engine, &[Tensor::from_vec(vec![0, 3], Vec::<f32>::new())]);
    assert_eq!((empty[0].to_ints(), empty[1].shape()), (vec![0, 3], &[0][..]));
}

#[test]
fn branches_choose_shapes_too() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let cond = b.tensor(Place::Input(1), DType::Bool, &[]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("K")]);
    b.input("x", x);
    b.input("cond", cond);
    b.output("y", y);
    let (half, k) = (n().floor_div(2.into()), b.symbol("K"));
    let (whole_dim, half_dim) = (b.dim(&n()), b.dim(&half));
    let buffer = b.program().views[x.idx()].buffer;
    let front = b.view(buffer, &0.into(), DType::F32, &[half]);
    let then = b.open();
    b.push(Step::Let { symbol: k, value: half_dim });
    b.push(Step::Copy { from: front, to: y });
    b.close();
    let otherwise = b.open();
    b.push(Step::Let { symbol: k, value: whole_dim });
    b.push(Step::Copy { from: x, to: y });
    b.close();
    b.push(Step::If { cond, then, otherwise });
    let engine = engine(b);
    let x = floats(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(run(&engine, &[x.clone(), flag(true)])[0], floats(&[1.0, 2.0]));
    assert_eq!(run(&engine, &[x.clone(), flag(false)])[0], x);
}

/// `for i in 0..trips { out = [i, old...]: appended to a growing list }`, with a scan of the iteration numbers.
#[test]
fn loops_carry_values_that_grow() {
    let mut b = ProgramBuilder::new();
    let len = Dim::symbol("len");
    let trips = b.tensor(Place::Input(0), DType::I64, &[]);
    let i = b.tensor(Place::Arena, DType::I64, &[]);
    let list = b.tensor(Place::Output(0), DType::I64, std::slice::from_ref(&len));
    let grown_buffer = b.buffer(&((len.clone() + 1.into()) * 8.into()), Place::Arena);
    let grown = b.view(grown_buffer, &0.into(), DType::I64, &[len.clone() + 1.into()]);
    let head = b.view(grown_buffer, &0.into(), DType::I64, std::slice::from_ref(&len));
    let tail = b.view(grown_buffer, &(len.clone() * 8.into()), DType::I64, &[]);
    let scanned = b.tensor(Place::Output(1), DType::I64, &[Dim::symbol("T")]);
    b.input("trips", trips);
    b.output("list", list);
    b.output("backwards", scanned);
    let (symbol, t) = (b.symbol("len"), b.symbol("T"));
    let [zero, next] = [b.dim(&0.into()), b.dim(&(len + 1.into()))];
    b.push(Step::Let { symbol, value: zero });
    let body = b.open();
    b.push(Step::Copy { from: list, to: head });
    b.push(Step::Copy { from: i, to: tail });
    b.close();
    b.push(Step::Loop(Loop {
        max_trips: Some(trips),
        iteration: Some(i),
        carried: vec![(grown, list)],
        rebind: vec![(symbol, next)],
        scans: vec![Scan { slice: i, out: scanned, reversed: true }],
        trips: Some(t),
        ..bare(body)
    }));
    let engine = engine(b);
    for trips in [0, 1, 5, 1000] {
        let out = run(&engine, &[scalar(trips)]);
        assert_eq!(out[0].to_ints(), (0..trips).collect::<Vec<_>>());
        assert_eq!(out[1].to_ints(), (0..trips).rev().collect::<Vec<_>>());
    }
    assert_eq!(run(&engine, &[scalar(-3)])[0].shape(), [0]);
}

#[test]
fn carried_values_swap_and_the_index_slices() {
    // Each trip: (a, b) = (b, a), and the row of x at the index is collected while the flag at the index is true.
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n(), 2.into()]);
    let flags = b.tensor(Place::Input(1), DType::Bool, &[n()]);
    b.input("x", x);
    b.input("flags", flags);
    let [p, q] = [0, 1].map(|idx| b.tensor(Place::Output(idx), DType::F32, &[]));
    let rows = b.tensor(Place::Output(2), DType::F32, &[Dim::symbol("T"), 2.into()]);
    b.output("p", p);
    b.output("q", q);
    b.output("rows", rows);
    let index = Dim::symbol("i");
    let (x_buffer, flags_buffer) = (b.program().views[x.idx()].buffer, b.program().views[flags.idx()].buffer);
    let row = b.view(x_buffer, &(index.clone() * 8.into()), DType::F32, &[2.into()]);
    let go = b.view(flags_buffer, &index, DType::Bool, &[]);
    let firsts = [0, 4].map(|offset| b.view(x_buffer, &offset.into(), DType::F32, &[]));
    b.push(Step::Copy { from: firsts[0], to: p });
    b.push(Step::Copy { from: firsts[1], to: q });
    let (i, t) = (b.symbol("i"), b.symbol("T"));
    let body = b.open();
    b.close();
    b.push(Step::Loop(Loop {
        index: Some(i),
        cond_out: Some(go),
        carried: vec![(p, q), (q, p)],
        scans: vec![Scan { slice: row, out: rows, reversed: false }],
        trips: Some(t),
        ..bare(body)
    }));
    let engine = engine(b);
    let x = Tensor::from_vec(vec![4, 2], (0..8).map(|v| v as f32).collect());
    let out = run(&engine, &[x.clone(), Tensor::from_bools(vec![4], &[true, true, false, true])]);
    assert_eq!(out[2], Tensor::from_vec(vec![3, 2], vec![0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0]));
    assert_eq!((out[0].get(0).as_f64(), out[1].get(0).as_f64()), (1.0, 0.0), "three swaps");
    // The condition never becomes false: the fifth row does not exist.
    fails(&engine, &[x, Tensor::from_bools(vec![4], &[true; 4])], "does not fit its");
}

#[test]
fn impossible_views_of_other_branches_do_no_harm() {
    // then: y = x[4..], otherwise: y = x. With 2 elements the first is impossible.
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let cond = b.tensor(Place::Input(1), DType::Bool, &[]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("K")]);
    b.input("x", x);
    b.input("cond", cond);
    b.output("y", y);
    let buffer = b.program().views[x.idx()].buffer;
    let rest = n() - 4.into();
    let tail = b.view(buffer, &16.into(), DType::F32, std::slice::from_ref(&rest));
    let (k, rest, all) = (b.symbol("K"), b.dim(&rest), b.dim(&n()));
    let [then, otherwise] = [(rest, tail), (all, x)].map(|(value, from)| {
        let block = b.open();
        b.push(Step::Let { symbol: k, value });
        b.push(Step::Copy { from, to: y });
        b.close();
        block
    });
    b.push(Step::If { cond, then, otherwise });
    let engine = engine(b);
    let (five, four, two) = (floats(&[1.0, 2.0, 3.0, 4.0, 5.0]), floats(&[1.0; 4]), floats(&[1.0; 2]));
    assert_eq!(run(&engine, &[five, flag(true)])[0], floats(&[5.0]));
    assert_eq!(run(&engine, &[four, flag(true)])[0], floats(&[]), "an empty view may start at the end");
    assert_eq!(run(&engine, &[two.clone(), flag(false)])[0], two);
    fails(&engine, &[two, flag(true)], "negative size: `N-4` = -2");
}

#[test]
fn host_operators_bind_their_sizes() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n(), 2.into()]);
    let found = b.tensor(Place::Output(0), DType::I64, &[2.into(), Dim::symbol("count")]);
    let values = b.tensor(Place::Output(1), DType::F32, &[n(), 1.into()]);
    let indices = b.tensor(Place::Output(2), DType::I64, &[n(), 1.into()]);
    b.input("x", x);
    b.output("found", found);
    b.output("values", values);
    b.output("indices", indices);
    let count = b.symbol("count");
    let node = b.node("/find");
    let host = |op, outputs, symbols| Step::Host { op, inputs: vec![x], outputs, symbols, nodes: vec![node] };
    b.push(host(HostOp::NonZero, vec![found], vec![count]));
    b.push(host(HostOp::TopK { axis: 1, largest: true, sorted: true }, vec![values, indices], vec![]));
    let engine = engine(b);
    let x = Tensor::from_vec(vec![2, 2], vec![0.0f32, 3.0, 2.0, 0.0]);
    let (out, profile) = engine.profile(&[x]).unwrap();
    assert_eq!(out[0], Tensor::from_vec(vec![2, 2], vec![0i64, 1, 1, 0]));
    assert_eq!(out[1].values::<f32>()[..], [3.0, 2.0]);
    assert_eq!(out[2].to_ints(), [1, 0]);
    assert_eq!(profile.steps.len(), 2);
    assert_eq!((profile.steps[0].name.as_str(), profile.steps[0].calls), ("nonzero", 1));
    assert_eq!(profile.steps[0].nodes, ["/find"]);
}

#[test]
fn facts_about_shapes_are_checked_while_running() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    b.input("x", x);
    let [dn, two, ten] = [b.dim(&n()), b.dim(&2.into()), b.dim(&10.into())];
    for (condition, message) in [
        (Condition::AtMost(dn, ten), "too many"),
        (Condition::MultipleOf(dn, two), "odd"),
        (Condition::Broadcasts(dn, two), "no broadcast"),
        (Condition::Equal(dn, two), "not two"),
    ] {
        b.push(Step::Check { condition, message: message.into() });
    }
    let engine = engine(b);
    let of = |n: usize| [floats(&vec![0.0; n])];
    assert!(run(&engine, &of(2)).is_empty());
    fails(&engine, &of(12), "too many (12 must be at most 10)");
    fails(&engine, &of(5), "odd (5 must be a multiple of 2)");
    fails(&engine, &of(4), "no broadcast (4 must be equal to (or 1, or beside a 1) 2)");
}

#[test]
fn bugs_of_the_compiler_are_errors() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("never")]);
    b.input("x", x);
    b.output("y", y);
    fails(&engine(b), &[floats(&[1.0])], "`never` has no value here (symbols: N = 1)");

    let mut b = ProgramBuilder::new();
    let w = b.tensor(Place::Weight(WeightId(0)), DType::F32, &[3.into()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[3.into()]);
    b.output("y", y);
    b.push(Step::Copy { from: w, to: y });
    let weights = vec![constant(&[0; 8], DType::F32)];
    let small = artifact(b.finish(), &any_host(), no_kernels(), vec![], weights);
    let engine = Engine::from_artifact(Arc::new(small), &host(1)).unwrap();
    fails(&engine, &[], "claims 12 bytes of 8");
}

#[test]
fn absurd_sizes_are_refused() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::I64, &[]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("size")]);
    b.input("x", x);
    b.output("y", y);
    let size = b.symbol("size");
    b.push(Step::Bind { input: x, symbols: vec![size] });
    let engine = engine(b);
    assert_eq!(run(&engine, &[scalar(3)])[0].shape(), [3]);
    fails(&engine, &[scalar(-1)], "negative size");
    fails(&engine, &[scalar(1 << 60)], "has no");
    fails(&engine, &[scalar(i64::MAX)], "overflow");
}
