//! Reshapes: axes joined and split, group by group.

use super::form::{Form, Result, Tens, size};
use kernels::text::Scalar;
use std::ops::Range;
use tensor::Dim;

/// Neighboring axes of one shape that hold the same elements as neighboring axes of another.
type Group = (Range<usize>, Range<usize>);

/// The finest groups; all axes in one if the shapes cannot be told to agree in part.
fn groups(from: &[Dim], to: &[Dim]) -> Vec<Group> {
    let product = |dims: &[Dim]| dims.iter().fold(Dim::from(1), |a, b| a * b.clone());
    let mut found: Vec<Group> = vec![];
    let (mut a, mut b) = (0, 0);
    while a < from.len() && b < to.len() {
        let ends = (a + 1..=from.len()).flat_map(|i| (b + 1..=to.len()).map(move |j| (i, j)));
        let mut ends: Vec<(usize, usize)> =
            ends.filter(|(i, j)| product(&from[a..*i]) == product(&to[b..*j])).collect();
        ends.sort_by_key(|(i, j)| i - a + j - b);
        let Some((i, j)) = ends.first().copied() else { break };
        found.push((a..i, b..j));
        (a, b) = (i, j);
    }
    let rest = (&from[a..], &to[b..]);
    let only_ones = rest.0.iter().chain(rest.1).all(|dim| *dim == Dim::from(1));
    match found.last_mut() {
        Some((f, t)) if only_ones => (f.end, t.end) = (from.len(), to.len()),
        _ if a < from.len() || b < to.len() => return vec![(0..from.len(), 0..to.len())],
        _ => {}
    }
    found
}

fn list(groups: &[Range<usize>]) -> String {
    let each = |group: &Range<usize>| {
        let axes: Vec<String> = group.clone().map(|axis| axis.to_string()).collect();
        format!("[{}]", axes.join(", "))
    };
    format!("[{}]", groups.iter().map(each).collect::<Vec<_>>().join(", "))
}

/// The size of a group: a number only if every axis is one, as MLIR wants it.
fn joined(dims: &[Dim], symbol: &Dim) -> Dim {
    let known = dims.iter().map(size).try_fold(1, |product, n| Some(product * n?));
    known.map_or(symbol.clone(), Dim::from)
}

