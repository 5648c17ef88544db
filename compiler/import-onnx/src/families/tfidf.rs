//! Counts of token sequences: `TfIdfVectorizer` over integers.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[Row::onnx("TfIdfVectorizer", 9, tf_idf)];

/// Token sequences of one length from the pool.
struct Group {
    length: usize,
    /// Row-major, `length` tokens each.
    tokens: Vec<i64>,
    /// Where each sequence's count goes.
    places: Vec<i64>,
}

fn required(cx: &Cx, name: &str) -> Result<Vec<i64>, ImportError> {
    match cx.attr_ints(name)? {
        Some(ints) => Ok(ints),
        None => bad(format!("attribute `{name}` is missing")),
    }
}

/// The pool, cut at the offsets into sequences of 1, 2, .. tokens.
fn groups(cx: &Cx) -> Result<Vec<Group>, ImportError> {
    if cx.has_attr("pool_strings") {
        return unsupported("tensors of strings are not supported");
    }
    let pool = required(cx, "pool_int64s")?;
    let (starts, places) = (required(cx, "ngram_counts")?, required(cx, "ngram_indexes")?);
    let mut places = places.into_iter();
    let mut groups = Vec::new();
    for (idx, start) in starts.iter().enumerate() {
        let end = starts.get(idx + 1).copied().unwrap_or(pool.len() as i64);
        let range = usize::try_from(*start).ok().zip(usize::try_from(end).ok());
        let part = range.and_then(|(start, end)| pool.get(start..end));
        let length = idx + 1;
        let Some(tokens) = part.filter(|tokens| tokens.len() % length == 0) else {
            return bad("`ngram_counts` does not cut `pool_int64s` into whole sequences");
        };
        let own: Vec<i64> = places.by_ref().take(tokens.len() / length).collect();
        if own.len() * length != tokens.len() || own.iter().any(|place| *place < 0) {
            return bad("`ngram_indexes` does not have one place for each sequence of the pool");
        }
        groups.push(Group { length, tokens: tokens.to_vec(), places: own });
    }
    Ok(groups)
}

/// How often each sequence of the group occurs in `x[n, c]` with `skip` tokens left out between its tokens: `f32[n, sequences]`.
fn counts(b: &mut Builder, x: ValueId, group: &Group, skip: usize) -> Result<Option<ValueId>, ImportError> {
    let n_sequences = group.places.len();
    let reach = (group.length - 1) * (skip + 1);
    let extent = b.shape(x)[1].clone();
    let windows = (extent - reach.into()).max(0.into());
    if windows.as_const() == Some(0) {
        return Ok(None);
    }
    let mut all: Option<ValueId> = None;
    for at in 0..group.length {
        let part = slice_axis(b, x, 1, at * (skip + 1), windows.clone())?;
        let part = unsqueeze(b, part, 1)?;
        let wanted = group.tokens.iter().skip(at).step_by(group.length).copied().collect();
        let wanted = b.constant(Tensor::from_vec(vec![n_sequences, 1], wanted))?;
        let same = b.compare(CompareKind::Eq, part, wanted)?;
        all = Some(match all {
            Some(before) => b.binary(BinaryKind::And, before, same)?,
            None => same,
        });
    }
    let Some(all) = all else { return Ok(None) };
    let ones = b.cast(all, DType::F32)?;
    Ok(Some(b.reduce(ReduceKind::Sum, ones, &[2], false)?))
}

fn tf_idf(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let x = cx.b.cast(x, DType::I64)?;
    let is_vector = cx.b.rank(x) == 1;
    let x = if is_vector { unsqueeze(cx.b, x, 0)? } else { x };
    if cx.b.rank(x) != 2 {
        return bad(format!("{} is neither a vector nor a matrix", cx.b.ty(x)));
    }
    let natural = |name: &str| -> Result<usize, ImportError> {
        let value = cx.attr_i(name, 0)?;
        usize::try_from(value).or_else(|_| bad(format!("attribute `{name}` is {value}")))
    };
    let lengths = natural("min_gram_length")?..=natural("max_gram_length")?;
    let most_skipped = natural("max_skip_count")?.min(1 << 10);
    let groups = groups(cx)?;
    let n_places = groups.iter().flat_map(|g| &g.places).max().map_or(0, |most| most + 1);
    let mut total: Option<ValueId> = None;
    for group in groups.iter().filter(|g| lengths.contains(&g.length) && !g.places.is_empty()) {
        // Without gaps to widen, single tokens are counted once.
        let skips = if group.length == 1 { 0 } else { most_skipped };
        for skip in 0..=skips {
            let Some(count) = counts(cx.b, x, group, skip)? else {
                continue;
            };
            let placed = place(cx.b, count, group, n_places)?;
            total = Some(match total {
                Some(before) => cx.b.add(before, placed)?,
                None => placed,
            });
        }
    }
    let total = match total {
        Some(total) => total,
        None => {
            let zero = cx.b.scalar(DType::F32, 0.0)?;
            let rows = cx.b.shape(x)[0].clone();
            cx.b.broadcast(zero, vec![rows, n_places.into()])?
        }
    };
    let result = weighted(cx, total, n_places as usize)?;
    Ok(vec![if is_vector { pick(cx.b, result, 0, 0)? } else { result }])
}

/// Counts at their places, by a matrix of zeros and ones.
fn place(b: &mut Builder, count: ValueId, group: &Group, n_places: i64) -> One {
    let n_places = n_places as usize;
    let mut matrix = vec![0f32; group.places.len() * n_places];
    for (row, at) in group.places.iter().enumerate() {
        matrix[row * n_places + *at as usize] = 1.0;
    }
    let matrix = b.constant(Tensor::from_vec(vec![group.places.len(), n_places], matrix))?;
    dot(b, (count, &[], &[1]), (matrix, &[], &[0]), DType::F32)
}

/// Counts, weights where something was counted, or both multiplied.
fn weighted(cx: &mut Cx, count: ValueId, n_places: usize) -> One {
    let mode = cx.attr_s("mode", "")?;
    if mode == "TF" {
        return Ok(count);
    }
    let weights = match cx.attr_floats("weights")? {
        Some(weights) if weights.len() == n_places => weights.into_iter().map(|w| w as f32).collect(),
        Some(weights) => return bad(format!("{} weights for {n_places} places", weights.len())),
        None => vec![1.0; n_places],
    };
    let weights = cx.b.constant(Tensor::from_vec(vec![n_places], weights))?;
    match mode.as_str() {
        "TFIDF" => Ok(cx.b.mul(count, weights)?),
        "IDF" => {
            let seen = compare_num(cx.b, CompareKind::Gt, count, 0.0)?;
            let zero = num(cx.b, count, 0.0)?;
            Ok(cx.b.select(seen, weights, zero)?)
        }
        other => bad(format!("mode `{other}` is none of TF, IDF, TFIDF")),
    }
}
