//! Parts of tensors, and tensors put together.

use super::kit::*;
use tensor::Bounds;

/// The family's table.
pub(crate) const ROWS: &[Row] =
    &[Row::onnx("Concat", 1, concat_row), Row::onnx("Split", 2, split), Row::onnx("Slice", 1, slice)];

fn concat_row(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let values: Vec<ValueId> = (0..inputs.len()).map(|idx| cx.input(inputs, idx)).collect::<Result<_, _>>()?;
    let first = cx.input(inputs, 0)?;
    let axis = match cx.attr_i_opt("axis")? {
        Some(axis) => axis,
        None if cx.opset < 4 => 1,
        None => return bad("attribute `axis` is missing"),
    };
    let axis = cx.axis(axis, cx.b.rank(first))?;
    Ok(vec![concat(cx.b, &values, axis)?])
}

fn split(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    let whole = cx.b.shape(x)[axis].clone();
    let sizes = match (cx.opt(inputs, 1), cx.attr_ints("split")?) {
        (Some(sizes), _) => cx.runtime_dims(sizes)?,
        (None, Some(sizes)) => sizes.into_iter().map(Dim::from).collect(),
        (None, None) => equal_parts(cx, &whole)?,
    };
    if sizes.len() < cx.node.output.len() {
        return bad(format!("{} parts for {} results", sizes.len(), cx.node.output.len()));
    }
    let total = sizes.iter().fold(Dim::from(0), |sum, size| sum + size.clone());
    if (total.clone() - whole.clone()).as_const().is_some_and(|d| d != 0) {
        return bad(format!("the parts have {total} elements together, the axis {whole}"));
    }
    let mut start = Dim::from(0);
    let mut parts = Vec::new();
    for size in sizes {
        parts.push(slice_axis(cx.b, x, axis, start.clone(), size.clone())?);
        start = start + size;
    }
    Ok(parts)
}

/// As many equal parts as there are results; since opset 18 the last ones may be smaller.
fn equal_parts(cx: &Cx, whole: &Dim) -> Result<Vec<Dim>, ImportError> {
    let stated = cx.attr_i_opt("num_outputs")?;
    let n = stated.unwrap_or(cx.node.output.len() as i64);
    if !(1..=1 << 16).contains(&n) {
        return bad(format!("{n} parts"));
    }
    if cx.opset < 18 && whole.as_const().is_some_and(|d| d % n != 0) {
        return bad(format!("{whole} elements do not make {n} equal parts"));
    }
    let size = whole.clone().ceil_div(n.into());
    if whole.clone().modulo(n.into()).as_const() == Some(0) || cx.opset < 18 {
        return Ok(vec![size; n as usize]);
    }
    let part = |idx: i64| {
        let left = whole.clone() - size.clone() * idx.into();
        left.min(size.clone()).max(0.into())
    };
    Ok((0..n).map(part).collect())
}

/// The operands of `Slice`, one entry for each axis that is cut.
struct Cut {
    axis: usize,
    start: Dim,
    end: Dim,
    step: i64,
    /// Whether start and end are followed from shapes, so that a sum of sizes in them is not negative.
    followed: bool,
}

fn slice(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let shape = cx.b.shape(x).to_vec();
    let mut starts = vec![Dim::from(0); shape.len()];
    let (mut sizes, mut steps) = (shape.clone(), vec![1; shape.len()]);
    for cut in cuts(cx, inputs, shape.len())? {
        let (start, size) = cut.range(&shape[cut.axis], cx.b.bounds());
        steps[cut.axis] = cut.step;
        sizes[cut.axis] = size;
        starts[cut.axis] = start;
    }
    if starts.iter().all(|d| d.as_const() == Some(0)) && sizes == shape && steps.iter().all(|s| *s == 1) {
        return Ok(vec![x]);
    }
    Ok(vec![cx.b.emit(ops::Slice { starts, sizes, steps }, &[x])?])
}

fn cuts(cx: &mut Cx, inputs: Inputs, rank: usize) -> Result<Vec<Cut>, ImportError> {
    let constants = |ints: Vec<i64>| ints.into_iter().map(Dim::from).collect::<Vec<Dim>>();
    let missing = |name: &str| ImportError::Bad(format!("`{name}` is missing"));
    let (starts, ends, axes, steps, followed) = if cx.opset < 10 {
        let starts = cx.attr_ints("starts")?.ok_or_else(|| missing("starts"))?;
        let ends = cx.attr_ints("ends")?.ok_or_else(|| missing("ends"))?;
        (constants(starts), constants(ends), cx.attr_ints("axes")?, None, true)
    } else {
        let (starts, ends) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
        let followed = cx.known_dims(starts).is_some() && cx.known_dims(ends).is_some();
        let axes = cx.opt(inputs, 3).map(|v| cx.const_ints(v)).transpose()?;
        let steps = cx.opt(inputs, 4).map(|v| cx.const_ints(v)).transpose()?;
        (cx.runtime_dims(starts)?, cx.runtime_dims(ends)?, axes, steps, followed)
    };
    let n = starts.len();
    let axes = axes.unwrap_or_else(|| (0..n as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; n]);
    if [ends.len(), axes.len(), steps.len()] != [n, n, n] {
        return bad(format!("{n} starts, {} ends, {} axes and {} steps", ends.len(), axes.len(), steps.len()));
    }
    if steps.contains(&0) {
        return bad("a step is 0");
    }
    let axes = cx.axes(&axes, rank)?;
    let parts = axes.into_iter().zip(starts).zip(ends).zip(steps);
    Ok(parts.map(|(((axis, start), end), step)| Cut { axis, start, end, step, followed }).collect())
}

