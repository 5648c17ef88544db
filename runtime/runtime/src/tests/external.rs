//! Memory of the caller: on the host, and on a device with memory of its own.

use super::remote::{Remote, looks, program};
use super::*;
use crate::{Address, DeviceTensor, Input, Limits, Order, Output, RawEvent, RawStream, Room, TensorRef};
use artifact::{HostOp, Place, Step};
use std::sync::atomic::Ordering;
use tensor::DType;

fn remote() -> (Remote, Engine) {
    let device = Remote { can_record: true, ..Remote::default() };
    let engine = Engine::from_artifact(Arc::new(program(false)), &device).unwrap();
    (device, engine)
}

fn counted(len: usize) -> Tensor {
    Tensor::from_vec(vec![len], (0..len).map(|v| v as f32).collect())
}

/// `y = x` by way of a buffer, on the host.
fn copies() -> ProgramBuilder {
    let mut b = ProgramBuilder::new();
    let [x, t, y] = [Place::Input(0), Place::Arena, Place::Output(0)].map(|place| b.tensor(place, DType::F32, &[n()]));
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Copy { from: x, to: t });
    b.push(Step::Copy { from: t, to: y });
    b
}

fn refused(result: Result<impl std::fmt::Debug, Error>, expected: &str) {
    match result {
        Err(Error::Input(text)) => assert!(text.contains(expected), "{text}; expected: {expected}"),
        other => panic!("{other:?}; expected: {expected}"),
    }
}

/// The bytes of floats, and room for as many, both at a multiple of 8.
fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

#[test]
fn a_device_reads_and_writes_where_it_is_told_to() {
    let (device, engine) = remote();
    let x = engine.upload(&counted(5)).unwrap();
    let mut y = engine.empty(DType::F32, &[5]).unwrap();
    let mut shape = engine.empty(DType::I64, &[1]).unwrap();
    let before = device.counts.moved.load(Ordering::Relaxed);
    let order = Order::default();
    let produced = engine.run_on(&[(&x).into()], &[(&mut y).into(), (&mut shape).into()], &order).unwrap();
    assert_eq!(device.counts.moved.load(Ordering::Relaxed), before, "nothing went through the host");
    assert_eq!(produced.iter().map(|p| p.shape.clone()).collect::<Vec<_>>(), [vec![5], vec![1]]);
    assert!(produced.iter().all(|p| p.tensor.is_none()));
    assert_eq!(engine.download(&y.as_ref()).unwrap().values::<f32>().to_vec(), [1.0, 3.0, 5.0, 7.0, 9.0]);
    assert_eq!(engine.download(&shape.as_ref()).unwrap().to_ints(), [5]);
}

#[test]
fn tensors_of_the_host_and_new_memory_mix_with_the_callers() {
    let (_, engine) = remote();
    let mut y = engine.empty(DType::F32, &[3]).unwrap();
    let x = counted(3);
    let produced = engine.run_on(&[(&x).into()], &[Output::New, Output::New], &Order::default()).unwrap();
    let [sum, shape]: [DeviceTensor; 2] =
        produced.into_iter().map(|p| p.tensor.unwrap()).collect::<Vec<_>>().try_into().unwrap();
    engine.run_on(&[(&sum).into()], &[(&mut y).into(), Output::New], &Order::default()).unwrap();
    assert_eq!(engine.download(&y.as_ref()).unwrap().values::<f32>().to_vec(), [3.0, 7.0, 11.0]);
    assert_eq!((shape.shape(), engine.download(&shape.as_ref()).unwrap().to_ints()), ([1].as_slice(), vec![3]));
    // Runs as before are not disturbed.
    assert_eq!(run(&engine, &[x])[0].values::<f32>().to_vec(), [1.0, 3.0, 5.0]);
}

#[test]
fn records_are_for_places() {
    let (device, engine) = remote();
    let x = [3, 3].map(|len| engine.upload(&counted(len)).unwrap());
    let mut y = engine.empty(DType::F32, &[3]).unwrap();
    let mut shape = engine.empty(DType::I64, &[1]).unwrap();
    let mut captures = |idx: usize| {
        let order = Order::default();
        let outputs = [(&mut y).into(), (&mut shape).into()];
        engine.run_on(&[(&x[idx]).into()], &outputs, &order).unwrap();
        device.counts.captures.load(Ordering::Relaxed)
    };
    assert_eq!([0, 0, 1, 0, 1].map(&mut captures), [1, 1, 2, 2, 2]);
}

