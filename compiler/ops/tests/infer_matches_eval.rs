//! For random operands of every operator, the types that `infer` promises are those that `eval` delivers.

use ops::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tensor::{DType, Dim, Scalar, Symbol, Tensor, TensorType};

/// A small generator, seeded by the property test.
struct Dice(u64);

impl Dice {
    fn next(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next(from.len())]
    }

    fn flag(&mut self) -> bool {
        self.next(2) == 1
    }

    fn shape(&mut self, rank: usize, least: usize) -> Vec<usize> {
        (0..rank).map(|_| least + self.next(4)).collect()
    }

    fn tensor(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        Tensor::build(dtype, shape.to_vec(), |_| match dtype {
            DType::Bool => Scalar::Bool(self.flag()),
            _ if dtype.is_float() => Scalar::Float(self.next(17) as f64 / 4.0 - 2.0),
            _ => Scalar::Int(self.next(9) as i128 - 4),
        })
    }

    /// Valid indices into an axis, some of them from the end.
    fn indices(&mut self, shape: &[usize], size: usize) -> Tensor {
        let dtype = self.pick(&[DType::I32, DType::I64]);
        Tensor::build(dtype, shape.to_vec(), |_| Scalar::Int(self.next(2 * size) as i128 - size as i128))
    }

    fn dtype(&mut self, accepts: impl Fn(DType) -> bool) -> DType {
        let all: Vec<DType> = DType::ALL.into_iter().filter(|d| accepts(*d)).collect();
        self.pick(&all)
    }

    fn number(&mut self) -> DType {
        self.dtype(|d| BinaryKind::Add.accepts(d))
    }
}

fn dims(values: &[usize]) -> Vec<Dim> {
    values.iter().map(|v| Dim::from(*v)).collect()
}

