//! Tensors for a model's inputs: from `.npy`, `.npz` and `.pb` files, checked against what the model declares.

use crate::Failure;
use crate::args::{CompileArgs, InputArgs};
use artifact::{Manifest, Signature};
use bytes::Bytes;
use driver::{ModelDim, ModelInput};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tenfold_run::inputs::{self, InputSpec};
use tensor::{DType, Dim, Range, Symbol, Tensor};

/// Tensors by the names of the inputs.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Values of a model's named dimensions.
pub(crate) type Dims = BTreeMap<String, i64>;

/// Reads a file, or says which one could not be read.
pub(crate) fn read_file(path: &Path) -> Result<Bytes, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::Input(format!("cannot read `{}`: {e}", path.display())));
    bytes.map(Bytes::from)
}

/// The tensor in a `.pb` file, as ONNX's test data has them; with its name, which may be empty.
pub(crate) fn read_pb(path: &Path) -> Result<(String, Tensor), Failure> {
    import_onnx::tensor_from_pb(read_file(path)?).map_err(|e| Failure::Input(format!("`{}`: {e}", path.display())))
}

/// Reads the given files.
pub(crate) fn from_files(signatures: &[Signature], specs: &[InputSpec]) -> Result<Tensors, Failure> {
    let is_pb = |spec: &&InputSpec| spec.path.extension().is_some_and(|extension| extension == "pb");
    let others: Vec<InputSpec> = specs.iter().filter(|spec| !is_pb(spec)).cloned().collect();
    let mut tensors = inputs::from_files(signatures, &others)?;
    for spec in specs.iter().filter(is_pb) {
        let (own, tensor) = read_pb(&spec.path)?;
        let name = spec.name.clone().unwrap_or(own);
        if !signatures.iter().any(|signature| signature.name == name) {
            let known: Vec<&str> = signatures.iter().map(|signature| signature.name.as_str()).collect();
            return Err(Failure::Input(format!("the model has no input `{name}`; it takes {}", known.join(", "))));
        }
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// The tensors for a model that is not compiled yet, and the values that its named dimensions get from them.
pub(crate) fn for_model(
    ports: &[ModelInput],
    given: &InputArgs,
    compile: &CompileArgs,
) -> Result<(Tensors, Dims), Failure> {
    let signature = |port: &ModelInput| Signature {
        name: port.name.clone(),
        // What is no tensor cannot be imported either, and that error says more.
        dtype: port.dtype.unwrap_or(DType::F32),
        shape: vec![],
    };
    let mut signatures: Vec<Signature> = ports.iter().map(signature).collect();
    let mut tensors = from_files(&signatures, &given.inputs)?;
    let mut dims: Dims = compile.fixed_dims().map(|(name, value)| (name.to_string(), value)).collect();
    for port in ports {
        if let Some(tensor) = tensors.get(&port.name) {
            bind(port, tensor, &mut dims)?;
        }
    }
    if let Some(seed) = given.random_inputs {
        for (port, signature) in ports.iter().zip(&mut signatures) {
            if tensors.contains_key(&port.name) {
                continue;
            }
            let Some(shape) = &port.shape else {
                let why = format!("the model does not say how many axes input `{}` has; give it by --input", port.name);
                return Err(Failure::Input(why));
            };
            signature.shape = shape.iter().map(|dim| made_up(dim, &mut dims, compile).to_string()).collect();
        }
        inputs::fill_randomly(&signatures, &mut tensors, seed, &BTreeMap::new(), &[])?;
    }
    Ok((tensors, dims))
}

/// The extent of a made-up input; a name gets 1, or what is nearest in its range, for all inputs, if nothing is known of it.
fn made_up(dim: &ModelDim, dims: &mut Dims, compile: &CompileArgs) -> i64 {
    match dim {
        ModelDim::Fixed(size) => *size,
        ModelDim::Named(name) => {
            let range = compile.ranges().find(|(ranged, _)| ranged == name).map_or(Range::SIZE, |(_, range)| range);
            *dims.entry(name.clone()).or_insert(range.nearest(1))
        }
    }
}

/// The dimensions that are given a number, by their symbols in an artifact. They may be called as in the model.
pub(crate) fn artifact_dims(manifest: &Manifest, compile: &CompileArgs) -> Result<Dims, Failure> {
    if let Some((name, range)) = compile.ranges().next() {
        let text = format!("--dim {name}={range}: ranges are given when a model is compiled, and this is an artifact");
        return Err(Failure::Usage(text));
    }
    let extents = manifest.inputs.iter().flat_map(|input| &input.shape).filter_map(|text| text.parse::<Dim>().ok());
    let known: BTreeSet<String> = extents.filter_map(|dim| Some(dim.as_symbol()?.name().to_string())).collect();
    let symbol = |name: &str| {
        let ranged = manifest.ranges.iter().find(|found| found.name == name).map(|found| found.symbol.clone());
        ranged.unwrap_or_else(|| Symbol::new(name).name().to_string())
    };
    let mut dims = Dims::new();
    for (name, value) in compile.fixed_dims() {
        let symbol = symbol(name);
        if !known.contains(&symbol) {
            let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let has = if names.is_empty() {
                "all its extents are numbers".into()
            } else {
                format!("it has {}", names.join(", "))
            };
            return Err(Failure::Input(format!("the artifact has no dimension `{name}`; {has}")));
        }
        dims.insert(symbol, value);
    }
    Ok(dims)
}

/// Given tensors must have the extents that dimensions were given.
pub(crate) fn check_dims(signatures: &[Signature], tensors: &Tensors, dims: &Dims) -> Result<(), Failure> {
    for signature in signatures {
        let extents = tensors.get(&signature.name).map_or(&[][..], Tensor::shape);
        for (axis, (text, extent)) in signature.shape.iter().zip(extents).enumerate() {
            if let Some(wanted) = dims.get(text).filter(|wanted| **wanted != *extent as i64) {
                let name = &signature.name;
                let why = format!("input `{name}`: axis {axis} (`{text}`) is {extent}, it must be {wanted}");
                return Err(Failure::Input(why));
            }
        }
    }
    Ok(())
}

/// Checks a tensor against what the model declares of an input, and reads named dimensions off it.
pub(crate) fn bind(port: &ModelInput, tensor: &Tensor, dims: &mut Dims) -> Result<(), Failure> {
    let wrong_type = port.dtype.is_some_and(|dtype| dtype != tensor.dtype());
    let wrong_rank = port.shape.as_ref().is_some_and(|shape| shape.len() != tensor.rank());
    if wrong_type || wrong_rank {
        let takes = describe(port);
        return Err(Failure::Input(format!("input `{}`: got {}, the model takes {takes}", port.name, tensor.ty())));
    }
    for (axis, (dim, extent)) in port.shape.iter().flatten().zip(tensor.shape()).enumerate() {
        let extent = *extent as i64;
        let wanted = match dim {
            ModelDim::Fixed(size) => *size,
            ModelDim::Named(name) => *dims.entry(name.clone()).or_insert(extent),
        };
        if wanted != extent {
            let what = match dim {
                ModelDim::Fixed(_) => String::new(),
                ModelDim::Named(name) => format!(" (`{name}`)"),
            };
            return Err(Failure::Input(format!(
                "input `{}`: axis {axis}{what} is {extent}, it must be {wanted}",
                port.name
            )));
        }
    }
    Ok(())
}

fn describe(port: &ModelInput) -> String {
    let dtype = port.dtype.map_or("something else than a tensor", DType::name);
    match &port.shape {
        Some(shape) => format!("{dtype}[{}]", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        None => format!("{dtype} of any shape"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, shape: &[ModelDim]) -> ModelInput {
        ModelInput { name: name.into(), dtype: Some(DType::F32), shape: Some(shape.to_vec()) }
    }

    #[test]
    fn declared_shapes_bind_names_once() {
        let batch = || ModelDim::Named("batch size".into());
        let (x, y) = (port("x", &[batch(), ModelDim::Fixed(2)]), port("y", &[batch()]));
        let of = |shape: &[usize]| Tensor::from_vec(shape.to_vec(), vec![0.0f32; shape.iter().product()]);
        let mut dims = Dims::new();
        bind(&x, &of(&[3, 2]), &mut dims).unwrap();
        assert_eq!(dims["batch size"], 3);
        let error =
            |port: &ModelInput, shape: &[usize], dims: &mut Dims| bind(port, &of(shape), dims).unwrap_err().to_string();
        assert_eq!(error(&y, &[4], &mut dims), "input `y`: axis 0 (`batch size`) is 4, it must be 3");
        assert_eq!(error(&x, &[3, 1], &mut dims), "input `x`: axis 1 is 1, it must be 2");
        assert_eq!(error(&x, &[3], &mut dims), "input `x`: got f32[3], the model takes f32[batch size,2]");
    }
}
