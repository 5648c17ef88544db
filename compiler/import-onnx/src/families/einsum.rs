//! Einstein sums: operands are contracted one after the other.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[Row::onnx("Einsum", 12, einsum)];

/// An axis' letter; those under an ellipsis are numbered from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// A value whose axes have labels, each once.
#[derive(Clone, Debug)]
struct Term {
    value: ValueId,
    labels: Vec<Label>,
}

/// The labels of one term of the equation, for an operand of this rank.
fn labels_of(text: &str, rank: Option<usize>, widest: usize) -> Result<Vec<Label>, ImportError> {
    let (before, behind, has_ellipsis) = match text.split_once("...") {
        Some((before, behind)) => (before, behind, true),
        None => (text, "", false),
    };
    let letters = |part: &str| -> Result<Vec<Label>, ImportError> {
        let letter = |c: char| match c.is_ascii_alphabetic() {
            true => Ok(Label::Letter(c)),
            false => bad(format!("`{c}` in the equation")),
        };
        part.chars().map(letter).collect()
    };
    let (mut labels, behind) = (letters(before)?, letters(behind)?);
    if has_ellipsis {
        let n = match rank {
            Some(rank) => rank.checked_sub(labels.len() + behind.len()),
            None => Some(widest),
        };
        let Some(n) = n else {
            return bad(format!("`{text}` names more axes than the operand has"));
        };
        labels.extend((0..n).rev().map(Label::Ellipsis));
    }
    labels.extend(behind);
    if rank.is_some_and(|rank| rank != labels.len()) {
        return bad(format!("`{text}` does not fit an operand with {} axes", rank.unwrap_or(0)));
    }
    Ok(labels)
}

/// Without an arrow the result has the ellipsis, then every letter that occurs once, in alphabetic order.
fn implicit_result(terms: &[Vec<Label>]) -> Vec<Label> {
    let all: Vec<Label> = terms.concat();
    let mut result: Vec<Label> = all.clone();
    result.retain(|label| matches!(label, Label::Ellipsis(_)) || all.iter().filter(|l| *l == label).count() == 1);
    result.sort_by_key(|label| match label {
        Label::Ellipsis(n) => (0, usize::MAX - n, ' '),
        Label::Letter(c) => (1, 0, *c),
    });
    result.dedup();
    result
}

fn einsum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let equation: String = cx.attr_s("equation", "")?.split_whitespace().collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let texts: Vec<&str> = left.split(',').collect();
    if texts.len() != inputs.len() {
        return bad(format!("the equation has {} operands, the node {}", texts.len(), inputs.len()));
    }
    let (mut terms, mut all) = (Vec::new(), Vec::new());
    for (idx, text) in texts.iter().enumerate() {
        let value = cx.input(inputs, idx)?;
        let labels = labels_of(text, Some(cx.b.rank(value)), 0)?;
        all.push(labels.clone());
        terms.push(diagonal(cx, value, labels)?);
    }
    let widest = all.concat().into_iter().filter_map(|label| match label {
        Label::Ellipsis(n) => Some(n + 1),
        Label::Letter(_) => None,
    });
    let result = match right {
        Some(text) => labels_of(text, None, widest.max().unwrap_or(0))?,
        None => implicit_result(&all),
    };
    let known = all.concat();
    let mut sorted = result.clone();
    sorted.sort();
    if !sorted.is_sorted_by(|a, b| a < b) || !result.iter().all(|label| known.contains(label)) {
        return bad(format!("the result of `{equation}` names an axis twice, or one that no operand has"));
    }
    Ok(vec![contract_all(cx.b, terms, &result)?])
}

/// An operand in which a letter comes twice, reduced to its diagonal: what lies off it counts as zero and is summed.
fn diagonal(cx: &mut Cx, value: ValueId, labels: Vec<Label>) -> Result<Term, ImportError> {
    let mut term = Term { value, labels };
    while let Some((first, second)) = repeated(&term.labels) {
        let shape = cx.b.shape(term.value).to_vec();
        let iota =
            |b: &mut Builder, axis: usize| b.emit(ops::Iota { dtype: DType::I64, shape: shape.clone(), axis }, &[]);
        let (a, b) = (iota(cx.b, first)?, iota(cx.b, second)?);
        let on = cx.b.compare(CompareKind::Eq, a, b)?;
        let zero = num(cx.b, term.value, 0.0)?;
        let kept = cx.b.select(on, term.value, zero)?;
        term.value = cx.b.reduce(ReduceKind::Sum, kept, &[second], false)?;
        term.labels.remove(second);
    }
    Ok(term)
}

fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    let second = (1..labels.len()).find(|at| labels[..*at].contains(&labels[*at]))?;
    let first = labels.iter().position(|label| *label == labels[second])?;
    Some((first, second))
}