fn at_least(dim: Dim, least: i64, bounds: &Bounds) -> Dim {
    if bounds.is_non_negative_if_not_empty(&(dim.clone() - least.into())) {
        return dim;
    }
    bounds.max(dim, least.into())
}

fn at_most(dim: Dim, most: &Dim, bounds: &Bounds) -> Dim {
    if bounds.is_non_negative_if_not_empty(&(most.clone() - dim.clone())) {
        return dim;
    }
    bounds.min(dim, most.clone())
}

impl Cut {
    /// An index counted from the end where it is negative.
    fn counted_from_front(&self, at: &Dim, extent: &Dim, bounds: &Bounds) -> Dim {
        match at.as_const() {
            // The ends of the integer ranges mean "as far as it goes", and must not overflow.
            Some(c) if c <= -(1 << 31) => Dim::from(-1) - extent.clone(),
            Some(c) if c < 0 => extent.clone() + c.into(),
            Some(c) if c >= (1 << 31) - 1 => extent.clone(),
            Some(_) => at.clone(),
            None if self.followed && bounds.is_non_negative_if_not_empty(at) => at.clone(),
            None if self.followed && bounds.is_non_negative_if_not_empty(&(Dim::from(-1) - at.clone())) => {
                at.clone() + extent.clone()
            }
            None => Dim::select_eq(at.clone().max(0.into()), at.clone(), at.clone(), at.clone() + extent.clone()),
        }
    }

    /// First index and number of elements, by NumPy's rules.
    fn range(&self, extent: &Dim, bounds: &Bounds) -> (Dim, Dim) {
        let start = self.counted_from_front(&self.start, extent, bounds);
        let end = self.counted_from_front(&self.end, extent, bounds);
        if self.step > 0 {
            let start = at_most(at_least(start, 0, bounds), extent, bounds);
            let end = at_most(at_least(end, 0, bounds), extent, bounds);
            let size = at_least((end - start.clone()).ceil_div(self.step.into()), 0, bounds);
            (start, size)
        } else {
            let last = extent.clone() - 1.into();
            let start = at_most(at_least(start, -1, bounds), &last, bounds);
            let end = at_most(at_least(end, -1, bounds), &last, bounds);
            let step = Dim::from(self.step.saturating_neg());
            let size = at_least((start.clone() - end).ceil_div(step), 0, bounds);
            (start, size)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(extent: Dim, start: i64, end: i64, step: i64, bounds: &Bounds) -> (Dim, Dim) {
        let cut = Cut { axis: 0, start: start.into(), end: end.into(), step, followed: true };
        cut.range(&extent, bounds)
    }

    fn not_empty() -> Bounds {
        let mut bounds = Bounds::default();
        bounds.assume_not_empty(tensor::Symbol::new("N"));
        bounds
    }

    /// What NumPy's `range(n)[start:end:step]` has: first element and length.
    fn expected(n: i64, start: i64, end: i64, step: i64) -> (Option<i64>, i64) {
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let clamp = |at: i64| (if at < 0 { at.saturating_add(n) } else { at }).clamp(low, high);
        let (mut at, end) = (clamp(start), clamp(end));
        let mut seen = Vec::new();
        while (step > 0 && at < end) || (step < 0 && at > end) {
            seen.push(at);
            at += step;
        }
        (seen.first().copied(), seen.len() as i64)
    }

    #[test]
    fn constant_and_symbolic_ranges_agree_with_numpy() {
        let ends = [i64::MIN, -100, -3, -1, 0, 1, 2, 5, 100, i64::from(i32::MAX), i64::MAX];
        for n in 0..5 {
            // Where nothing is assumed, an empty axis is right too.
            let bounds = if n == 0 { Bounds::default() } else { not_empty() };
            for start in ends {
                for end in ends {
                    for step in [-3, -1, 1, 2, 7] {
                        let (first, len) = expected(n, start, end, step);
                        let symbolic = range(Dim::symbol("N"), start, end, step, &bounds);
                        for (at, size) in [range(n.into(), start, end, step, &bounds), symbolic] {
                            let value = |d: &Dim| d.eval(&|_| Some(n)).unwrap();
                            assert_eq!(value(&size), len, "{n} [{start}:{end}:{step}] {size}");
                            if let Some(first) = first {
                                assert_eq!(value(&at), first, "{n} [{start}:{end}:{step}] {at}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn common_symbolic_slices_stay_simple() {
        let (n, bounds) = (Dim::symbol("N"), not_empty());
        assert_eq!(range(n.clone(), 0, i64::MAX, 1, &bounds), (0.into(), n.clone()));
        assert!(bounds.assumed().is_empty(), "the whole axis needs no assumption");
        assert_eq!(range(n.clone(), -1, i64::MAX, 1, &bounds), (n.clone() - 1.into(), 1.into()));
        assert_eq!(range(n.clone(), 0, -1, 1, &bounds), (0.into(), n.clone() - 1.into()));
        assert_eq!(range(n.clone(), 1, i64::MAX, 1, &bounds), (1.into(), n - 1.into()));
        assert_eq!(bounds.assumed().len(), 1);
    }

    #[test]
    fn ranges_decide_how_a_slice_is_cut() {
        let (n, mut bounds) = (Dim::symbol("N"), Bounds::default());
        bounds.promise(tensor::Symbol::new("N"), tensor::Range { low: 0, high: Some(64) });
        assert_eq!(range(n.clone(), 0, 64, 1, &bounds), (0.into(), n.clone()));
        assert_eq!(range(n.clone(), 0, -1, 1, &bounds).1, (n.clone() - 1.into()).max(0.into()));
        bounds.promise(tensor::Symbol::new("N"), tensor::Range { low: 64, high: None });
        assert_eq!(range(n, 0, 64, 1, &bounds), (0.into(), 64.into()));
    }
}