/// A random use of an operator of this family; `None` for control flow, which has no meaning of its own.
fn sample(family: &str, dice: &mut Dice) -> Option<(Op, Vec<Tensor>)> {
    let d = dice;
    let rank = 1 + d.next(3);
    let shape = d.shape(rank, 1);
    let axis = d.next(rank);
    let any = d.dtype(|_| true);
    let count = String::from("count");
    Some(match family {
        "constant" => (Constant { value: Const(d.tensor(any, &shape)) }.into(), vec![]),
        "dims" => (Dims { values: dims(&shape) }.into(), vec![]),
        "bind" => {
            let x = d.tensor(DType::I64, &[2]);
            (Bind { symbols: vec!["a".into(), "b".into()] }.into(), vec![x])
        }
        "iota" => (Iota { dtype: d.number(), shape: dims(&shape), axis }.into(), vec![]),
        "unary" => {
            let kind = d.pick(UnaryKind::ALL);
            let dtype = d.dtype(|t| kind.accepts(t));
            (Unary { kind }.into(), vec![d.tensor(dtype, &shape)])
        }
        "binary" => {
            let kind = d.pick(BinaryKind::ALL);
            let dtype = d.dtype(|t| kind.accepts(t));
            (Binary { kind }.into(), vec![d.tensor(dtype, &shape), d.tensor(dtype, &shape)])
        }
        "compare" => {
            let dtype = d.dtype(|t| !t.is_tiny_float());
            let kind = d.pick(CompareKind::ALL);
            (Compare { kind }.into(), vec![d.tensor(dtype, &shape), d.tensor(dtype, &shape)])
        }
        "select" => {
            let inputs = vec![d.tensor(DType::Bool, &shape), d.tensor(any, &shape), d.tensor(any, &shape)];
            (Select {}.into(), inputs)
        }
        "cast" => {
            let to = d.dtype(|_| true);
            (Cast { to, saturate: d.flag() }.into(), vec![d.tensor(any, &shape)])
        }
        "bitcast" => {
            let from = d.dtype(|t| t != DType::Bool);
            let to = d.dtype(|t| t != DType::Bool && t.bits() == from.bits());
            (Bitcast { to }.into(), vec![d.tensor(from, &shape)])
        }
        "reshape" => {
            let mut to = shape.clone();
            to.reverse();
            to.insert(axis, 1);
            (Reshape { shape: dims(&to) }.into(), vec![d.tensor(any, &shape)])
        }
        "transpose" => {
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.rotate_left(axis);
            (Transpose { perm }.into(), vec![d.tensor(any, &shape)])
        }
        "broadcast" => {
            let mut to = shape.clone();
            to.insert(0, 2);
            let mut from = shape.clone();
            from[axis] = 1;
            (Broadcast { shape: dims(&to) }.into(), vec![d.tensor(any, &from)])
        }
        "slice" => {
            let sizes: Vec<usize> = shape.iter().map(|n| d.next(n + 1)).collect();
            let backwards: Vec<bool> = shape.iter().map(|_| d.flag()).collect();
            let starts: Vec<usize> = (0..rank).map(|a| if backwards[a] { shape[a] - 1 } else { 0 }).collect();
            let steps = backwards.iter().map(|b| if *b { -1 } else { 1 }).collect();
            (Slice { starts: dims(&starts), sizes: dims(&sizes), steps }.into(), vec![d.tensor(any, &shape)])
        }
        "pad" => {
            let mode = d.pick(PadMode::ALL);
            let low: Vec<usize> = shape.iter().map(|n| d.next(*n)).collect();
            let high: Vec<usize> = shape.iter().map(|n| d.next(*n)).collect();
            (Pad { low: dims(&low), high: dims(&high), mode }.into(), vec![d.tensor(any, &shape), d.tensor(any, &[])])
        }
        "concat" => {
            let mut other = shape.clone();
            other[axis] = d.next(4);
            (Concat { axis }.into(), vec![d.tensor(any, &shape), d.tensor(any, &other)])
        }
        "gather" => {
            let rank_of_indices = d.next(3);
            let to = d.shape(rank_of_indices, 0);
            (Gather { axis }.into(), vec![d.tensor(any, &shape), d.indices(&to, shape[axis])])
        }
        "gather-elements" | "scatter-elements" => {
            let mut to: Vec<usize> = shape.iter().map(|n| d.next(n + 1)).collect();
            to[axis] = d.next(5);
            let indices = d.indices(&to, shape[axis]);
            if family == "gather-elements" {
                return Some((GatherElements { axis }.into(), vec![d.tensor(any, &shape), indices]));
            }
            let (dtype, kind) = (d.number(), d.pick(ScatterKind::ALL));
            let inputs = vec![d.tensor(dtype, &shape), indices, d.tensor(dtype, &to)];
            (ScatterElements { axis, kind }.into(), inputs)
        }
        "gather-nd" => {
            let batch_dims = d.next(rank);
            let depth = d.next(rank - batch_dims + 1);
            let to = [&shape[..batch_dims], &[3, depth]].concat();
            (GatherNd { batch_dims }.into(), vec![d.tensor(any, &shape), d.indices(&to, 1)])
        }
        "scatter-nd" => {
            let depth = d.next(rank + 1);
            let (dtype, kind) = (d.number(), d.pick(ScatterKind::ALL));
            let updates = [&[3], &shape[depth..]].concat();
            (
                ScatterNd { kind }.into(),
                vec![d.tensor(dtype, &shape), d.indices(&[3, depth], 1), d.tensor(dtype, &updates)],
            )
        }
        "reduce" => {
            let axes = (0..rank).filter(|_| d.flag()).collect();
            let (dtype, kind) = (d.number(), d.pick(ReduceKind::ALL));
            (Reduce { kind, axes }.into(), vec![d.tensor(dtype, &shape)])
        }
        "arg-reduce" => {
            let op = ArgReduce { kind: d.pick(ArgKind::ALL), axis, last: d.flag() };
            (op.into(), vec![d.tensor(any, &shape)])
        }
        "cumulative" => {
            let op = Cumulative { kind: d.pick(CumKind::ALL), axis, exclusive: d.flag(), reverse: d.flag() };
            let dtype = d.number();
            (op.into(), vec![d.tensor(dtype, &shape)])
        }
        "dot" => {
            let [b, m, k, n] = [0; 4].map(|_| d.next(4));
            let dtype = d.number();
            let op = Dot {
                lhs_batch: vec![1],
                rhs_batch: vec![2],
                lhs_contract: vec![2],
                rhs_contract: vec![1],
                out: dtype,
            };
            (op.into(), vec![d.tensor(dtype, &[m, b, k]), d.tensor(dtype, &[n, k, b])])
        }
        "conv" => {
            let groups = 1 + d.next(2);
            let dtype = d.number();
            let op = Conv {
                strides: vec![1 + d.next(2); 2],
                pads_low: dims(&[d.next(3), d.next(3)]),
                pads_high: dims(&[d.next(3), d.next(3)]),
                dilations: vec![1 + d.next(2); 2],
                base_dilations: vec![1 + d.next(2); 2],
                groups,
                out: dtype,
            };
            let (n, h, w) = (d.next(3), 5 + d.next(3), 5 + d.next(3));
            (op.into(), vec![d.tensor(dtype, &[n, groups * 2, h, w]), d.tensor(dtype, &[groups * 3, 2, 2, 3])])
        }
        "pool" | "pool-arg-max" => {
            let (window, strides, dilations) = (vec![2, 3], vec![1 + d.next(2); 2], vec![1 + d.next(2); 2]);
            let pads_low = dims(&[d.next(3), d.next(3)]);
            let pads_high = dims(&[d.next(3), d.next(3)]);
            let (dtype, h, w) = (d.number(), 5 + d.next(3), 5 + d.next(3));
            let x = d.tensor(dtype, &[2, h, w]);
            if family == "pool" {
                let kind = d.pick(PoolKind::ALL);
                return Some((Pool { kind, window, strides, pads_low, pads_high, dilations }.into(), vec![x]));
            }
            let column_major = d.flag();
            (PoolArgMax { window, strides, pads_low, pads_high, dilations, column_major }.into(), vec![x])
        }
        "topk" => {
            let k = Dim::from(d.next(shape[axis] + 1));
            (TopK { axis, k, largest: d.flag() }.into(), vec![d.tensor(any, &shape)])
        }
        "nonzero" => (NonZero { count }.into(), vec![d.tensor(any, &shape)]),
        "unique" => {
            let axis = axis as i64 - i64::from(d.flag());
            (Unique { axis, sorted: d.flag(), count }.into(), vec![d.tensor(any, &shape)])
        }
        "non-max-suppression" => {
            let [batch, classes, n] = [0; 3].map(|_| d.next(4));
            let inputs = vec![
                d.tensor(DType::F32, &[batch, n, 4]),
                d.tensor(DType::F32, &[batch, classes, n]),
                d.tensor(DType::I64, &[]),
                d.tensor(DType::F32, &[]),
                d.tensor(DType::F32, &[]),
            ];
            (NonMaxSuppression { center_point: d.flag(), count }.into(), inputs)
        }
        "random" => {
            let (kind, dtype) = (d.pick(RandomKind::ALL), d.pick(&[DType::F16, DType::BF16, DType::F32, DType::F64]));
            (Random { kind, dtype, shape: dims(&shape), a: 0.0.into(), b: 1.0.into(), seed: 7 }.into(), vec![])
        }
        "if" | "loop" => return None,
        other => panic!("no sample of `{other}`"),
    })
}

