//! Tensors for a model's inputs: from files, or made up.

use crate::Failure;
use artifact::{Signature, SymbolRange};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tensor::{Dim, Scalar, Symbol, Tensor};

/// `NAME=FILE`, or `FILE.npz` whose members are named like the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpec {
    /// The input; none for a whole archive.
    pub name: Option<String>,
    /// The file.
    pub path: PathBuf,
}

impl std::str::FromStr for InputSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A name may contain `=`; then the split that leads to a file is meant.
        let splits = || text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let split = splits().find(|(_, path)| Path::new(path).exists()).or_else(|| splits().next());
        match split {
            Some((name, path)) => Ok(InputSpec { name: Some(name.into()), path: path.into() }),
            None if text.ends_with(".npz") => Ok(InputSpec { name: None, path: text.into() }),
            None => Err(format!("`{text}` is not NAME=FILE or FILE.npz")),
        }
    }
}

/// `NAME=NUMBER`, for symbolic dimensions.
pub fn parse_dim(text: &str) -> Result<(String, i64), String> {
    let parsed = text.split_once('=').and_then(|(name, value)| Some((name.to_string(), value.parse().ok()?)));
    parsed.filter(|(_, value)| *value >= 0).ok_or_else(|| format!("`{text}` is not NAME=NUMBER"))
}

/// Reads the given files. A later one replaces an earlier one of the same name.
pub fn from_files(signatures: &[Signature], specs: &[InputSpec]) -> Result<BTreeMap<String, Tensor>, Failure> {
    let mut tensors = BTreeMap::new();
    for spec in specs {
        let file = std::fs::read(&spec.path).map(Bytes::from);
        let file = file.map_err(|e| Failure::Input(format!("cannot read `{}`: {e}", spec.path.display())))?;
        let in_file = |e: npy::Error| Failure::Input(format!("`{}`: {e}", spec.path.display()));
        let is_archive = file.starts_with(b"PK");
        let members = match (&spec.name, is_archive) {
            (Some(name), false) => vec![(name.clone(), file)],
            (Some(name), true) => {
                let members = npy::read_npz(&file).map_err(in_file)?;
                let alone = members.len() == 1;
                let found = members.into_iter().find(|(member, _)| member == name || alone);
                let missing = || Failure::Input(format!("`{}` has no member `{name}`", spec.path.display()));
                vec![(name.clone(), found.ok_or_else(missing)?.1)]
            }
            (None, _) => npy::read_npz(&file).map_err(in_file)?,
        };
        for (name, data) in members {
            let Some(signature) = signatures.iter().find(|signature| signature.name == name) else {
                let known: Vec<&str> = signatures.iter().map(|signature| signature.name.as_str()).collect();
                return Err(Failure::Input(format!("the model has no input `{name}`; it takes {}", known.join(", "))));
            };
            tensors.insert(name, npy::read(&data, Some(signature.dtype)).map_err(in_file)?);
        }
    }
    Ok(tensors)
}

/// Makes up a tensor for every input that has none: floats in `[0, 1)`, integers from 0 to 9, truth values.
///
/// Symbolic dimensions get the values in `dims`, or those of the given tensors, else 1 or what is nearest in their range.
pub fn fill_randomly(
    signatures: &[Signature],
    tensors: &mut BTreeMap<String, Tensor>,
    seed: u64,
    dims: &BTreeMap<String, i64>,
    ranges: &[SymbolRange],
) -> Result<(), Failure> {
    let mut known = dims.clone();
    for signature in signatures {
        let Some(tensor) = tensors.get(&signature.name) else {
            continue;
        };
        for (extent, text) in tensor.shape().iter().zip(&signature.shape) {
            if let Some(symbol) = text.parse::<Dim>().ok().as_ref().and_then(Dim::as_symbol) {
                known.entry(symbol.name().into()).or_insert(*extent as i64);
            }
        }
    }
    for found in ranges {
        known.entry(found.symbol.clone()).or_insert(found.range().nearest(1));
    }
    let mut state = seed;
    for signature in signatures {
        if !tensors.contains_key(&signature.name) {
            tensors.insert(signature.name.clone(), random(signature, &mut state, &known)?);
        }
    }
    Ok(())
}

