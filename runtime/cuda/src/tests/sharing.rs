//! Several engines and threads on one device; page-locked memory for large copies.

use super::*;
use crate::staging::{HALF, SMALL};

#[test]
fn engines_with_equal_artifacts_share_weights_and_kernels() {
    let fake = Fake::default();
    let device = fake.device(90);
    let first = Engine::from_artifact(artifact(false), &device).unwrap();
    let calls = fake.take();
    assert_eq!((count(&calls, "module text"), count(&calls, "upload 8")), (1, 1), "{calls:?}");
    // The same content, read again from somewhere else.
    let second = Engine::from_artifact(artifact(false), &device.clone()).unwrap();
    assert!(fake.take().iter().all(|call| !call.starts_with("module") && !call.starts_with("upload")));
    drop(first);
    check(&second, 8);
    // Another artifact has its own.
    let other =
        Arc::new(Artifact { code: vec![Bytes::from_static(b"other")], ..Arc::unwrap_or_clone(artifact(false)) });
    let third = Engine::from_artifact(other, &device).unwrap();
    assert_eq!(count(&fake.take(), "module other"), 1);
    check(&third, 8);
    drop((second, third));
    assert_eq!(device.memory().now, 0);
    // The first one is gone, so it is loaded again.
    drop(Engine::from_artifact(artifact(false), &device).unwrap());
    assert_eq!(count(&fake.take(), "module text"), 1);
    drop(device);
    fake.assert_empty();
}

#[test]
fn threads_run_at_once() {
    let fake = Fake::default();
    let device = fake.device(90);
    let engines = [(); 2].map(|()| Engine::from_artifact(artifact(false), &device).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engines[thread % 2];
            scope.spawn(move || (0..20).for_each(|round| check(engine, 1 + (7 * thread + round) % 50)));
        }
    });
    drop(engines);
    assert_eq!(device.memory().now, 0);
    drop(device);
    fake.assert_empty();
}

#[test]
fn memory_in_use_is_counted() {
    let fake = Fake::default();
    let device = fake.device(90);
    let engine = Engine::from_artifact(artifact(false), &device).unwrap();
    let weights = device.memory().now;
    assert_eq!(weights, 256);
    check(&engine, 1000);
    let arena = engine.arena_bytes(&input(1000)).unwrap();
    assert_eq!(device.memory().now, weights + arena, "the arena is kept for the next run");
    engine.trim();
    assert_eq!(device.memory().now, weights);
    assert_eq!(device.memory().peak, weights + arena);
    check(&engine, 1000);
}

#[test]
fn large_tensors_travel_through_two_halves() {
    let fake = Fake::default();
    let device = fake.device(90);
    let engine = Engine::from_artifact(artifact(false), &device).unwrap();
    fake.take();
    // Not more than the driver copies aside by itself.
    let small = SMALL / 4;
    check(&engine, small - 1);
    assert!(fake.take().iter().all(|call| !call.contains("pin")), "small");

    // Three halves, the last not full. The fake sees if one is written again too early.
    let len = (2 * HALF + HALF / 2) / 4;
    check(&engine, len);
    let calls = fake.take();
    let pinned =
        |what: &str| calls.iter().filter_map(|call| call.strip_prefix(what)?.parse::<usize>().ok()).collect::<Vec<_>>();
    assert_eq!(pinned("upload pinned "), [HALF, HALF, HALF / 2]);
    assert_eq!(pinned("download pinned "), [HALF, HALF, HALF / 2]);
    assert_eq!(count(&calls, &format!("pin {HALF}")), 2);
    check(&engine, len);
    assert_eq!(count(&fake.take(), &format!("pin {HALF}")), 0, "they are kept");
    assert_eq!(device.memory().host, 2 * HALF);
    drop(engine);
    drop(device);
    fake.assert_empty();
}
