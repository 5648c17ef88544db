//! Constants, in all the forms in which a node can hold them.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] =
    &[Row::onnx("Constant", 1, constant), Row::onnx("ConstantOfShape", 9, constant_of_shape)];

fn constant(cx: &mut Cx, _inputs: Inputs) -> OpResult {
    let [attr] = cx.node.attribute.as_slice() else {
        return bad(format!("{} attributes where one belongs", cx.node.attribute.len()));
    };
    let floats = |v: Vec<f64>| v.into_iter().map(|f| f as f32).collect::<Vec<f32>>();
    let missing = || ImportError::Bad("the attribute has no value".into());
    let tensor = match attr.name.as_str() {
        "value" => cx.attr_tensor("value")?.ok_or_else(missing)?,
        "sparse_value" => match &attr.sparse_tensor {
            Some(sparse) => crate::sparse::dense(sparse, cx.env.external)?,
            None => return Err(missing()),
        },
        "value_int" => Tensor::from_vec(vec![], vec![cx.attr_i("value_int", 0)?]),
        "value_float" => Tensor::from_vec(vec![], vec![cx.attr_f("value_float", 0.0)? as f32]),
        "value_ints" => {
            let ints = cx.attr_ints("value_ints")?.unwrap_or_default();
            Tensor::from_vec(vec![ints.len()], ints)
        }
        "value_floats" => {
            let values = floats(cx.attr_floats("value_floats")?.unwrap_or_default());
            Tensor::from_vec(vec![values.len()], values)
        }
        "value_string" | "value_strings" => return unsupported("strings are not supported"),
        other => return bad(format!("there is no attribute `{other}`")),
    };
    Ok(vec![cx.b.constant(tensor)?])
}

fn constant_of_shape(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let shape = cx.input(inputs, 0)?;
    let shape = cx.runtime_dims(shape)?;
    if let Some(dim) = shape.iter().find(|d| d.as_const().is_some_and(|d| d < 0)) {
        return bad(format!("a dimension is {dim}"));
    }
    let value = match cx.attr_tensor("value")? {
        Some(value) if value.len() == 1 => cx.b.constant(value)?,
        Some(value) => {
            return bad(format!("attribute `value` has {} elements, not one", value.len()));
        }
        None => cx.b.scalar(DType::F32, 0.0)?,
    };
    let value = as_scalar(cx.b, value)?;
    Ok(vec![cx.b.broadcast(value, shape)?])
}