/// The types with the symbols that results define given their actual values.
fn bound(types: &[TensorType], results: &[Tensor]) -> Vec<TensorType> {
    let mut sizes: BTreeMap<Symbol, Dim> = BTreeMap::new();
    for (ty, result) in types.iter().zip(results) {
        for (dim, size) in ty.shape.iter().zip(result.shape()) {
            if let Some(symbol) = dim.as_symbol() {
                sizes.entry(symbol.clone()).or_insert(Dim::from(*size));
            }
        }
    }
    let substituted = |ty: &TensorType| TensorType {
        dtype: ty.dtype,
        shape: ty.shape.iter().map(|d| d.substitute(&|s| sizes.get(s).cloned())).collect(),
    };
    types.iter().map(substituted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn infer_matches_eval(seed: u64) {
        for family in Op::FAMILIES {
            let Some((op, inputs)) = sample(family, &mut Dice(seed)) else { continue };
            let types: Vec<TensorType> = inputs.iter().map(Tensor::ty).collect();
            let expected = op.infer(&types).map_err(|e| TestCaseError::fail(format!("{op:?}: {e}")))?;
            let results = op.eval(&inputs).map_err(|e| TestCaseError::fail(format!("{op:?}: {e}")))?;
            let actual: Vec<TensorType> = results.iter().map(Tensor::ty).collect();
            prop_assert_eq!(&bound(&expected, &results), &actual, "{:?} of {:?}", op, types);

            let attrs: Vec<_> = op.attrs().into_iter().map(|(n, a)| (n.to_string(), a)).collect();
            let again = Op::from_attrs(op.family(), &attrs).unwrap().unwrap();
            prop_assert_eq!(&again, &op);
            // Compared by bits: NaN is equal to itself.
            let again = again.eval(&inputs).unwrap();
            prop_assert!(again == results, "{:?} is not a function", op);
        }
    }
}