#[test]
fn bad_places_are_refused() {
    let (_, engine) = remote();
    let (_, other) = remote();
    let order = Order::default();
    let x = engine.upload(&counted(8)).unwrap();
    let mut y = engine.empty(DType::F32, &[8]).unwrap();
    // SAFETY: nothing runs on these.
    let at = |address: Address, len: usize| unsafe { TensorRef::new(DType::F32, vec![len], address) }.unwrap();
    // SAFETY: as above.
    let room = |address: Address, bytes: usize| Output::Into(unsafe { Room::new(address, bytes) });
    let x_at = x.address();

    let odd = "input `x` begins at ";
    refused(engine.run_on(&[at(x_at.offset(4), 4).into()], &[Output::New, Output::New], &order), odd);
    refused(engine.run_on(&[(&x).into()], &[room(y.address().offset(8), 32), Output::New], &order), "multiple of 16");
    refused(
        other.run_on(&[(&x).into()], &[Output::New, Output::New], &order),
        "input `x` is in the memory of another device",
    );
    refused(other.download(&x.as_ref()), "another device");
    let host = counted(8);
    let host = TensorRef::from_host(DType::F32, vec![8], host.bytes()).unwrap();
    refused(engine.run_on(&[host.into()], &[Output::New, Output::New], &order), "another device");

    let small = "output `y` takes 32 bytes, it was given 16";
    refused(engine.run_on(&[(&x).into()], &[room(y.address(), 16), Output::New], &order), small);
    refused(engine.run_on(&[(&x).into()], &[(&mut y).into()], &order), "1 places for outputs given, the model has 2");
    let over = "output `y` overlaps input `x`, which is read after the output is begun";
    refused(engine.run_on(&[(&x).into()], &[room(x_at.offset(16), 32), Output::New], &order), over);
    let twice = [room(y.address(), 32), room(y.address().offset(16), 16)];
    refused(engine.run_on(&[(&x).into()], &twice, &order), "output `shape` overlaps output `y`");
    let typed = [engine.upload(&Tensor::from_vec(vec![1], vec![1i64])).unwrap()];
    refused(engine.run_on(&[(&typed[0]).into()], &[Output::New, Output::New], &order), "got i64[1], the model takes x");
}

#[test]
fn an_output_may_lie_where_an_input_was() {
    let engine = engine(copies());
    let mut memory = bytes(&[1.0, 2.0, 3.0, 4.0]);
    let at = Address::new(memory.as_mut_ptr() as u64);
    // SAFETY: the input has been copied when the output is begun, and the memory lives on.
    let (x, y) = unsafe { (TensorRef::new(DType::F32, vec![3], at).unwrap(), Room::new(at.offset(4), 12)) };
    engine.run_on(&[x.into()], &[y.into()], &Order::default()).unwrap();
    assert_eq!(memory, bytes(&[1.0, 1.0, 2.0, 3.0]));
}

#[test]
fn the_host_has_the_same_interface() {
    let engine = engine(copies());
    let x = bytes(&[1.0, 2.0, 3.0]);
    let mut y = vec![0; 20];
    let input = TensorRef::from_host(DType::F32, vec![3], &x).unwrap();
    let produced =
        engine.run_on(&[input.clone().into()], &[Room::from_host(&mut y).into()], &Order::default()).unwrap();
    assert_eq!((&y[..12], &y[12..], &produced[0].shape[..]), (&x[..], &[0; 8][..], &[3][..]));
    let new = engine.run_on(&[input.clone().into()], &[Output::New], &Order::default()).unwrap();
    assert_eq!(engine.download(&new[0].tensor.as_ref().unwrap().as_ref()).unwrap().bytes(), &x);
    // SAFETY: on the host everything is done when it returns.
    let (produced, ticket) = unsafe { engine.enqueue(&[input.into()], &[Output::New], &Order::default()) }.unwrap();
    assert!(ticket.is_done().unwrap() && ticket.event().is_none());
    ticket.wait().unwrap();
    assert!(produced[0].tensor.is_some());

    let short = TensorRef::from_host(DType::F32, vec![4], &x).err().unwrap().to_string();
    assert!(short.contains("12 bytes do not fill"), "{short}");
}

