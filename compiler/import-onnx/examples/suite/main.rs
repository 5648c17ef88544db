//! Runs a folder of ONNX conformance cases through the importer and the reference meanings of operators.
//!
//! `cargo run -p import-onnx --example suite -- FOLDER [FILTER]`: every case is a folder with `model.onnx`, `case.json`
//! and `test_data_set_0`. Inputs whose values the importer asks for are frozen. With `--dynamic` all dimensions of float
//! inputs are symbols (equal sizes are the same symbol), except those that the importer asks for.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use bytes::Bytes;
use diag::Sink;
use import_onnx::proto::{DimensionValue, TypeValue};
use import_onnx::{ExternalData, Needs, Options, import, parse, tensor_from_pb};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tensor::{DType, Dim, Scalar, Tensor};

struct Beside(PathBuf);

impl ExternalData for Beside {
    fn read(&self, location: &str, offset: u64, length: Option<u64>) -> Result<Bytes, String> {
        let all = std::fs::read(self.0.join(location)).map_err(|e| e.to_string())?;
        let begin = usize::try_from(offset).map_err(|e| e.to_string())?;
        let rest = all.get(begin..).ok_or("the file is too short")?;
        let length = length.map_or(rest.len(), |n| n as usize);
        Ok(Bytes::copy_from_slice(rest.get(..length).ok_or("the file is too short")?))
    }
}

fn tensors(folder: &Path, prefix: &str) -> Result<Vec<Tensor>, String> {
    let mut all = Vec::new();
    loop {
        let path = folder.join(format!("{prefix}_{}.pb", all.len()));
        let Ok(bytes) = std::fs::read(&path) else {
            return Ok(all);
        };
        let (_, tensor) = tensor_from_pb(bytes.into()).map_err(|e| format!("{prefix}: {e}"))?;
        all.push(tensor);
    }
}

/// A number of `case.json`, which is flat.
fn number(json: &str, key: &str, default: f64) -> f64 {
    let value = json.split_once(&format!("\"{key}\":")).map(|(_, rest)| rest.trim_start());
    value.and_then(|rest| rest.split([',', '}']).next()?.trim().parse().ok()).unwrap_or(default)
}

/// The tolerance of a type: results of 16-bit floats may differ by the rounding of intermediate results.
fn relative(dtype: DType, rtol: f64) -> f64 {
    match dtype {
        DType::F16 => rtol.max(2f64.powi(-9)),
        DType::BF16 => rtol.max(2f64.powi(-6)),
        _ => rtol,
    }
}

fn close(got: Scalar, want: Scalar, rtol: f64, atol: f64) -> bool {
    let (a, b) = (got.as_f64(), want.as_f64());
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= atol + rtol * b.abs()
}

fn compare(idx: usize, got: &Tensor, want: &Tensor, rtol: f64, atol: f64) -> Result<(), String> {
    if got.dtype() != want.dtype() || got.shape() != want.shape() {
        return Err(format!("output {idx} is {}, not {}", got.ty(), want.ty()));
    }
    let rtol = relative(want.dtype(), rtol);
    let wrong: Vec<usize> = (0..want.len()).filter(|at| !close(got.get(*at), want.get(*at), rtol, atol)).collect();
    let Some(first) = wrong.first() else {
        return Ok(());
    };
    Err(format!(
        "output {idx}: {} of {} elements differ, first at {first}: {:?}, not {:?}",
        wrong.len(),
        want.len(),
        got.get(*first),
        want.get(*first)
    ))
}

fn run_case(folder: &Path, dynamic: bool) -> Result<(), String> {
    let json = std::fs::read_to_string(folder.join("case.json")).unwrap_or_default();
    let (rtol, atol) = (number(&json, "rtol", 1e-3), number(&json, "atol", 1e-5));
    let bytes = std::fs::read(folder.join("model.onnx")).map_err(|e| e.to_string())?;
    let mut sink = Sink::new();
    let name = folder.file_name().map_or("", |n| n.to_str().unwrap_or(""));
    let model = parse(bytes.into(), name, &mut sink).map_err(|_| message(&sink))?;
    let data = folder.join("test_data_set_0");
    let inputs = tensors(&data, "input")?;
    let wanted = tensors(&data, "output")?;
    let names: Vec<String> = input_names(&model);
    let by_name: BTreeMap<&String, &Tensor> = names.iter().zip(&inputs).collect();
    let external = Beside(folder.into());
    let mut options = Options::default();
    if dynamic {
        options.shapes = symbolic(&names, &inputs, &BTreeSet::new());
    }
    let mut imported = import(&model, &options, Some(&external), &mut sink);
    for _ in 0..16 {
        let Err(failed) = &imported else { break };
        let before = options.freeze.len();
        for name in &failed.needs.inputs {
            if let Some(tensor) = by_name.get(name) {
                options.freeze.insert(name.clone(), (*tensor).clone());
            }
        }
        let stuck = options.freeze.len() == before
            && !fix(&mut options, &failed.needs, &names, &inputs)
            && !fix_dims(&mut options, &failed.needs, &model, &by_name);
        if stuck {
            break;
        }
        sink = Sink::new();
        imported = import(&model, &options, Some(&external), &mut sink);
    }
    let imported = imported.map_err(|_| message(&sink))?;
    let violations = graph::verify(&imported.graph, graph::Form::Imported);
    if let Some(first) = violations.first() {
        return Err(format!("not in form: {first:?}"));
    }
    let results = graph::evaluate(&imported.graph, &inputs).map_err(|e| e.to_string())?;
    for (idx, (got, want)) in results.iter().zip(&wanted).enumerate() {
        compare(idx, got, want, rtol, atol)?;
    }
    Ok(())
}