fn contract_all(b: &mut Builder, terms: Vec<Term>, result: &[Label]) -> One {
    let extents = extents(b, &terms);
    let mut rest = terms.into_iter();
    let mut left = match rest.next() {
        Some(first) => without_ones(b, first, &extents)?,
        None => return bad("there is no operand"),
    };
    let mut rest: Vec<Term> = rest.collect();
    while !rest.is_empty() {
        let right = rest.remove(0);
        let right = without_ones(b, right, &extents)?;
        let needed = |label: &Label| result.contains(label) || rest.iter().any(|t| t.labels.contains(label));
        left = contract(b, left, right, &needed)?;
    }
    let left = summed(b, left, &|label| result.contains(label))?;
    arranged(b, left, result, &extents)
}

/// The size of each label: of those given, one that is not 1.
fn extents(b: &Builder, terms: &[Term]) -> std::collections::BTreeMap<Label, Dim> {
    let mut extents = std::collections::BTreeMap::new();
    for term in terms {
        for (label, dim) in term.labels.iter().zip(b.shape(term.value)) {
            let known = extents.entry(*label).or_insert_with(|| dim.clone());
            if known.as_const() == Some(1) || (known.as_const().is_none() && dim.as_const().is_some_and(|d| d != 1)) {
                *known = dim.clone();
            }
        }
    }
    extents
}

/// Axes of size 1 that stand for a larger one are dropped: their element counts for each index.
fn without_ones(
    b: &mut Builder,
    term: Term,
    extents: &std::collections::BTreeMap<Label, Dim>,
) -> Result<Term, ImportError> {
    let shape = b.shape(term.value).to_vec();
    let stays = |at: &usize| shape[*at].as_const() != Some(1) || extents[&term.labels[*at]].as_const() == Some(1);
    let kept: Vec<usize> = (0..shape.len()).filter(stays).collect();
    let dims = kept.iter().map(|at| shape[*at].clone()).collect();
    Ok(Term { value: b.reshape(term.value, dims)?, labels: kept.iter().map(|at| term.labels[*at]).collect() })
}

/// The term with the axes that nobody needs summed.
fn summed(b: &mut Builder, term: Term, needed: &dyn Fn(&Label) -> bool) -> Result<Term, ImportError> {
    let axes: Vec<usize> = (0..term.labels.len()).filter(|at| !needed(&term.labels[*at])).collect();
    Ok(Term {
        value: b.reduce(ReduceKind::Sum, term.value, &axes, false)?,
        labels: term.labels.into_iter().filter(|label| needed(label)).collect(),
    })
}

fn contract(b: &mut Builder, left: Term, right: Term, needed: &dyn Fn(&Label) -> bool) -> Result<Term, ImportError> {
    let (ours, theirs) = (left.labels.clone(), right.labels.clone());
    let left = summed(b, left, &|label| needed(label) || theirs.contains(label))?;
    let right = summed(b, right, &|label| needed(label) || ours.contains(label))?;
    let axes = |term: &Term, labels: &[Label]| -> Vec<usize> {
        let at = |label: &Label| term.labels.iter().position(|l| l == label).unwrap_or(0);
        labels.iter().map(at).collect()
    };
    let shared = left.labels.iter().copied().filter(|label| right.labels.contains(label));
    let (batch, summed): (Vec<Label>, Vec<Label>) = shared.partition(|label| needed(label));
    let free = |term: &Term| -> Vec<Label> {
        let own = term.labels.iter().copied();
        own.filter(|label| !batch.contains(label) && !summed.contains(label)).collect()
    };
    let labels = [batch.clone(), free(&left), free(&right)].concat();
    let out = b.dtype(left.value);
    let (lb, ls) = (axes(&left, &batch), axes(&left, &summed));
    let (rb, rs) = (axes(&right, &batch), axes(&right, &summed));
    let value = dot(b, (left.value, &lb, &ls), (right.value, &rb, &rs), out)?;
    Ok(Term { value, labels })
}

/// Axes in the order of the result; those that were dropped as ones come back.
fn arranged(b: &mut Builder, term: Term, result: &[Label], extents: &std::collections::BTreeMap<Label, Dim>) -> One {
    let present: Vec<Label> = result.iter().copied().filter(|label| term.labels.contains(label)).collect();
    let at = |label: &Label| term.labels.iter().position(|l| l == label).unwrap_or(0);
    let value = b.transpose(term.value, present.iter().map(at).collect())?;
    let shape: Vec<Dim> = result.iter().map(|label| extents[label].clone()).collect();
    let own = |label: &Label| {
        if present.contains(label) { extents[label].clone() } else { 1.into() }
    };
    let value = b.reshape(value, result.iter().map(own).collect())?;
    Ok(b.broadcast(value, shape)?)
}
