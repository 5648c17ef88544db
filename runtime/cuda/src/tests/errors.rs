//! What goes wrong ends in an error, frees what it had, and leaves the process alive.

use super::*;
use crate::driver::Resources;
use runtime::{DeviceError, Error, Order};

fn load(fake: &Fake) -> Result<Engine, DeviceError> {
    Engine::from_artifact(artifact(false), &fake.device(90)).map_err(device_error)
}

fn device_error(error: Error) -> DeviceError {
    match error {
        Error::Device(error) => error,
        other => panic!("not an error of the device: {other}"),
    }
}

/// Loads, runs on tensors small and large, changes graphs, uses memory of the device, measures. Ends at the first error. The engines go
/// on, because the waits of their end have nobody to tell of a failure.
fn everything(fake: &Fake) -> Result<[Engine; 2], Error> {
    let device = fake.device(90);
    let engine = Engine::from_artifact(artifact(false), &device)?;
    for len in [40, 41, 42, 43, 44, 40, 600_000] {
        engine.run(&input(len))?;
    }
    let x = engine.upload(&input(8)[0])?;
    let outputs = || [runtime::Output::New, runtime::Output::New];
    let produced = engine.run_on(&[(&x).into()], &outputs(), &Order::default())?;
    engine.download(&produced[0].tensor.as_ref().unwrap().as_ref())?;
    engine.measure(&input(8), 1, 256)?;
    engine.profile(&input(8))?;
    // SAFETY: everything lives until the wait.
    let (_kept, ticket) = unsafe { engine.enqueue(&[(&x).into()], &outputs(), &Order::default()) }?;
    ticket.wait()?;
    let branching = Engine::from_artifact(artifact(true), &device)?;
    branching.run(&input(40))?;
    Ok([engine, branching])
}

/// How many calls can fail in [`everything`].
fn calls() -> usize {
    let fake = Fake::default();
    let engines = everything(&fake).unwrap();
    let asked = fake.asked();
    fake.finish();
    drop(engines);
    fake.assert_empty();
    asked
}

#[test]
fn each_call_may_fail_and_nothing_leaks() {
    let all = calls();
    assert!(all > 100, "{all}");
    for number in 0..all {
        let fake = Fake::default();
        fake.fail_at(number, "CUDA_ERROR_UNKNOWN");
        match everything(&fake) {
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with("cuda:1 (Test): "), "call {number}: {text}");
                assert!(text.contains("it failed (CUDA_ERROR_UNKNOWN)"), "call {number}: {text}");
            }
            // What a stream was asked to do was waited for before; its end waits once more.
            Ok(_) => {
                let calls = fake.take();
                let at = calls.iter().position(|call| call.ends_with(" fails")).unwrap();
                assert_eq!(
                    calls[at - 1..=at + 1],
                    ["wait", "wait fails", "destroy stream"],
                    "call {number}: {calls:?}"
                );
            }
        }
        fake.finish();
        fake.assert_empty();
    }
}

#[test]
fn after_a_fault_in_a_kernel_nothing_is_asked_any_more() {
    let mut lost = 0;
    for number in 0..calls() {
        let fake = Fake::default();
        // The fake panics if the lost device is called once more, also when engines are dropped.
        fake.fail_at(number, "CUDA_ERROR_ILLEGAL_ADDRESS");
        let Err(error) = everything(&fake).map_err(device_error) else { continue };
        let DeviceError::Lost { device, why } = &error else { panic!("call {number}: {error}") };
        assert_eq!(device, "cuda:1 (Test)");
        assert!(why.contains("(CUDA_ERROR_ILLEGAL_ADDRESS)") && why.contains("restart the process"), "{why}");
        lost += 1;
    }
    assert!(lost > 100, "{lost}");
}

#[test]
fn a_lost_device_says_so_and_can_be_opened_anew() {
    let fake = Fake::default();
    let device = fake.device(90);
    let engine = Engine::from_artifact(artifact(false), &device).unwrap();
    check(&engine, 8);
    fake.state().broken_kernels = Some("CUDA_ERROR_ILLEGAL_ADDRESS");
    let first = device_error(engine.run(&input(8)).unwrap_err());
    assert!(matches!(&first, DeviceError::Lost { .. }), "{first}");
    assert_eq!(device_error(engine.run(&input(9)).unwrap_err()), first, "what happened first is told again");
    let loading = Engine::from_artifact(artifact(false), &device).map(|_| ()).map_err(device_error);
    assert_eq!(loading, Err(first));
    drop(engine);

    fake.state().cannot_reopen = true;
    // SAFETY: the fake's device is ours alone.
    let refused = unsafe { device.reopen() }.map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cuda:1 (Test) is not available: it cannot be opened anew: no more (CUDA_ERROR_UNKNOWN)"
    );
    fake.state().cannot_reopen = false;
    // SAFETY: as above.
    let again = unsafe { device.reopen() }.unwrap();
    check(&Engine::from_artifact(artifact(false), &again).unwrap(), 8);
}

#[test]
fn memory_that_is_used_up_is_named_with_its_purpose() {
    let fake = Fake::default();
    fake.state().heap.limit = 100;
    let weights = load(&fake).map(|_| ()).unwrap_err();
    let text = "cuda:1 (Test) has no 256 bytes of memory left for the weights: 100 of its 100 bytes are free";
    assert_eq!(weights.to_string(), text);
    assert!(!fake.take().iter().any(|call| call.starts_with("module")), "before anything is given to the device");

    fake.state().heap.limit = 1000;
    let engine = load(&fake).unwrap();
    let arena = device_error(engine.run(&input(1000)).unwrap_err());
    let DeviceError::OutOfMemory { bytes, purpose, free, .. } = &arena else { panic!("{arena}") };
    assert!(*bytes >= 8000 && purpose == "the arena of a run" && *free == Some((744, 1000)), "{arena}");
    // The engine goes on with what fits.
    check(&engine, 8);
    drop(engine);
    fake.assert_empty();
}

#[test]
fn ptx_that_is_too_new_names_both_versions() {
    let fake = Fake::default();
    fake.state().refuses_ptx = Some("CUDA_ERROR_UNSUPPORTED_PTX_VERSION");
    let mut model = Arc::unwrap_or_clone(artifact(false));
    model.code = vec![Bytes::from_static(b"//\n.version 9.9\n.target sm_80\n")];
    let error = Engine::from_artifact(Arc::new(model), &fake.device(90)).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("the PTX is of version 9.9, and the driver, which is of CUDA 12.4, does not know that"),
        "{text}"
    );
    fake.assert_empty();
}

#[test]
fn kernels_beyond_the_chip_are_refused_when_loading() {
    let cases = [
        (
            Resources { registers: 32, threads: 1024, shared: 232_448 },
            "needs 232512 bytes of shared memory, the chip has 232448",
        ),
        (
            Resources { registers: 255, threads: 96, shared: 0 },
            "needs blocks of 128 threads; with its 255 registers a thread, the chip runs at most 96",
        ),
    ];
    for (resources, why) in cases {
        let fake = Fake::default();
        fake.state().resources = Some(resources);
        let error = load(&fake).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        fake.assert_empty();
    }
}
