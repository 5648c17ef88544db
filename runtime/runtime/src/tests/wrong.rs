//! Inputs that do not fit the model.

use super::*;
use artifact::{Place, Step};
use tensor::{DType, Dim};

/// `y: f32[N,2] = x`, beside `z: f32[2*N, M]` and `w: i64[M]`.
fn three_inputs() -> Engine {
    let mut b = ProgramBuilder::new();
    let m = Dim::symbol("M");
    let x = b.tensor(Place::Input(0), DType::F32, &[n(), 2.into()]);
    let z = b.tensor(Place::Input(1), DType::F32, &[n() * 2.into(), m.clone()]);
    let w = b.tensor(Place::Input(2), DType::I64, &[m]);
    let y = b.tensor(Place::Output(0), DType::F32, &[n(), 2.into()]);
    b.input("x", x);
    b.input("z", z);
    b.input("w", w);
    b.output("y", y);
    b.push(Step::Copy { from: x, to: y });
    engine(b)
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::full(DType::F32, shape.to_vec(), tensor::Scalar::Float(0.0))
}

fn ints(len: usize) -> Tensor {
    Tensor::full(DType::I64, vec![len], tensor::Scalar::Int(0))
}

#[test]
fn each_mistake_is_named() {
    let engine = three_inputs();
    let good = [zeros(&[3, 2]), zeros(&[6, 4]), ints(4)];
    assert_eq!(run(&engine, &good)[0], good[0]);
    fails(&engine, &good[..2], "2 inputs given, the model takes 3: `x`, `z`, `w`");
    let with = |at: usize, tensor: Tensor| {
        let mut inputs = good.clone();
        inputs[at] = tensor;
        inputs
    };
    fails(&engine, &with(2, zeros(&[4])), "input `w`: got f32[4], the model takes w: i64[M]");
    fails(&engine, &with(0, zeros(&[3])), "input `x`: got f32[3], the model takes x: f32[N,2]");
    fails(&engine, &with(0, zeros(&[3, 5])), "input `x`: axis 1 is 5, it must be 2");
    fails(&engine, &with(1, zeros(&[5, 4])), "input `z`: axis 0 is 5, it must be 2*N = 6");
    fails(&engine, &with(2, ints(7)), "input `w`: axis 0 (`M`) is 7, but input `z`, axis 1 says 4");
}

#[test]
fn inputs_by_name() {
    let engine = three_inputs();
    let named = [("w", ints(4)), ("z", zeros(&[6, 4])), ("x", zeros(&[3, 2]))];
    let outputs = engine.run_named(&named).unwrap();
    assert_eq!((outputs.len(), outputs[0].0.as_str()), (1, "y"));
    let error = |inputs: &[(&str, Tensor)]| engine.run_named(inputs).unwrap_err().to_string();
    assert!(error(&named[..2]).contains("missing inputs: x"));
    assert!(error(&[("v", ints(1))]).contains("no input `v`; it takes x, z, w"));
    assert!(error(&[("w", ints(4)), ("w", ints(4))]).contains("given twice"));
}

#[test]
fn misaligned_inputs_are_copied() {
    let engine = three_inputs();
    let bytes: Vec<u8> = (0..33).collect();
    let start = if (bytes.as_ptr() as usize).is_multiple_of(2) { 1 } else { 0 };
    let shifted = Bytes::from(bytes).slice(start..start + 32);
    let x = Tensor::from_bytes(DType::F32, vec![4, 2], shifted).unwrap();
    assert_eq!(run(&engine, &[x.clone(), zeros(&[8, 4]), ints(4)])[0], x);
}

#[test]
fn artifacts_from_files_and_bytes() {
    let engine = three_inputs();
    let bytes = engine.artifact().encode().unwrap();
    let again = Engine::from_bytes(Bytes::from(bytes.clone()), &host(1)).unwrap();
    assert_eq!(again.inputs(), engine.inputs());
    assert!(Engine::from_bytes(Bytes::from(bytes[..100].to_vec()), &host(1)).is_err());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.tenfold");
    engine.artifact().write(&path).unwrap();
    assert_eq!(Engine::load(&path, &host(1)).unwrap().target(), any_host());
    assert!(Engine::load(&folder.path().join("none"), &host(1)).err().unwrap().to_string().contains("cannot read"));
}