/// Shapes of float inputs with a symbol for each size above 1 that is not fixed.
fn symbolic(names: &[String], inputs: &[Tensor], fixed: &BTreeSet<usize>) -> BTreeMap<String, Vec<Dim>> {
    let dim = |size: &usize| match size {
        2.. if !fixed.contains(size) => Dim::symbol(&format!("s{size}")),
        _ => Dim::from(*size),
    };
    let floats = names.iter().zip(inputs).filter(|(_, t)| t.dtype().is_float());
    floats.map(|(name, t)| (name.clone(), t.shape().iter().map(dim).collect())).collect()
}

/// Makes numbers of the symbols that the importer asks for; `false` if there is none.
fn fix(options: &mut Options, needs: &Needs, names: &[String], inputs: &[Tensor]) -> bool {
    let size = |name: &String| name.strip_prefix('s').and_then(|n| n.parse::<usize>().ok());
    let mut fixed: BTreeSet<usize> = needs.dims.iter().filter_map(size).collect();
    let kept = options.shapes.values().flatten().filter_map(|d| d.as_symbol());
    let kept: BTreeSet<usize> = kept.filter_map(|s| size(&s.name().to_string())).collect();
    if fixed.is_empty() {
        return false;
    }
    let all = inputs.iter().flat_map(|t| t.shape().iter().copied());
    fixed.extend(all.filter(|size| !kept.contains(size)));
    options.shapes = symbolic(names, inputs, &fixed);
    true
}

/// Gives the dimensions that the importer asks for the sizes that the case has; `false` if there is none.
fn fix_dims(
    options: &mut Options,
    needs: &Needs,
    model: &import_onnx::Model,
    by_name: &BTreeMap<&String, &Tensor>,
) -> bool {
    let before = options.dims.len();
    let graph = model.proto.graph.iter();
    for input in graph.flat_map(|g| &g.input) {
        let Some(tensor) = by_name.get(&input.name) else {
            continue;
        };
        let shape = input.r#type.as_ref().and_then(|ty| match &ty.value {
            Some(TypeValue::Tensor(t)) => t.shape.as_ref(),
            _ => None,
        });
        for (axis, dim) in shape.iter().flat_map(|s| &s.dim).enumerate() {
            let own = format!("{}_{axis}", input.name);
            let name = match &dim.value {
                Some(DimensionValue::Param(name)) if !name.is_empty() => name.clone(),
                _ => own,
            };
            if let Some(size) = tensor.shape().get(axis).filter(|_| needs.dims.contains(&name)) {
                options.dims.insert(name, Dim::from(*size));
            }
        }
    }
    options.dims.len() > before
}

fn input_names(model: &import_onnx::Model) -> Vec<String> {
    let graph = model.proto.graph.iter();
    graph.flat_map(|g| g.input.iter().map(|i| i.name.clone())).collect()
}

fn message(sink: &Sink) -> String {
    let all: Vec<String> = sink.diagnostics().iter().map(|d| d.to_string()).collect();
    all.join("\n  ")
}

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        println!("usage: suite FOLDER [FILTER]");
        return;
    };
    let mut filters: Vec<String> = args.collect();
    let dynamic = filters.iter().any(|arg| arg == "--dynamic");
    filters.retain(|arg| arg != "--dynamic");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map(|entries| entries.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    cases.sort();
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let name = case.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if !filters.is_empty() && !filters.iter().any(|f| name.contains(f.as_str())) {
            continue;
        }
        match std::panic::catch_unwind(|| run_case(case, dynamic)) {
            Ok(Ok(())) => passed += 1,
            Ok(Err(reason)) => {
                failed += 1;
                println!("FAIL {name}: {reason}");
            }
            Err(_) => {
                failed += 1;
                println!("FAIL {name}: panic");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
}
