//! Graphs as linalg, lowered by MLIR's stock passes, give what the reference evaluator gives.
//!
//! The two share nothing but the graph: one walks it with the meaning of each operator in `ops`, the other compiles text
//! that says each operator in MLIR's operations.

mod cases;

use cases::{CASES, Case};
use codegen::HostTarget;
use graph::Graph;
use linalg_road::{Recipe, compile};
use runtime::{Engine, Host};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tenfold_dialect::linalg::Functions;
use tensor::{DType, Scalar, Symbol, Tensor};

/// Numbers from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Few different integers, with the extremes among them: so that equal ones, zeros and overflows occur.
    fn int(&mut self, dtype: DType, most: i128) -> i128 {
        let (low, high) = dtype.int_range().unwrap_or((0, 1));
        match self.next() % 16 {
            0 if most == i128::MAX => low,
            1 if most == i128::MAX => high,
            _ => (i128::from(self.next() % 19) - 9).clamp(low, high).clamp(-most, most - 1),
        }
    }

    fn float(&mut self, case: &Case) -> f64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let (low, high) = case.range;
        let odd = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5, -2.5, 3.0];
        match self.next() % 24 {
            n if case.odd && n < 8 => odd[n as usize],
            _ => low + (high - low) * uniform,
        }
    }

    fn tensor(&mut self, case: &Case, dtype: DType, shape: Vec<usize>) -> Tensor {
        Tensor::build(dtype, shape, |_| match dtype {
            DType::Bool => Scalar::Bool(self.next() & 1 == 1),
            _ if dtype.is_float() => Scalar::Float(self.float(case)),
            _ => Scalar::Int(self.int(dtype, case.most)),
        })
    }
}

fn inputs(case: &Case, graph: &Graph, seed: u64) -> Vec<Tensor> {
    let mut numbers = Numbers(seed);
    let size = |symbol: &Symbol| case.sizes.iter().find(|(name, _)| *name == symbol.name()).map(|(_, n)| *n);
    let each = graph.inputs.iter().map(|port| {
        let ty = graph.ty(port.value);
        let shape = ty.shape.iter().map(|dim| dim.eval(&size).unwrap_or(3) as usize);
        let shape: Vec<usize> = shape.collect();
        if port.name.starts_with("n_") {
            // An input that says a size.
            return Tensor::full(ty.dtype, shape, Scalar::Int(size(&Symbol::new(&port.name[2..])).unwrap_or(3).into()));
        }
        numbers.tensor(case, ty.dtype, shape)
    });
    each.collect()
}

/// Equal integers; floats within a few units in the last place of sums and functions.
fn agree(case: &Case, a: Scalar, b: Scalar, dtype: DType) -> bool {
    let (Scalar::Float(a), Scalar::Float(b)) = (a, b) else { return a == b };
    let (fraction, slack) = match dtype {
        DType::F16 => (2f64.powi(-10), case.slack),
        DType::BF16 => (2f64.powi(-7), case.slack),
        DType::F64 => (2f64.powi(-52), case.slack),
        _ => (2f64.powi(-23), case.slack),
    };
    let allowed = fraction * slack * b.abs().max(case.scale);
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= allowed
}

fn check(case: &Case, functions: Functions) {
    let graph = graph::parse(case.graph, "case").unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let host = HostTarget::native();
    let compiled = compile(&graph, functions, Recipe::Loops, &host, 1 << 24);
    let compiled = compiled.unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let engine = Engine::from_artifact(Arc::new(compiled.artifact), &Host::new(NonZeroUsize::new(1))).unwrap();
    for seed in 0..3 {
        let inputs = inputs(case, &graph, seed);
        let expected = graph::evaluate(&graph, &inputs).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        let given = engine.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        for ((port, given), expected) in graph.outputs.iter().zip(&given).zip(&expected) {
            assert_eq!(given.shape(), expected.shape(), "{} {}", case.name, port.name);
            for (at, (a, b)) in given.iter().zip(expected.iter()).enumerate() {
                let read: Vec<Scalar> =
                    inputs.iter().filter(|x| x.shape() == given.shape()).map(|x| x.get(at)).collect();
                let place = format!("{} {}[{at}] of {read:?}", case.name, port.name);
                assert!(agree(case, a, b, given.dtype()), "{place}: linalg {a:?}, evaluator {b:?}");
            }
        }
    }
}

fn check_family(family: &str, functions: Functions) {
    let mut count = 0;
    for case in CASES.iter().filter(|case| case.name.starts_with(family)) {
        check(case, functions);
        count += 1;
    }
    assert!(count > 0, "no case of {family}");
}

macro_rules! families {
    ($($name:ident $family:literal;)*) => {
        $(#[test] fn $name() { check_family($family, Functions::Math); })*

        #[test]
        fn every_case_belongs_to_a_family() {
            for case in CASES {
                assert!([$($family),*].iter().any(|family| case.name.starts_with(family)), "{}", case.name);
            }
        }
    };
}

families! {
    elementwise_floats "float";
    elementwise_halves "half";
    elementwise_integers "int";
    casts "cast";
    constants_and_counts "constant";
    views "view";
    padding "pad";
    gathers "gather";
    reductions "reduce";
    contractions "dot";
    convolutions "conv";
    pooling "pool";
    whole_graphs "graph";
}

/// The polynomials of our kernels, in linalg's clothes.
#[test]
fn written_functions() {
    check_family("float", Functions::Written);
    check_family("graph", Functions::Written);
}
