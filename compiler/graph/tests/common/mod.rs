//! Random graphs, for the tests of this crate and of others.
#![allow(unreachable_pub, reason = "each test binary has its own copy")]

use graph::{Builder, Graph, ValueId};
use ops::{BinaryKind, CompareKind, ReduceKind, UnaryKind};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

/// Picks from small ranges, by the numbers that the property test gives.
struct Choices<'a> {
    numbers: &'a [u16],
    at: usize,
}

impl Choices<'_> {
    fn next(&mut self, n: usize) -> usize {
        self.at += 1;
        usize::from(self.numbers[self.at % self.numbers.len()]) % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next(from.len())]
    }
}

/// Adds a random node on random operands; `None` where they do not fit.
fn step(b: &mut Builder, c: &mut Choices, values: &[ValueId]) -> Option<Vec<ValueId>> {
    let (x, y) = (c.pick(values), c.pick(values));
    let rank = b.rank(x);
    let axis = c.next(rank.max(1));
    let shape = b.shape(x).to_vec();
    let one = |value: Result<ValueId, graph::BuildError>| value.ok().map(|v| vec![v]);
    match c.next(12) {
        0 => one(b.emit(ops::Unary { kind: c.pick(UnaryKind::ALL) }, &[x])),
        1 | 2 => one(b.binary(c.pick(BinaryKind::ALL), x, y)),
        3 => one(b.compare(c.pick(CompareKind::ALL), x, y)),
        4 => one(b.reduce(c.pick(ReduceKind::ALL), x, &[axis][..rank.min(1)], c.next(2) == 0)),
        5 => one(b.transpose(x, (0..rank).rev().collect())),
        6 => one(b.reshape(x, [&shape[..], &[Dim::from(1)]].concat())),
        7 => one(b.broadcast(x, [&[Dim::from(2)], &shape[..]].concat())),
        8 => one(b.emit(ops::Concat { axis }, &[x, x])),
        9 => one(b.emit(ops::Cast { to: c.pick(&[DType::F32, DType::I64, DType::F16]), saturate: true }, &[x])),
        10 => {
            let count = b.fresh_symbol("count");
            one(b.emit(ops::NonZero { count }, &[x]))
        }
        _ => {
            let most = |ty: &TensorType| ty.shape.iter().all(|d| d.as_const().is_none_or(|d| d < 64));
            let dtype = b.dtype(x);
            let condition = b.constant(Tensor::from_bools(vec![], &[c.next(2) == 0])).ok()?;
            let region = |name: &str, negate: bool| {
                let mut r = Builder::new(name);
                let p = r.input("p", TensorType { dtype, shape: shape.clone() });
                let kind = if negate { UnaryKind::Neg } else { UnaryKind::Abs };
                let q = r.emit(ops::Unary { kind }, &[p]).ok()?;
                r.output("q", q);
                Some(r.finish())
            };
            let regions = vec![region("then", true)?, region("else", false)?];
            let ty = b.ty(x).clone();
            most(&ty).then(|| b.emit_regions(ops::If { symbols: vec![] }, &[condition, x], regions, vec![ty]))
        }
    }
}

/// A graph that these numbers choose, with inputs `x: f32[N,2]` and `weird name: i64[2]`.
pub fn random_graph(numbers: &[u16]) -> Graph {
    let mut c = Choices { numbers, at: 0 };
    let mut b = Builder::new("random");
    let mut values = vec![
        b.input("x", TensorType::new(DType::F32, [Dim::symbol("N"), Dim::from(2)])),
        b.input("weird name", TensorType::new(DType::I64, [Dim::from(2)])),
    ];
    for at in 0..4 {
        let constant = Tensor::build(DType::F32, vec![2], |i| Scalar::Float((at * 2 + i) as f64 / 3.0));
        values.extend(b.constant(constant));
    }
    for at in 0..numbers.len() {
        let new = step(&mut b, &mut c, &values).unwrap_or_default();
        for value in new {
            if at % 3 == 0 {
                b.name_value(value, c.pick(&["a", "b", "layer/0", "12"]));
            }
            // Ranks and sizes stay small.
            if b.rank(value) < 5 {
                values.push(value);
            }
        }
    }
    for (idx, value) in values.iter().rev().take(4).enumerate() {
        b.output(&format!("y{idx}"), *value);
    }
    b.finish()
}
