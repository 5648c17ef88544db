//! One case: its folder, its data, and whether the outputs are the expected ones.

use super::{Runner, Settings, Task};
use crate::compare::{Tolerance, Verdict, compare};
use crate::data::{self, Dims, Tensors, read_pb};
use crate::{Failure, session};
use driver::{Error, Frontend, ModelInput, Options, Target};
use runtime::{Device, Engine};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tensor::Tensor;

/// A case that can be run.
pub(crate) struct Case<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) settings: &'a Settings,
    /// `None` for the evaluator.
    pub(crate) device: Option<&'a (Box<dyn Device>, Target)>,
}

/// What `case.json` may say.
#[derive(Deserialize)]
struct Facts {
    #[serde(default = "default_rtol")]
    rtol: f64,
    #[serde(default = "default_atol")]
    atol: f64,
}

// The tolerances of ONNX's own runner.
fn default_rtol() -> f64 {
    1e-3
}

fn default_atol() -> f64 {
    1e-7
}

/// The data of one `test_data_set_*` folder.
struct DataSet {
    name: String,
    inputs: Tensors,
    outputs: Vec<(String, Tensor)>,
}

/// All cases in these folders, sorted by name in each; a folder without `model.onnx` holds cases.
pub(crate) fn find(folders: &[PathBuf]) -> Result<Vec<Task>, Failure> {
    let mut tasks = vec![];
    for folder in folders {
        let fail = |e: std::io::Error| Failure::Input(format!("cannot read `{}`: {e}", folder.display()));
        if folder.join("model.onnx").exists() {
            tasks.push(task(folder));
            continue;
        }
        let mut inside = vec![];
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.join("model.onnx").exists() {
                inside.push(path);
            }
        }
        if inside.is_empty() {
            return Err(Failure::Input(format!(
                "`{}` has no `model.onnx`, and no folder in it has one",
                folder.display()
            )));
        }
        inside.sort();
        tasks.extend(inside.iter().map(|path| task(path)));
    }
    Ok(tasks)
}

fn task(folder: &Path) -> Task {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Task { name, folder: folder.into() }
}

