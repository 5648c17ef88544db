//! Runs of programs, call by call.

use super::*;
use crate::Cuda;
use runtime::DeviceError;

#[test]
fn a_straight_program_is_one_graph() {
    let fake = Fake::default();
    let engine = Engine::from_artifact(artifact(false), &fake.device(80)).unwrap();
    // Only the weight that the program uses is uploaded.
    let load = ["memory", "module text", "function entry", "resources"];
    let weights = ["alloc 256", "stream", "upload 8", "wait", "wait", "destroy stream"];
    assert_eq!(fake.take(), [load.as_slice(), weights.as_slice()].concat());
    assert_eq!(engine.device(), "cuda:1 (Test)");

    check(&engine, 10);
    let calls = fake.take();
    assert_eq!(calls[..3], ["stream", "alloc 256", "upload 40"]);
    assert_eq!(calls[3..9], ["graph", "node", "node", "node", "instantiate", "run graph"]);
    assert_eq!(calls[9..11], ["word 10", "word 0"], "a graph holds the values, not a pointer to them");
    assert!(calls[11].starts_with("launch entry 3x128+64 [0, "), "{}", calls[11]);
    assert!(calls[11].ends_with(", 5, 10]"), "{}", calls[11]);
    assert_eq!(calls[12..], ["wait", "download 40", "download 8", "wait"]);

    check(&engine, 10);
    let calls = fake.take();
    assert_eq!(calls[..2], ["upload 40", "run graph"]);
    assert_eq!(calls.len(), 2 + 3 + 4, "{calls:?}");
    drop(engine);
    fake.assert_empty();
}

#[test]
fn old_drivers_run_step_by_step() {
    let fake = Fake::default();
    fake.state().has_no_graphs = true;
    let engine = engine(&fake, artifact(false));
    for _ in 0..2 {
        check(&engine, 10);
    }
    let calls = fake.take();
    assert_eq!((count(&calls, "graph"), count(&calls, "upload 8")), (0, 3));
}

#[test]
fn times_are_the_devices_and_without_copies() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    check(&engine, 10);
    fake.take();
    let times = engine.measure(&input(10), 3, 1024).unwrap();
    assert_eq!(times, [std::time::Duration::from_micros(250); 3]);
    let calls = fake.take();
    let two_to_warm_up = 2;
    assert_eq!(count(&calls, "run graph"), two_to_warm_up + 3);
    let at = calls.iter().position(|call| call == "run graph").unwrap();
    assert_eq!(calls[at - 4..at], ["upload 40", "copy 512", "timer", "record"]);
    assert_eq!(calls[at + 4..at + 8], ["timer", "record", "wait", "elapsed"]);
    assert_eq!((&calls[0][..], &calls.last().unwrap()[..]), ("alloc 1024", "free"));
    assert_eq!(count(&calls, "timer"), count(&calls, "destroy event"));
}

#[test]
fn steps_are_timed_by_the_device() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(true));
    let (_, profile) = engine.profile(&input(10)).unwrap();
    let kernel = profile.steps.iter().find(|step| step.name == "k").unwrap();
    assert_eq!(kernel.time, std::time::Duration::from_micros(250));
    drop(engine);
    fake.assert_empty();
}

#[test]
fn programs_that_read_back_run_step_by_step() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(true));
    fake.take();
    check(&engine, 3);
    let calls = fake.take();
    assert_eq!(calls[2..4], ["upload 12", "upload 8"]);
    assert!(calls[4].starts_with("launch entry 1x128+64"), "{}", calls[4]);
    assert!(calls[4].ends_with(", -2, 3]"), "negative dimensions keep their sign: {}", calls[4]);
    assert_eq!(calls[5..], ["download 8", "wait", "download 12", "download 8", "wait"]);
}

#[test]
fn empty_launches_do_not_happen() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(true));
    check(&engine, 0);
    assert!(fake.take().iter().all(|call| !call.starts_with("launch")));
}

#[test]
fn old_devices_are_refused_with_a_list() {
    let fake = Fake::default();
    let error = Engine::from_artifact(artifact(false), &fake.device(75)).err().unwrap().to_string();
    let expected = "cannot run this artifact: it was compiled for nvptx:sm_80; the device needs nvptx:sm_75a, or nvptx:sm_NN with NN at most 75";
    assert!(error.contains(expected), "{error}");
    assert!(fake.take().is_empty(), "nothing was loaded");
}

#[test]
fn a_missing_driver_is_an_error_that_says_so() {
    match Cuda::new(4321) {
        Ok(_) => panic!("there are no 4322 GPUs"),
        Err(DeviceError::Missing { device, why }) => {
            assert_eq!(device, "cuda:4321");
            let known = ["libcuda.so", "sees no GPU", "there is one GPU", "there are", "starting it"];
            assert!(known.iter().any(|text| why.contains(text)), "{why}");
        }
        Err(other) => panic!("{other}"),
    }
}

/// The artifact with a tensor map of `x` as rows of four, whose stride is an expression.
pub(super) fn with_map(stride: &Dim, with_bind: bool) -> Arc<Artifact> {
    let mut artifact = Arc::unwrap_or_clone(artifact(with_bind));
    let program = &mut artifact.variants[0].program;
    let mut dim = |dim: Dim| {
        program.exprs.push(dim.to_string());
        DimId(program.exprs.len() as u32 - 1)
    };
    let map = TensorMap {
        arg: 0,
        offset: dim(0.into()),
        element: MapElement::F32,
        sizes: vec![dim(4.into()), dim(Dim::symbol("N").floor_div(4.into()))],
        strides: vec![dim(stride.clone())],
        tile: vec![4, 8],
        swizzle: Swizzle::None,
        promotion: 128,
    };
    for step in program.blocks.iter_mut().flatten() {
        if let Step::Launch(launch) = step {
            launch.maps = vec![map.clone()];
        }
    }
    Arc::new(artifact)
}

#[test]
fn tensor_maps_are_encoded_once_for_each_place_and_size() {
    let fake = Fake::default();
    let engine = engine(&fake, with_map(&16.into(), true));
    let run = |len| {
        fake.take();
        engine.run(&input(len)).unwrap();
        fake.take().into_iter().filter(|call| call.contains("map")).collect::<Vec<_>>()
    };
    let encode = |rows: usize| format!("map f32 [4, {rows}] [16] [4, 8] swizzle none fetch 128");
    assert_eq!(run(8), [encode(2), "with map 7".into()]);
    assert_eq!(run(8), ["with map 7"], "nothing changed");
    assert_eq!(run(4), [encode(1), "with map 7".into()]);
    assert_eq!(run(3), ["with map 0"], "no rows: the kernel gets zeros");
}

#[test]
fn tensor_maps_that_leave_their_tensor_or_the_format_are_errors() {
    let error = |stride: Dim| {
        let fake = Fake::default();
        let engine = engine(&fake, with_map(&stride, true));
        let error = engine.run(&input(8)).unwrap_err().to_string();
        assert!(fake.take().iter().all(|call| !call.starts_with("launch")));
        error
    };
    let n = Dim::symbol("N");
    let text = error(n.clone() * 4.into());
    assert!(text.contains("the tensor map of") && text.contains("leaves its buffer of 32 bytes"), "{text}");
    let text = error(n.clone());
    assert!(text.contains("has a stride of 8 bytes: it must be a multiple of 16"), "{text}");
    let text = error(Dim::from(0) - n);
    assert!(text.contains("negative size: `-N` = -8"), "{text}");
}
