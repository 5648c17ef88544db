//! Attributes of a node, read by name with their types checked.

use crate::cx::Cx;
use crate::error::{ImportError, bad};
use crate::proto::{AttributeProto, AttributeType, GraphProto, TensorProto};
use tensor::{DType, Tensor};

type Result<T> = std::result::Result<T, ImportError>;

/// The kind of value that an attribute holds; files of the first versions do not say it.
fn kind(attr: &AttributeProto) -> AttributeType {
    let stated = AttributeType::try_from(attr.r#type).unwrap_or(AttributeType::Undefined);
    if stated != AttributeType::Undefined {
        return stated;
    }
    match attr {
        AttributeProto { f: Some(_), .. } => AttributeType::Float,
        AttributeProto { i: Some(_), .. } => AttributeType::Int,
        AttributeProto { s: Some(_), .. } => AttributeType::String,
        AttributeProto { t: Some(_), .. } => AttributeType::Tensor,
        AttributeProto { g: Some(_), .. } => AttributeType::Graph,
        _ if !attr.floats.is_empty() => AttributeType::Floats,
        _ if !attr.strings.is_empty() => AttributeType::Strings,
        _ => AttributeType::Ints,
    }
}

fn text(name: &str, bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).or_else(|_| bad(format!("attribute `{name}` is not valid UTF-8")))
}

impl<'a> Cx<'a, '_> {
    fn attr(&self, name: &str, wanted: AttributeType) -> Result<Option<&'a AttributeProto>> {
        let Some(attr) = self.node.attribute.iter().find(|a| a.name == name) else {
            return Ok(None);
        };
        let found = kind(attr);
        if found != wanted {
            return bad(format!("attribute `{name}` holds {found:?} where {wanted:?} belongs"));
        }
        Ok(Some(attr))
    }

    /// Whether the node has an attribute of this name.
    pub(crate) fn has_attr(&self, name: &str) -> bool {
        self.node.attribute.iter().any(|a| a.name == name)
    }

    /// An integer, or the default.
    pub(crate) fn attr_i(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.attr_i_opt(name)?.unwrap_or(default))
    }

    /// An integer, if it is there.
    pub(crate) fn attr_i_opt(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.attr(name, AttributeType::Int)?.map(|a| a.i.unwrap_or(0)))
    }

    /// An integer that stands for a truth value.
    pub(crate) fn attr_bool(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.attr_i(name, i64::from(default))? != 0)
    }

    /// A float, or the default. Attributes are `f32`; the default should be given as the standard's `f32` value.
    pub(crate) fn attr_f(&self, name: &str, default: f64) -> Result<f64> {
        Ok(self.attr_f_opt(name)?.unwrap_or(default))
    }

    /// A float, if it is there.
    pub(crate) fn attr_f_opt(&self, name: &str) -> Result<Option<f64>> {
        Ok(self.attr(name, AttributeType::Float)?.map(|a| f64::from(a.f.unwrap_or(0.0))))
    }

    /// A text, or the default.
    pub(crate) fn attr_s(&self, name: &str, default: &str) -> Result<String> {
        Ok(self.attr_s_opt(name)?.unwrap_or_else(|| default.into()))
    }

    /// A text, if it is there.
    pub(crate) fn attr_s_opt(&self, name: &str) -> Result<Option<String>> {
        self.attr(name, AttributeType::String)?.map(|a| text(name, a.s.as_deref().unwrap_or_default())).transpose()
    }

    /// Integers, if they are there.
    pub(crate) fn attr_ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.attr(name, AttributeType::Ints)?.map(|a| a.ints.clone()))
    }

    /// Floats, if they are there.
    pub(crate) fn attr_floats(&self, name: &str) -> Result<Option<Vec<f64>>> {
        Ok(self.attr(name, AttributeType::Floats)?.map(|a| a.floats.iter().map(|f| f64::from(*f)).collect()))
    }

    /// Texts, if they are there.
    pub(crate) fn attr_strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(attr) = self.attr(name, AttributeType::Strings)? else {
            return Ok(None);
        };
        attr.strings.iter().map(|s| text(name, s)).collect::<Result<_>>().map(Some)
    }

    /// A tensor, if it is there.
    pub(crate) fn attr_tensor(&self, name: &str) -> Result<Option<Tensor>> {
        match self.attr(name, AttributeType::Tensor)? {
            Some(AttributeProto { t: Some(t), .. }) => Ok(Some(self.decode(t)?)),
            Some(_) => bad(format!("attribute `{name}` has no tensor")),
            None => Ok(None),
        }
    }

    /// A tensor of this message, external data included.
    pub(crate) fn decode(&self, proto: &TensorProto) -> Result<Tensor> {
        Ok(crate::tensors::decode(proto, self.env.external)?)
    }

    /// A subgraph that must be there.
    pub(crate) fn attr_graph(&self, name: &str) -> Result<&'a GraphProto> {
        match self.attr(name, AttributeType::Graph)? {
            Some(AttributeProto { g: Some(g), .. }) => Ok(g),
            _ => bad(format!("attribute `{name}` with a subgraph is missing")),
        }
    }

    /// An element type given by its ONNX number, if it is there.
    pub(crate) fn attr_dtype(&self, name: &str) -> Result<Option<DType>> {
        let code = self.attr_i_opt(name)?;
        code.map(|code| {
            let code = i32::try_from(code).unwrap_or(-1);
            Ok(crate::tensors::dtype_of(code)?)
        })
        .transpose()
    }
}
