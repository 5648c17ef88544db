//! Models in ONNX's test layout, compiled and run through the libraries as an embedder would.
//!
//! The ONNX suite itself is run by `tenfold test`; the lists beside this crate name the cases that passed once.
//!
//! # Invariants
//! - The expected values come from ONNX Runtime, never from this compiler.
//! - A tolerance is that of whole float32 models: `|a - b| <= 1e-4 + 1e-3 |b|`; integers are equal.
//!
//! ```
//! use driver::Options;
//! use runtime::{Engine, Host};
//!
//! // Compile a model, for this machine by default ...
//! let case = conformance::small("resnet");
//! let compiled = driver::compile(&case.join("model.onnx"), &Options::default())?;
//! println!("{} nodes, {} ms", compiled.report.nodes_imported, compiled.report.total().as_millis());
//!
//! // ... load it, and run it; a loaded engine runs as often as needed, also from several threads.
//! let engine = Engine::from_artifact(compiled.artifact.into(), &Host::new(None))?;
//! assert_eq!(engine.inputs()[0].to_string(), "x: f32[batch,3,32,32]");
//! for set in conformance::data_sets(&case) {
//!     let outputs = engine.run(&set.inputs)?;
//!     conformance::assert_close(&outputs, &set.outputs);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Start reading at [`data_sets`].

use bytes::Bytes;
use std::path::{Path, PathBuf};
use tensor::Tensor;

/// The folder of a small model that is kept in the repository.
pub fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/small").join(name)
}

/// The names of all small models.
///
/// # Panics
/// If they cannot be listed.
pub fn all_small() -> Vec<String> {
    let entries = std::fs::read_dir(small("")).expect("the small models are part of the repository");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Inputs and the outputs that they must give.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// In the order of the model's inputs.
    pub inputs: Vec<Tensor>,
    /// In the order of the model's outputs.
    pub outputs: Vec<Tensor>,
}

/// The data sets of a case.
///
/// # Panics
/// If a file cannot be read.
pub fn data_sets(case: &Path) -> Vec<DataSet> {
    let folders = (0..).map(|at| case.join(format!("test_data_set_{at}"))).take_while(|folder| folder.is_dir());
    folders.map(|folder| DataSet { inputs: tensors(&folder, "input"), outputs: tensors(&folder, "output") }).collect()
}

fn tensors(folder: &Path, kind: &str) -> Vec<Tensor> {
    let paths = (0..).map(|at| folder.join(format!("{kind}_{at}.pb"))).take_while(|path| path.exists());
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        import_onnx::tensor_from_pb(Bytes::from(bytes)).unwrap_or_else(|e| panic!("{}: {e}", path.display())).1
    };
    paths.map(read).collect()
}

/// Checks outputs within the tolerance of whole models.
///
/// # Panics
/// If they differ.
#[track_caller]
pub fn assert_close(got: &[Tensor], want: &[Tensor]) {
    assert_eq!(got.len(), want.len(), "number of outputs");
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "output {at}");
        for (idx, (a, b)) in got.iter().zip(want.iter()).enumerate() {
            let (x, y) = (a.as_f64(), b.as_f64());
            let is_close = a == b
                || (want.dtype().is_float() && ((x - y).abs() <= 1e-4 + 1e-3 * y.abs() || x.is_nan() && y.is_nan()));
            assert!(is_close, "output {at}, element {idx}: {a:?}, not {b:?}");
        }
    }
}
