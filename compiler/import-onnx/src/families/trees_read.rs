//! Ensembles of decision trees from the attributes of their operators.

use super::kit::*;
use super::trees::{Aggregate, Ensemble, MODES, Mode, Node};

fn sizes(values: &[i64]) -> Result<Vec<usize>, ImportError> {
    let all: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok()).collect();
    all.map_or_else(|| bad("a negative position"), Ok)
}

/// Floats of an attribute that may be a tensor under another name.
pub(super) fn floats(cx: &Cx, name: &str) -> Result<Vec<f64>, ImportError> {
    if let Some(tensor) = cx.attr_tensor(&format!("{name}_as_tensor"))? {
        return Ok(tensor.iter().map(Scalar::as_f64).collect());
    }
    Ok(cx.attr_floats(name)?.unwrap_or_default())
}

/// The ensemble of version 5's attributes: inner nodes, then leaves.
pub(super) fn read_tables(cx: &Cx) -> Result<Ensemble, ImportError> {
    let ints = |name: &str| -> Result<Vec<i64>, ImportError> { Ok(cx.attr_ints(name)?.unwrap_or_default()) };
    let floats = |name: &str| -> Result<Vec<f64>, ImportError> {
        let tensor = cx.attr_tensor(name)?;
        Ok(tensor.map_or_else(Vec::new, |t| t.iter().map(Scalar::as_f64).collect()))
    };
    let modes = cx.attr_tensor("nodes_modes")?;
    let modes = modes.map_or_else(Vec::new, |t| t.to_ints());
    let (splits, features) = (floats("nodes_splits")?, ints("nodes_featureids")?);
    let to = [sizes(&ints("nodes_truenodeids")?)?, sizes(&ints("nodes_falsenodeids")?)?];
    let is_leaf = [ints("nodes_trueleafs")?, ints("nodes_falseleafs")?];
    let nan = ints("nodes_missing_value_tracks_true")?;
    let members = floats("membership_values")?;
    let mut members = members.split(|v| v.is_nan());
    let n = modes.len();
    let whole = [features.len(), splits.len(), to[0].len(), to[1].len()];
    if whole.iter().chain(&[is_leaf[0].len(), is_leaf[1].len()]).any(|len| *len != n) {
        return bad("the lists of nodes differ in length");
    }
    let mut nodes = Vec::new();
    for idx in 0..n {
        let Some(mode) = usize::try_from(modes[idx]).ok().and_then(|m| MODES.get(m)) else {
            return bad(format!("mode {} of a node", modes[idx]));
        };
        let next = |side: usize| to[side][idx] + if is_leaf[side][idx] != 0 { n } else { 0 };
        let own = (*mode == Mode::Member).then(|| members.next()).flatten();
        nodes.push(Node {
            mode: *mode,
            feature: features[idx],
            value: splits[idx],
            members: own.unwrap_or_default().to_vec(),
            nan_is_true: nan.get(idx).is_some_and(|v| *v != 0),
            if_true: next(0),
            if_false: next(1),
            weights: Vec::new(),
        });
    }
    let targets = sizes(&ints("leaf_targetids")?)?;
    for (target, weight) in targets.into_iter().zip(floats("leaf_weights")?) {
        nodes.push(leaf(nodes.len(), vec![(target, weight)]));
    }
    Ok(Ensemble {
        roots: sizes(&ints("tree_roots")?)?,
        targets: usize::try_from(cx.attr_i("n_targets", 1)?).unwrap_or(1).max(1),
        aggregate: match cx.attr_i("aggregate_function", 1)? {
            0 => Aggregate::Average,
            1 => Aggregate::Sum,
            2 => Aggregate::Min,
            3 => Aggregate::Max,
            other => return bad(format!("aggregate_function {other}")),
        },
        nodes,
    })
}

fn leaf(at: usize, weights: Vec<(usize, f64)>) -> Node {
    Node {
        mode: Mode::Leaf,
        feature: 0,
        value: 0.0,
        members: Vec::new(),
        nan_is_true: false,
        if_true: at,
        if_false: at,
        weights,
    }
}

/// The older form: nodes are named by tree and number, and may have weights for several targets.
pub(super) fn read_named(cx: &Cx) -> Result<Ensemble, ImportError> {
    let ints = |name: &str| -> Result<Vec<i64>, ImportError> { Ok(cx.attr_ints(name)?.unwrap_or_default()) };
    let floats = |name: &str| floats(cx, name);
    let (trees, numbers) = (ints("nodes_treeids")?, ints("nodes_nodeids")?);
    let keys: Vec<(i64, i64)> = trees.iter().copied().zip(numbers).collect();
    let places: std::collections::BTreeMap<(i64, i64), usize> =
        keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let modes = cx.attr_strings("nodes_modes")?.unwrap_or_default();
    let (features, values) = (ints("nodes_featureids")?, floats("nodes_values")?);
    let (if_true, if_false) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
    let nan = ints("nodes_missing_value_tracks_true")?;
    let lengths = [modes.len(), features.len(), values.len(), if_true.len(), if_false.len()];
    if lengths.iter().any(|len| *len != keys.len()) {
        return bad("the lists of nodes differ in length");
    }
    let mut nodes = Vec::new();
    for (at, (tree, _)) in keys.iter().enumerate() {
        let next = |to: &[i64]| places.get(&(*tree, to[at])).copied().unwrap_or(usize::MAX);
        let mode = match modes[at].as_str() {
            "LEAF" => {
                nodes.push(leaf(at, Vec::new()));
                continue;
            }
            "BRANCH_LEQ" => Mode::Le,
            "BRANCH_LT" => Mode::Lt,
            "BRANCH_GTE" => Mode::Ge,
            "BRANCH_GT" => Mode::Gt,
            "BRANCH_EQ" => Mode::Eq,
            "BRANCH_NEQ" => Mode::Ne,
            other => return bad(format!("mode {other} of a node")),
        };
        nodes.push(Node {
            mode,
            feature: features[at],
            value: values[at],
            members: Vec::new(),
            nan_is_true: nan.get(at).is_some_and(|v| *v != 0),
            if_true: next(&if_true),
            if_false: next(&if_false),
            weights: Vec::new(),
        });
    }
    let owners = ints("target_treeids")?.into_iter().zip(ints("target_nodeids")?);
    let weights = sizes(&ints("target_ids")?)?.into_iter().zip(floats("target_weights")?);
    for (owner, weight) in owners.zip(weights) {
        match places.get(&owner) {
            Some(at) => nodes[*at].weights.push(weight),
            None => return bad(format!("node {owner:?} has a weight but does not exist")),
        }
    }
    let mut first = std::collections::BTreeMap::new();
    for (at, tree) in trees.iter().enumerate() {
        first.entry(*tree).or_insert(at);
    }
    Ok(Ensemble {
        roots: first.into_values().collect(),
        targets: usize::try_from(cx.attr_i("n_targets", 1)?).unwrap_or(1).max(1),
        aggregate: match cx.attr_s("aggregate_function", "SUM")?.as_str() {
            "AVERAGE" => Aggregate::Average,
            "SUM" => Aggregate::Sum,
            "MIN" => Aggregate::Min,
            "MAX" => Aggregate::Max,
            other => return bad(format!("aggregate_function {other}")),
        },
        nodes,
    })
}
