//! What can be told without compiling: a model's signature, the compiler's own parts.

use crate::Frontend;
use import_onnx::proto::{DimensionValue, TensorTypeProto, TypeValue, ValueInfoProto};
use std::collections::BTreeSet;
use tensor::DType;

/// What a model file declares of one of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInput {
    /// Its name.
    pub name: String,
    /// Its element type; `None` for what is no tensor, and for types that are not known.
    pub dtype: Option<DType>,
    /// Its extents, if the model says how many axes there are.
    pub shape: Option<Vec<ModelDim>>,
}

/// An extent that a model declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelDim {
    /// A number.
    Fixed(i64),
    /// A name, the key for [`Options::dims`](crate::Options::dims); `INPUT_AXIS` where the model has none.
    Named(String),
}

impl std::fmt::Display for ModelDim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ModelDim::Fixed(size) => write!(f, "{size}"),
            ModelDim::Named(name) => f.write_str(name),
        }
    }
}

impl Frontend {
    /// The inputs that a run must be given, in order: those without a default value.
    pub fn inputs(&self) -> Vec<ModelInput> {
        let Some(graph) = self.model.proto.graph.as_ref() else { return vec![] };
        let weights: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let given = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
        given.map(model_input).collect()
    }
}

fn model_input(input: &ValueInfoProto) -> ModelInput {
    let tensor = match input.r#type.as_ref().and_then(|ty| ty.value.as_ref()) {
        Some(TypeValue::Tensor(tensor)) => Some(tensor),
        _ => None,
    };
    ModelInput {
        name: input.name.clone(),
        dtype: tensor.and_then(|tensor| import_onnx::dtype_of(tensor.elem_type).ok()),
        shape: tensor.and_then(|tensor| extents(&input.name, tensor)),
    }
}

fn extents(name: &str, tensor: &TensorTypeProto) -> Option<Vec<ModelDim>> {
    let dims = tensor.shape.as_ref()?.dim.iter().enumerate();
    let extent = |(axis, dim): (usize, &import_onnx::proto::DimensionProto)| match &dim.value {
        Some(DimensionValue::Value(size)) if *size >= 0 => ModelDim::Fixed(*size),
        Some(DimensionValue::Param(param)) if import_onnx::is_dim_name(param) => ModelDim::Named(param.clone()),
        _ => ModelDim::Named(format!("{name}_{axis}")),
    };
    Some(dims.map(extent).collect())
}

/// The LLVM that is linked in: major, minor and patch version.
pub fn llvm_version() -> (u32, u32, u32) {
    codegen::llvm_version()
}