impl Form<'_> {
    /// A tensor under another shape with as many elements.
    pub(super) fn reshape(&mut self, tens: &Tens, shape: &[Dim]) -> Result<Tens> {
        if tens.shape == shape {
            return Ok(tens.clone());
        }
        // MLIR's passes stumble over axes that are made of none, and over the reverse.
        match (tens.rank(), shape.len()) {
            (0, _) => return self.spread_scalar(tens, shape),
            (_, 0) => return Ok(self.only_element(tens)),
            _ => {}
        }
        let groups = groups(&tens.shape, shape);
        let product = |dims: &[Dim]| dims.iter().fold(Dim::from(1), |a, b| a * b.clone());
        let before: Vec<Dim> =
            groups.iter().map(|(f, _)| joined(&tens.shape[f.clone()], &product(&tens.shape[f.clone()]))).collect();
        let after: Vec<Dim> =
            groups.iter().map(|(_, t)| joined(&shape[t.clone()], &product(&shape[t.clone()]))).collect();
        let joins: Vec<Range<usize>> = groups.iter().map(|(f, _)| f.clone()).collect();
        let splits: Vec<Range<usize>> = groups.iter().map(|(_, t)| t.clone()).collect();
        let flat = match groups.len() == tens.rank() {
            true => tens.clone(),
            false => self.collapse(tens, &joins, &before),
        };
        let flat = self.cast_shape(flat, &after);
        if groups.len() == shape.len() { Ok(flat) } else { self.expand(&flat, &splits, shape) }
    }

    /// The one element along axes that have one.
    fn spread_scalar(&mut self, tens: &Tens, shape: &[Dim]) -> Result<Tens> {
        let ones = vec![Dim::from(1); shape.len()];
        let into = self.empty(tens.elem, &ones)?;
        let axes: Vec<String> = (0..shape.len()).map(|axis| axis.to_string()).collect();
        let spread = self.define(tens.elem, &ones, |ty| {
            let (x, from, into, axes) = (&tens.name, tens.ty(), &into.name, axes.join(", "));
            format!("linalg.broadcast ins({x} : {from}) outs({into} : {ty}) dimensions = [{axes}]")
        });
        Ok(self.cast_shape(spread, shape))
    }

    /// The one element without axes.
    fn only_element(&mut self, tens: &Tens) -> Tens {
        let zero = self.index(0);
        let zeros = vec![zero.to_string(); tens.rank()].join(", ");
        let element =
            self.w.op(tens.elem.into(), format_args!("tensor.extract {}[{zeros}] : {}", tens.name, tens.ty()));
        self.define(tens.elem, &[], |ty| format!("tensor.from_elements {element} : {ty}"))
    }

    fn collapse(&mut self, tens: &Tens, groups: &[Range<usize>], shape: &[Dim]) -> Tens {
        let (name, ty, groups) = (tens.name.clone(), tens.ty(), list(groups));
        self.define(tens.elem, shape, |to| format!("tensor.collapse_shape {name} {groups} : {ty} into {to}"))
    }

    /// Splits axes.
    pub(super) fn expand(&mut self, tens: &Tens, groups: &[Range<usize>], shape: &[Dim]) -> Result<Tens> {
        let open = |group: &Range<usize>| shape[group.clone()].iter().filter(|dim| size(dim).is_none()).count();
        if groups.iter().any(|group| open(group) > 1) {
            // MLIR's passes cannot split an axis into several of unknown size.
            return self.reshape_by_sizes(tens, shape);
        }
        let sizes = self.mixed(shape)?;
        let (name, ty, groups) = (tens.name.clone(), tens.ty(), list(groups));
        Ok(self.define(tens.elem, shape, |to| {
            format!("tensor.expand_shape {name} {groups} output_shape [{sizes}] : {ty} into {to}")
        }))
    }

    fn reshape_by_sizes(&mut self, tens: &Tens, shape: &[Dim]) -> Result<Tens> {
        let sizes = shape.iter().map(|dim| self.dim(dim).map(|v| v.to_string())).collect::<Result<Vec<_>>>()?;
        let sizes = sizes.join(", ");
        let list = self.fresh(Scalar::Index, &[Dim::from(shape.len())]);
        self.w.line(format_args!("{} = tensor.from_elements {sizes} : {}", list.name, list.ty()));
        let (name, ty) = (tens.name.clone(), tens.ty());
        Ok(self.define(tens.elem, shape, |to| {
            format!("tensor.reshape {name}({}) : ({ty}, {}) -> {to}", list.name, list.ty())
        }))
    }

    /// The same tensor with sizes that another source says better, or less.
    pub(super) fn cast_shape(&mut self, tens: Tens, shape: &[Dim]) -> Tens {
        let same = tens.shape.iter().map(size).eq(shape.iter().map(size));
        if same {
            return Tens { shape: shape.to_vec(), ..tens };
        }
        let (name, ty) = (tens.name.clone(), tens.ty());
        self.define(tens.elem, shape, |to| format!("tensor.cast {name} : {ty} to {to}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_grouped_as_finely_as_can_be() {
        let n = Dim::symbol("N");
        let dims = |sizes: &[i64]| -> Vec<Dim> { sizes.iter().map(|n| Dim::from(*n)).collect() };
        assert_eq!(groups(&dims(&[2, 3, 4]), &dims(&[6, 4])), [(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(groups(&dims(&[4, 1]), &dims(&[4])), [(0..2, 0..1)]);
        assert_eq!(groups(&dims(&[6, 4]), &dims(&[4, 6])), [(0..2, 0..2)]);
        let from = [n.clone(), 4.into(), 5.into()];
        assert_eq!(groups(&from, &[n.clone(), 20.into()]), [(0..1, 0..1), (1..3, 1..2)]);
        assert_eq!(groups(&from, &[n * 4.into(), 5.into()]), [(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(groups(&[Dim::symbol("K")], &dims(&[2, 3])), [(0..1, 0..2)]);
    }
}