fn random(signature: &Signature, state: &mut u64, dims: &BTreeMap<String, i64>) -> Result<Tensor, Failure> {
    let wrong = |text: &str| Failure::Input(format!("input `{}`: the extent `{text}` is not possible", signature.name));
    let lookup = |symbol: &Symbol| Some(dims.get(symbol.name()).copied().unwrap_or(1));
    let extent = |text: &String| {
        let value = text.parse::<Dim>().ok().and_then(|dim| dim.eval(&lookup));
        value.and_then(|value| usize::try_from(value).ok()).ok_or_else(|| wrong(text))
    };
    let shape = signature.shape.iter().map(extent).collect::<Result<Vec<_>, _>>()?;
    let total = shape.iter().try_fold(signature.dtype.size(), |total, extent| total.checked_mul(*extent));
    if total.is_none_or(|total| total > 1 << 36) {
        return Err(Failure::Input(format!(
            "input `{}`: a tensor of shape {shape:?} is too large to make up",
            signature.name
        )));
    }
    let is_float = signature.dtype.is_float();
    Ok(Tensor::build(signature.dtype, shape, |_| {
        let bits = next(state);
        if is_float {
            Scalar::Float((bits >> 11) as f64 / (1u64 << 53) as f64)
        } else {
            Scalar::Int((bits % 10).into())
        }
    }))
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::DType;

    fn signatures() -> Vec<Signature> {
        let of = |name: &str, dtype, shape: &[&str]| Signature {
            name: name.into(),
            dtype,
            shape: shape.iter().map(|s| s.to_string()).collect(),
        };
        vec![of("x", DType::F32, &["N", "2"]), of("ids", DType::I64, &["N", "2*L+1"]), of("b", DType::BF16, &[])]
    }

    #[test]
    fn specs() {
        let spec = |name: Option<&str>, path: &str| InputSpec { name: name.map(String::from), path: path.into() };
        assert_eq!("x=a.npy".parse(), Ok(spec(Some("x"), "a.npy")));
        assert_eq!("all.npz".parse(), Ok(spec(None, "all.npz")));
        assert!("a.npy".parse::<InputSpec>().is_err());
        assert_eq!(parse_dim("N=3"), Ok(("N".into(), 3)));
        assert!(parse_dim("N=-1").is_err() && parse_dim("N").is_err());
    }

    #[test]
    fn random_inputs_follow_shapes_and_seed() {
        let mut given = BTreeMap::from([("x".to_string(), Tensor::from_vec(vec![3, 2], vec![0.0f32; 6]))]);
        let dims = BTreeMap::from([("L".to_string(), 2)]);
        fill_randomly(&signatures(), &mut given, 7, &dims, &[]).unwrap();
        assert_eq!(given["ids"].shape(), [3, 5]);
        assert!(given["ids"].to_ints().iter().all(|v| (0..10).contains(v)));
        let all = |seed| {
            let mut tensors = BTreeMap::new();
            let range = SymbolRange { symbol: "N".into(), name: "n".into(), low: 3, high: Some(9), is_assumed: false };
            fill_randomly(&signatures(), &mut tensors, seed, &dims, &[range]).unwrap();
            tensors
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert_eq!(all(1)["x"].shape(), [3, 2]);
        let huge = BTreeMap::from([("N".to_string(), 1 << 40)]);
        let error = fill_randomly(&signatures(), &mut BTreeMap::new(), 1, &huge, &[]).unwrap_err();
        assert!(error.to_string().contains("too large") && error.exit_code() == 3, "{error}");
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let x = Tensor::from_vec(vec![1, 2], vec![1.0f32, 2.0]);
        let ids = Tensor::from_vec(vec![1, 3], vec![1i64, 2, 3]);
        let (npz, npy) = (folder.path().join("all.npz"), folder.path().join("x.npy"));
        npy::save_npz(&npz, [("x", &x), ("ids", &ids)]).unwrap();
        npy::write(&x, &mut std::fs::File::create(&npy).unwrap()).unwrap();
        let read = |texts: &[String]| {
            let specs: Vec<InputSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
            from_files(&signatures(), &specs)
        };
        let [npz, npy] = [npz, npy].map(|path| path.display().to_string());
        assert_eq!(read(std::slice::from_ref(&npz)).unwrap()["ids"], ids);
        assert_eq!(read(&[format!("x={npy}")]).unwrap()["x"], x);
        assert_eq!(read(&[format!("ids={npz}")]).unwrap().len(), 1);
        let error = |texts: &[String]| read(texts).unwrap_err().to_string();
        assert!(error(&[format!("q={npy}")]).contains("no input `q`; it takes x, ids, b"));
        assert!(error(&[format!("b={npz}")]).contains("no member `b`"));
        assert!(error(&["x=/no/such.npy".into()]).contains("cannot read `/no/such.npy`"));
    }
}
