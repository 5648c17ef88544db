//! The input: a printed graph or a model.

use crate::{Arguments, Failure};
use graph::Graph;
use std::io::Read;

pub(crate) fn graph(arguments: &Arguments) -> Result<Graph, Failure> {
    let is_model = arguments.file.extension().is_some_and(|extension| extension == "onnx");
    if is_model { model(arguments) } else { printed(arguments) }
}

fn model(arguments: &Arguments) -> Result<Graph, Failure> {
    let options = driver::Options { dims: arguments.dims.iter().cloned().collect(), ..driver::Options::default() };
    let fail = |e: driver::Error| Failure::Input(e.to_string());
    let frontend = driver::load_model(&arguments.file).map_err(fail)?;
    Ok(driver::import_model(&frontend, &options).map_err(fail)?.graph)
}

fn printed(arguments: &Arguments) -> Result<Graph, Failure> {
    let mut text = String::new();
    let read = match arguments.file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        _ => std::fs::read_to_string(&arguments.file).map(|read| text = read),
    };
    read.map_err(|e| Failure::Input(format!("cannot read {}: {e}", arguments.file.display())))?;
    let name = arguments.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    graph::parse(&text, &name).map_err(|fault| Failure::Input(fault.to_string()))
}