#[test]
fn what_the_host_has_not_is_refused() {
    let engine = engine(copies());
    let x = counted(2);
    // SAFETY: both are refused before they are used.
    let (stream, event) = unsafe { (RawStream::new(7), RawEvent::new(9)) };
    for (order, what) in [
        (Order { stream: Some(stream), ..Order::default() }, "streams of the caller"),
        (Order { after: vec![event], ..Order::default() }, "events of the caller"),
    ] {
        let error = engine.run_on(&[(&x).into()], &[Output::New], &order).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn rooms_for_sizes_that_data_decides() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let count = b.symbol("count");
    let y = b.tensor(Place::Output(0), DType::I64, &[1.into(), Dim::symbol("count")]);
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Host { op: HostOp::NonZero, inputs: vec![x], outputs: vec![y], symbols: vec![count], nodes: vec![] });
    let engine = engine(b);
    let x = floats(&[0.0, 5.0, 0.0, 7.0]);
    let shapes = engine.output_shapes(&[(DType::F32, &[4])]).unwrap();
    assert_eq!(shapes, [None]);
    let mut room = engine.empty(DType::I64, &[4]).unwrap();
    let produced = engine.run_on(&[(&x).into()], &[(&mut room).into()], &Order::default()).unwrap();
    assert_eq!(produced[0].shape, [1, 2]);
    assert_eq!(engine.download(&room.as_ref()).unwrap().to_ints()[..2], [1, 3]);
    let mut small = engine.empty(DType::I64, &[1]).unwrap();
    refused(
        engine.run_on(&[(&x).into()], &[(&mut small).into()], &Order::default()),
        "output `y` takes 16 bytes, it was given 8",
    );
    let new = engine.run_on(&[(&x).into()], &[Output::New], &Order::default()).unwrap();
    assert_eq!(new[0].tensor.as_ref().unwrap().shape(), [1, 2]);
}

#[test]
fn shapes_are_known_before_a_run() {
    let (_, engine) = remote();
    assert_eq!(engine.output_shapes(&[(DType::F32, &[7])]).unwrap(), [Some(vec![7]), Some(vec![1])]);
    refused(engine.output_shapes(&[(DType::F32, &[7, 1])]), "got f32[7,1]");
}

#[test]
fn indices_in_a_devices_memory_are_looked_at_unless_trusted() {
    for computed in [false, true] {
        let device = Remote { can_record: true, ..Remote::default() };
        let engine = Engine::from_artifact(Arc::new(looks(computed, false)), &device).unwrap();
        let bad = engine.upload(&Tensor::from_vec(vec![3], vec![0i64, 9, 0])).unwrap();
        let fault = engine.run_on(&[(&bad).into()], &[Output::New], &Order::default()).unwrap_err();
        assert!(fault.to_string().contains("node: index 9 (element [1] of the indices)"), "{fault}");
        let before = device.counts.moved.load(Ordering::Relaxed);
        let order = Order { trusts_indices: true, ..Order::default() };
        engine.run_on(&[(&bad).into()], &[Output::New], &order).unwrap();
        assert_eq!(device.counts.moved.load(Ordering::Relaxed), before, "nothing is read back");
    }
}

#[test]
fn memory_of_the_caller_does_not_count() {
    let artifact = artifact(copies().finish(), &any_host(), no_kernels(), vec![], vec![]);
    let limits = Limits { memory: Some(64), time: None };
    let engine = Engine::from_artifact_with(Arc::new(artifact), &host(1), limits).unwrap();
    let x = counted(16);
    assert!(matches!(engine.run(std::slice::from_ref(&x)), Err(Error::Limit(_))), "arena and output");
    let mut y = [0; 64];
    engine.run_on(&[Input::Host(&x)], &[Room::from_host(&mut y).into()], &Order::default()).unwrap();
    assert_eq!(&y[..], &x.bytes()[..]);
}