impl Case<'_> {
    /// Runs all data sets of the case; an error is the reason why it fails.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let tolerance = self.tolerance()?;
        let path = self.folder.join("model.onnx");
        let frontend = driver::load_model(&path)?;
        let ports = frontend.inputs();
        if let Some(port) = ports.iter().find(|port| port.dtype.is_none()) {
            return Err(Failure::Unsupported(format!("input `{}` is not a tensor of numbers", port.name)));
        }
        let sets = self.data_sets(&ports)?;
        if sets.is_empty() {
            return Err(Failure::Input("there is no test_data_set_* folder".into()));
        }
        let mut compiled = None;
        for set in &sets {
            let results = match self.settings.runner {
                Runner::Evaluator => self.evaluate(&frontend, &ports, set)?,
                Runner::Device(_) => self.execute(&frontend, &ports, set, &mut compiled)?,
            };
            check(set, &results, tolerance)
                .map_err(|why| Failure::Difference(format!("{}{why}", prefix(set, &sets))))?;
        }
        Ok(())
    }

    fn tolerance(&self) -> Result<Tolerance, Failure> {
        let path = self.folder.join("case.json");
        if !path.exists() {
            return Ok(Tolerance { rtol: default_rtol(), atol: default_atol() });
        }
        let facts = serde_json::from_slice::<Facts>(&data::read_file(&path)?);
        let facts = facts.map_err(|e| Failure::Input(format!("`{}`: {e}", path.display())))?;
        Ok(Tolerance { rtol: facts.rtol, atol: facts.atol })
    }

    fn evaluate(&self, frontend: &Frontend, ports: &[ModelInput], set: &DataSet) -> Result<Vec<Tensor>, Failure> {
        session::check_complete(ports, &set.inputs)?;
        let mut options = Options::default();
        session::tell_ranks(&mut options, ports, &set.inputs);
        let imported = session::import_with(frontend, &mut options, &set.inputs)?;
        let inputs: Vec<Tensor> =
            imported.graph.inputs.iter().filter_map(|port| set.inputs.get(&port.name).cloned()).collect();
        graph::evaluate(&imported.graph, &inputs).map_err(|e| Failure::Input(format!("evaluator: {e}")))
    }

    /// Runs compiled code. The model is compiled as it declares its shapes, once for all data sets; only if it needs values of
    /// inputs at compile time, it is compiled for each data set with the values there.
    fn execute(
        &self,
        frontend: &Frontend,
        ports: &[ModelInput],
        set: &DataSet,
        compiled: &mut Option<Engine>,
    ) -> Result<Vec<Tensor>, Failure> {
        let Some((device, target)) = self.device else {
            return Err(Failure::Usage("no device".into()));
        };
        session::check_complete(ports, &set.inputs)?;
        for port in ports {
            if let Some(tensor) = set.inputs.get(&port.name) {
                data::bind(port, tensor, &mut Dims::new())?;
            }
        }
        if compiled.is_none() {
            let mut options =
                Options { targets: vec![target.clone()], threads: self.settings.threads.get(), ..Options::default() };
            session::tell_ranks(&mut options, ports, &set.inputs);
            let start = Instant::now();
            let (imported, depends) = match driver::import_model(frontend, &options) {
                Ok(imported) => (imported, !options.shapes.is_empty()),
                Err(Error::Model { .. }) => {
                    let mut dims = Dims::new();
                    for (port, tensor) in ports.iter().filter_map(|port| Some((port, set.inputs.get(&port.name)?))) {
                        data::bind(port, tensor, &mut dims)?;
                    }
                    session::specialise(&mut options, ports, &set.inputs, &dims);
                    (session::import_with(frontend, &mut options, &set.inputs)?, true)
                }
                Err(other) => return Err(other.into()),
            };
            let artifact = driver::compile_imported(imported, start.elapsed(), &options)?.artifact;
            let engine = Engine::from_artifact_with(Arc::new(artifact), &**device, self.settings.limits)?;
            if depends {
                return Ok(engine.run(&session::order(&engine, &set.inputs)?)?);
            }
            *compiled = Some(engine);
        }
        match compiled {
            Some(engine) => Ok(engine.run(&session::order(engine, &set.inputs)?)?),
            None => Ok(vec![]),
        }
    }

    fn data_sets(&self, ports: &[ModelInput]) -> Result<Vec<DataSet>, Failure> {
        let fail = |e: std::io::Error| Failure::Input(format!("cannot read `{}`: {e}", self.folder.display()));
        let mut folders = vec![];
        for entry in std::fs::read_dir(self.folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.file_name().to_string_lossy().starts_with("test_data_set_") {
                folders.push(entry.path());
            }
        }
        folders.sort();
        folders.iter().map(|folder| data_set(folder, ports)).collect()
    }
}

fn prefix(set: &DataSet, sets: &[DataSet]) -> String {
    if sets.len() > 1 { format!("{}: ", set.name) } else { String::new() }
}

fn data_set(folder: &Path, ports: &[ModelInput]) -> Result<DataSet, Failure> {
    let given = numbered(folder, "input")?;
    let is_named = given.iter().all(|(name, _)| ports.iter().any(|port| port.name == *name));
    // Files without the inputs' names are in the order of the inputs.
    let inputs: BTreeMap<String, Tensor> = if is_named {
        given.into_iter().collect()
    } else {
        ports.iter().map(|port| port.name.clone()).zip(given.into_iter().map(|(_, tensor)| tensor)).collect()
    };
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(DataSet { name, inputs, outputs: numbered(folder, "output")? })
}

/// `input_0.pb`, `input_1.pb` and so on.
fn numbered(folder: &Path, kind: &str) -> Result<Vec<(String, Tensor)>, Failure> {
    let paths = (0..).map(|at| folder.join(format!("{kind}_{at}.pb")));
    paths.take_while(|path| path.exists()).map(|path| read_pb(&path)).collect()
}

/// The reason why results are not the expected ones, if they are not.
fn check(set: &DataSet, results: &[Tensor], tolerance: Tolerance) -> Result<(), String> {
    if results.len() != set.outputs.len() {
        return Err(format!("{} outputs, not {}", results.len(), set.outputs.len()));
    }
    for (at, (got, (name, want))) in results.iter().zip(&set.outputs).enumerate() {
        match compare(got, want, tolerance.of_suite(want.dtype())) {
            Verdict::Equal => {}
            Verdict::Type(why) => return Err(format!("output {at} `{name}`: {why}")),
            Verdict::Differs(difference) => {
                return Err(format!("output {at} `{name}`: {}", difference.describe(got, want)));
            }
        }
    }
    Ok(())
}
