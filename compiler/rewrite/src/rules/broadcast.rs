//! Repetition comes as late as possible: work is done on what is repeated.

use super::{Action, Rule};
use crate::Exactness;
use crate::canon::joint_shape;
use crate::egraph::Eg;
use egg::Id;
use ops::{Broadcast, Op, UnaryKind};
use tensor::Dim;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "broadcast-of-broadcast",
        exactness: Exactness::EXACT,
        algebra: "broadcast_s(broadcast x) = broadcast_s x",
        action: Action::Pattern("(broadcast ?b (broadcast ?a ?x))", "(broadcast ?b ?x)", super::always),
        example: |s| {
            let x = s.x(&[3, 1]);
            let y = s.broadcast(x, &[3, 4])?;
            s.broadcast(y, &[2, 3, 4])
        },
    },
    Rule {
        name: "elementwise-of-broadcasts",
        exactness: Exactness::EXACT,
        algebra: "f(broadcast x, broadcast y) = broadcast f(x, y)",
        action: Action::Nodes(&["unary", "binary", "compare", "select", "cast"], elementwise),
        example: |s| {
            let (x, y) = (s.x(&[3, 1]), s.x(&[1, 1]));
            let (x, y) = (s.broadcast(x, &[2, 3, 4])?, s.broadcast(y, &[2, 3, 4])?);
            let z = s.builder.add(x, y).ok()?;
            s.unary(UnaryKind::Exp, z)
        },
    },
    Rule {
        name: "slice-of-broadcast",
        exactness: Exactness::EXACT,
        algebra: "slice(broadcast x) = broadcast(slice' x)",
        action: Action::Compute("(slice ?s (broadcast ?b ?x))", |eg, m| {
            let (x, slice) = (m.id("?x"), eg.attr::<ops::Slice>(m.id("?s"))?);
            let shape = eg.attr::<Broadcast>(m.id("?b"))?.shape;
            let missing = shape.len().checked_sub(eg.rank(x))?;
            let mut part = ops::Slice { starts: vec![], sizes: vec![], steps: vec![] };
            for (axis, dim) in eg.shape(x).iter().enumerate() {
                let at = axis + missing;
                let repeats = *dim == Dim::from(1) && shape[at] != Dim::from(1);
                (repeats || *dim == shape[at]).then_some(())?;
                part.starts.push(if repeats { 0.into() } else { slice.starts[at].clone() });
                part.sizes.push(if repeats { 1.into() } else { slice.sizes[at].clone() });
                part.steps.push(if repeats { 1 } else { slice.steps[at] });
            }
            let part = eg.emit(part, &[x])?;
            eg.broadcast(part, &slice.sizes)
        }),
        example: |s| {
            let x = s.x(&[3, 1]);
            let y = s.broadcast(x, &[2, 3, 4])?;
            s.slice(y, &[0, 1, 2], &[1, 2, 2], &[1, 1, 1])
        },
    },
];

fn elementwise(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let target = eg.shape(*inputs.first()?).to_vec();
    let sources: Vec<Id> =
        inputs.iter().map(|id| Some(eg.members::<Broadcast>(*id).into_iter().next()?.1[0])).collect::<Option<_>>()?;
    let shapes: Vec<&[Dim]> = sources.iter().map(|id| eg.shape(*id)).collect();
    let joint = joint_shape(&shapes, &target)?;
    let operands: Vec<Id> = sources.into_iter().map(|id| eg.broadcast(id, &joint)).collect::<Option<_>>()?;
    let small = eg.emit(op.clone(), &operands)?;
    eg.broadcast(small, &target)
}
