//! Round trips, and files that were damaged in every possible place.

use crate::*;
use bytes::Bytes;
use tensor::{DType, Dim};

/// An artifact with a kernel, a nested block, a host operator and a weight.
fn small() -> Artifact {
    let mut b = ProgramBuilder::new();
    let n = Dim::symbol("N");
    let count = Dim::symbol("count");
    let x = b.tensor(Place::Input(0), DType::F32, &[n.clone(), 3.into()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[n.clone(), 3.into()]);
    let w = b.tensor(Place::Weight(WeightId(0)), DType::F32, &[3.into()]);
    let where_ = b.tensor(Place::Arena, DType::I64, &[2.into(), count]);
    let flag = b.tensor(Place::Arena, DType::Bool, &[]);
    b.input("x", x);
    b.output("y", y);
    let symbol = b.symbol("count");
    let node = b.node("/add");
    let [zero, tasks] = [b.dim(&0.into()), b.dim(&n)];
    let launch = |args| {
        Step::Launch(Launch {
            kernel: KernelId(0),
            args,
            maps: vec![],
            dims: vec![tasks],
            tasks,
            scratch: zero,
            cost: zero,
            nodes: vec![node],
            flops: tasks,
            bytes: tasks,
        })
    };
    b.push(Step::Host {
        op: HostOp::NonZero,
        inputs: vec![x],
        outputs: vec![where_],
        symbols: vec![symbol],
        nodes: vec![node],
    });
    b.push(Step::Check { condition: Condition::AtMost(zero, tasks), message: "N is negative".into() });
    b.push(Step::Expect { given: x, expected: w, message: "x differs".into() });
    b.push(Step::Dims { values: vec![tasks], out: flag });
    let then = b.open();
    b.push(launch(vec![x, w, y]));
    b.close();
    let otherwise = b.open();
    b.push(Step::Copy { from: x, to: y });
    b.close();
    b.push(Step::If { cond: flag, then, otherwise });
    let extents = || vec!["N".to_string(), "3".to_string()];
    Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "small".into(),
            numerics: "strict".into(),
            inputs: vec![Signature { name: "x".into(), dtype: DType::F32, shape: extents() }],
            outputs: vec![Signature { name: "y".into(), dtype: DType::F32, shape: extents() }],
            ranges: vec![SymbolRange {
                symbol: "N".into(),
                name: "batch size".into(),
                low: 1,
                high: Some(64),
                is_assumed: false,
            }],
        },
        variants: vec![Variant {
            target: "host:x86_64".into(),
            kernels: Kernels::Host {
                units: vec![HostUnit { code: CodeId(0), imports: vec![Import { name: "memcpy".into(), slot: 8 }] }],
                kernels: vec![HostKernel { name: "add".into(), unit: 0, entry: 0 }],
            },
            program: b.finish(),
        }],
        code: vec![Bytes::from_static(&[0xc3; 16])],
        weights: vec![Weight { name: "w".into(), dtype: DType::F32, data: Bytes::from_static(&[1; 12]) }],
    }
}

#[test]
fn artifacts_round_trip() {
    let artifact = small();
    let bytes = artifact.encode().unwrap();
    assert_eq!(bytes, artifact.encode().unwrap(), "encoding is deterministic");
    let decoded = Artifact::decode(Bytes::from(bytes)).unwrap();
    assert_eq!(decoded, artifact);
    assert!((decoded.weights[0].data.as_ptr() as usize).is_multiple_of(64));
}

#[test]
fn files_are_renamed_into_place_and_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.tenfold");
    let artifact = small();
    let len = artifact.write(&path).unwrap();
    assert_eq!(len, std::fs::metadata(&path).unwrap().len());
    assert_eq!(Artifact::open(&path).unwrap(), artifact);
    Artifact::verify_weights(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");

    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(Artifact::open(&path).is_ok(), "loading does not read the weights");
    let error = Artifact::verify_weights(&path).unwrap_err().to_string();
    assert!(error.contains("weight 0 (`w`)"), "{error}");

    std::fs::write(&path, []).unwrap();
    assert!(matches!(Artifact::open(&path), Err(Error::Truncated { .. })));
    assert!(matches!(Artifact::open(folder.path()), Err(Error::Io { .. })));
    assert!(artifact.write(&folder.path().join("no/such/folder")).is_err());
}

#[test]
fn every_cut_is_refused() {
    let bytes = Bytes::from(small().encode().unwrap());
    for len in 0..bytes.len() {
        let error = Artifact::decode(bytes.slice(..len)).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{len}: {error}");
    }
}

