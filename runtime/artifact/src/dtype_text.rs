//! Element types are stored by name, so that a new type never changes the meaning of an old file.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use tensor::DType;

pub(crate) fn serialize<S: Serializer>(dtype: &DType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dtype.name())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DType, D::Error> {
    let name = <&str>::deserialize(deserializer)?;
    name.parse().map_err(D::Error::custom)
}
