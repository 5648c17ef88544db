//! Graphs that are changed.

use super::runs::with_map;
use super::*;
use runtime::Order;

/// Calls of one run that have to do with graphs, but not what graphs do.
fn graph_calls(fake: &Fake) -> Vec<String> {
    let known = ["graph", "node", "instantiate", "change", "destroy graph"];
    fake.take().into_iter().filter(|call| known.contains(&&call[..])).collect()
}

#[test]
fn a_few_graphs_are_kept_and_then_changed() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    fake.take();
    let made = ["graph", "node", "node", "node", "instantiate"];
    for len in [40, 41, 42, 43] {
        check(&engine, len);
        assert_eq!(graph_calls(&fake), made);
    }
    for len in [42, 40, 43, 41] {
        check(&engine, len);
        assert!(graph_calls(&fake).is_empty(), "{len} is known");
    }
    // The one that was not used for the longest time changes: its kernel, and the low word of the shape.
    // All these lengths take as much memory, so nothing moves.
    for len in [44, 45, 46, 47, 48, 39] {
        check(&engine, len);
        assert_eq!(graph_calls(&fake), ["change", "change"], "{len}");
    }
    check(&engine, 48);
    assert!(graph_calls(&fake).is_empty());
    drop(engine);
    fake.assert_empty();
}

#[test]
fn grids_and_sizes_change_with_the_graph() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    for len in [1, 2, 3, 4] {
        check(&engine, len);
    }
    for len in [1000, 9, 400] {
        fake.take();
        check(&engine, len);
        let calls = fake.take();
        let launch = calls.iter().find(|call| call.starts_with("launch")).unwrap();
        assert!(launch.starts_with(&format!("launch entry {}x128+64", len.div_ceil(4))), "{launch}");
        assert!(launch.ends_with(&format!(", {}, {len}]", len as i64 - 5)), "{launch}");
    }
}

#[test]
fn other_kinds_of_work_make_a_new_graph() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    for len in [1, 2, 3, 4] {
        check(&engine, len);
    }
    fake.take();
    check(&engine, 0);
    assert_eq!(graph_calls(&fake), ["graph", "node", "node", "instantiate", "destroy graph"], "nothing is launched");
    check(&engine, 5);
    assert_eq!(graph_calls(&fake), ["change", "change"]);
    drop(engine);
    fake.assert_empty();
}

#[test]
fn tensor_maps_are_parameters() {
    let fake = Fake::default();
    let engine = engine(&fake, with_map(&16.into(), false));
    for len in [4, 8, 12, 16] {
        check(&engine, len);
    }
    fake.take();
    check(&engine, 3);
    let calls = fake.take();
    assert_eq!((count(&calls, "change"), count(&calls, "with map 0")), (2, 1), "an empty one");
    check(&engine, 15);
    let calls = fake.take();
    assert_eq!((count(&calls, "change"), count(&calls, "with map 7")), (2, 1));
}

#[test]
fn memory_that_moves_changes_graphs() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let order = Order::default();
    let x = engine.upload(&input(8)[0]).unwrap();
    let run = |expected: &[&str]| {
        let mut y = engine.empty(DType::F32, &[8]).unwrap();
        let mut shape = engine.empty(DType::I64, &[1]).unwrap();
        fake.take();
        engine.run_on(&[(&x).into()], &[(&mut y).into(), (&mut shape).into()], &order).unwrap();
        let calls = fake.take();
        let found: Vec<&str> =
            calls.iter().map(String::as_str).filter(|call| ["instantiate", "change"].contains(call)).collect();
        assert_eq!(found, expected);
        assert!(calls.iter().all(|call| !call.starts_with("upload") && !call.starts_with("download")), "{calls:?}");
        assert_eq!(engine.download(&y.as_ref()).unwrap().values::<f32>().to_vec(), super::expected(8));
        assert_eq!(engine.download(&shape.as_ref()).unwrap().to_ints(), [8]);
        (y, shape)
    };
    let mut kept = vec![];
    for _ in 0..4 {
        kept.push(run(&["instantiate"]));
    }
    for _ in 0..4 {
        kept.push(run(&["change"; 3]));
    }
    drop(kept);
    // An arena that grows moves, too.
    check(&engine, 100);
    check(&engine, 8);
    drop(x);
    drop(engine);
    fake.assert_empty();
}