#[test]
fn every_flipped_byte_is_refused_or_harmless() {
    let artifact = small();
    let bytes = artifact.encode().unwrap();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(read) = Artifact::decode(Bytes::from(damaged)) {
                let program_is_same = read.variants == artifact.variants && read.code == artifact.code;
                assert!(program_is_same, "byte {at} changed the program unnoticed");
            }
        }
    }
}

/// A hostile file has matching checksums. Whatever the structure says then must not panic or allocate without bounds.
#[test]
fn damaged_structures_with_matching_checksums_do_not_panic() {
    let bytes = small().encode().unwrap();
    let (at, len) = (u64_at(&bytes, 24) as usize, u64_at(&bytes, 32) as usize);
    let reseal = |damaged: &mut [u8]| {
        let hash = *blake3::hash(&damaged[at..at + len]).as_bytes();
        damaged[40..72].copy_from_slice(&hash);
        let hash = *blake3::hash(&damaged[..168]).as_bytes();
        damaged[168..200].copy_from_slice(&hash);
    };
    let mut refused = 0;
    for offset in at..at + len {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[offset] = value;
            reseal(&mut damaged);
            refused += usize::from(Artifact::decode(Bytes::from(damaged)).is_err());
        }
    }
    assert!(refused > len, "most of the damage is found: {refused} of {}", 5 * len);
    for field in (16..40).step_by(8) {
        for value in [0, 63, 64, u64::MAX, u64::MAX - 63] {
            let mut damaged = bytes.clone();
            damaged[field..field + 8].copy_from_slice(&value.to_le_bytes());
            let hash = *blake3::hash(&damaged[..168]).as_bytes();
            damaged[168..200].copy_from_slice(&hash);
            assert!(Artifact::decode(Bytes::from(damaged)).is_err(), "field {field} = {value}");
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn other_files_and_versions_are_named() {
    let bytes = small().encode().unwrap();
    assert!(matches!(Artifact::decode(Bytes::from_static(b"\x7fELF....")), Err(Error::NotAnArtifact)));
    let mut newer = bytes;
    newer[8] = 77;
    let error = Artifact::decode(Bytes::from(newer)).unwrap_err().to_string();
    assert!(error.contains("version 77") && error.contains("compile the model again"), "{error}");
}

fn refuse(expected: &str, change: impl FnOnce(&mut Artifact)) {
    let mut artifact = small();
    change(&mut artifact);
    match artifact.encode() {
        Ok(_) => panic!("accepted: {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}, not: {expected}"),
    }
}

#[test]
fn every_index_is_checked() {
    refuse("unknown symbol `M`", |a| a.variants[0].program.exprs[0] = "M".into());
    refuse("bad dimension expression", |a| a.variants[0].program.exprs[0] = "N+".into());
    refuse("bad symbol", |a| a.variants[0].program.symbols.push("a b".into()));
    refuse("expression 99", |a| a.variants[0].program.buffers[0].bytes = DimId(99));
    refuse("weight 5", |a| a.variants[0].program.buffers[0].place = Place::Weight(WeightId(5)));
    refuse("buffer 50", |a| a.variants[0].program.views[0].buffer = BufferId(50));
    refuse("view 60", |a| a.variants[0].program.inputs[0].view = ViewId(60));
    refuse("nothing runs block 3", |a| a.variants[0].program.blocks.push(vec![]));
    refuse("no entry block", |a| a.variants[0].program.blocks.clear());
    refuse("unit 1", |a| {
        let Kernels::Host { kernels, .. } = &mut a.variants[0].kernels else {
            return;
        };
        kernels[0].unit = 1;
    });
    refuse("entry 16", |a| {
        let Kernels::Host { kernels, .. } = &mut a.variants[0].kernels else {
            return;
        };
        kernels[0].entry = 16;
    });
    refuse("has no slot", |a| {
        let Kernels::Host { units, .. } = &mut a.variants[0].kernels else {
            return;
        };
        units[0].imports[0].slot = 12;
    });
    refuse("code 0", |a| a.code.clear());
    refuse("another target", |a| a.variants[0].target = "nvptx:sm_80".into());
    refuse("differs from", |a| a.manifest.inputs[0].dtype = DType::F16);
    refuse("the manifest says 0", |a| a.manifest.outputs.clear());
    refuse("two owners", |a| {
        a.variants[0].program.blocks[1].push(Step::If { cond: ViewId(4), then: BlockId(1), otherwise: BlockId(2) })
    });
    refuse("writes a weight", |a| a.variants[0].program.blocks[0].push(Step::Copy { from: ViewId(1), to: ViewId(2) }));
    refuse("not boolean", |a| a.variants[0].program.views[4].dtype = DType::I8);
}

#[test]
fn deep_nesting_is_refused() {
    refuse("too deeply", |a| {
        let blocks = &mut a.variants[0].program.blocks;
        for _ in 0..100 {
            let next = blocks.len() as u32;
            let step = Step::If { cond: ViewId(4), then: BlockId(next), otherwise: BlockId(next + 1) };
            blocks[next as usize - 1].push(step);
            blocks.extend([vec![], vec![]]);
        }
    });
}

#[test]
fn ranges_that_nothing_can_check_are_refused() {
    let with = |change: fn(&mut SymbolRange)| {
        let mut artifact = small();
        change(&mut artifact.manifest.ranges[0]);
        artifact.check().map_err(|e| e.to_string())
    };
    assert!(with(|_| ()).is_ok() && with(|range| range.high = None).is_ok());
    assert!(with(|range| range.symbol = "M".into()).unwrap_err().contains("no input has the extent `M`"));
    assert!(with(|range| range.symbol = "3".into()).unwrap_err().contains("no input has the extent `3`"));
    assert!(with(|range| range.low = 65).unwrap_err().contains("the range 65..64"));
    assert!(with(|range| range.low = -1).unwrap_err().contains("the range -1..64"));
    assert_eq!(small().manifest.ranges[0].to_string(), "batch size in 1..64");
}

#[test]
fn tensors_of_two_types_cannot_be_expected_to_be_the_same() {
    let mut artifact = small();
    let program = &mut artifact.variants[0].program;
    let other = program.views.iter().position(|view| view.dtype != DType::F32).unwrap();
    for step in program.blocks.iter_mut().flatten() {
        if let Step::Expect { expected, .. } = step {
            *expected = crate::ViewId(other as u32);
        }
    }
    assert!(artifact.check().unwrap_err().to_string().contains("two types"));
}

/// The artifact with a PTX kernel in place of the host's, and a tensor map of its first argument.
fn mapped() -> Artifact {
    let mut artifact = small();
    let variant = &mut artifact.variants[0];
    variant.target = "nvptx:sm_90a".into();
    let kernel =
        PtxKernel { name: "add".into(), unit: 0, entry: "kernel".into(), block: 32, tasks_per_block: 1, shared: 0 };
    variant.kernels = Kernels::Ptx { units: vec![CodeId(0)], kernels: vec![kernel] };
    artifact.code = vec![Bytes::from_static(b"text")];
    let DimId(n) = variant.program.views[0].shape[0];
    first_launch(&mut artifact).maps = vec![TensorMap {
        arg: 0,
        offset: DimId(n),
        element: MapElement::F16,
        sizes: vec![DimId(n), DimId(n)],
        strides: vec![DimId(n)],
        tile: vec![64, 128],
        swizzle: Swizzle::B128,
        promotion: 256,
    }];
    artifact
}

fn first_launch(artifact: &mut Artifact) -> &mut Launch {
    match &mut artifact.variants[0].program.blocks[1][0] {
        Step::Launch(launch) => launch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tensor_maps_round_trip_and_are_printed() {
    let artifact = mapped();
    let back = Artifact::decode(Bytes::from(artifact.encode().unwrap())).unwrap();
    assert_eq!(back, artifact);
    let text = back.to_string();
    let map = "tasks N map arg 0 from byte N f16[N, N] strides [N] tile [64, 128] swizzle 128 fetch 256 flops N";
    assert!(text.contains(map), "{text}");
}

#[test]
fn tensor_maps_that_cannot_be_are_refused() {
    let refuse = |expected: &str, change: fn(&mut TensorMap)| {
        let mut artifact = mapped();
        change(&mut first_launch(&mut artifact).maps[0]);
        let error = artifact.encode().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not: {expected}");
    };
    refuse("a tensor map of argument 3, there are 3", |map| map.arg = 3);
    refuse("expression 99", |map| map.offset = DimId(99));
    refuse("expression 99", |map| map.strides[0] = DimId(99));
    refuse("with 0 sizes", |map| map.sizes.clear());
    refuse("with 2 sizes, 2 strides and 2 sizes of a tile", |map| map.strides.push(DimId(0)));
    refuse("with 6 sizes", |map| {
        map.sizes = vec![DimId(0); 6];
        map.strides = vec![DimId(0); 5];
        map.tile = vec![8; 6];
    });
    refuse("a tile of 257 elements", |map| map.tile[1] = 257);
    refuse("a tile of 0 elements", |map| map.tile[0] = 0);
    refuse("rows of 130 bytes", |map| map.tile[0] = 65);
    refuse("rows of 128 bytes and swizzle 64", |map| map.swizzle = Swizzle::B64);
    refuse("fetches 100 bytes", |map| map.promotion = 100);
    let mut on_host = small();
    first_launch(&mut on_host).maps = first_launch(&mut mapped()).maps.clone();
    assert!(on_host.encode().unwrap_err().to_string().contains("tensor maps for a kernel of the host"));
}
