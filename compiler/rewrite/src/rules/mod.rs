//! The rules: one file for each family, one table in each file.
//!
//! A rule has a name, the exactness that it costs, its algebra in one line, what it does, and an example in which it
//! applies. A test evaluates both sides of every rule on its example.
//!
//! Laws: rules are directed and do not undo each other; none expands `x` into `f(f^-1 x)`; what a rule makes is typed
//! by the operators' own inference, and dropped where that refuses it.

mod algebra;
mod broadcast;
mod cast;
mod concat;
mod conv;
mod matmul;
mod merge;
mod pool;
mod power;
mod recognize;
mod reduce;
mod reshape;
mod sample;
mod select;
mod slice;
mod softmax;
mod transpose;

pub(crate) use sample::Sample;

use crate::egraph::{ENode, Eg, Head};
use crate::{Contract, Exactness};
use egg::{ENodeOrVar, Id, PatternAst, Subst, Var};
use graph::ValueId;
use ops::{Binary, BinaryKind, Op, Transpose};

/// What a rule does.
pub(crate) enum Action {
    /// Where the left pattern matches and the guard holds, the right pattern is equal.
    Pattern(&'static str, &'static str, fn(&Eg, &Match) -> bool),
    /// Where the pattern matches, what the function makes is equal.
    Compute(&'static str, fn(&mut Eg, &Match) -> Option<Id>),
    /// For each node of these operator families, what the function makes is equal.
    Nodes(&'static [&'static str], fn(&mut Eg, &Op, &[Id]) -> Option<Id>),
    /// Looks at the whole e-graph and gives pairs that are equal.
    Group(fn(&mut Eg) -> Vec<(Id, Id)>),
}

/// One rewrite rule.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) exactness: Exactness,
    pub(crate) algebra: &'static str,
    pub(crate) action: Action,
    /// A graph in which the rule applies.
    #[cfg_attr(not(test), allow(dead_code, reason = "tests evaluate it"))]
    pub(crate) example: fn(&mut Sample) -> Option<ValueId>,
}

/// A family of rules: one file.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    doc: &'static str,
    pub(crate) rules: &'static [Rule],
}

/// Every family, in the order in which rules are applied.
pub(crate) const FAMILIES: &[Family] = &[
    family("algebra", "Sums, products and extremes.", algebra::RULES),
    family("power", "Powers, roots and exponentials.", power::RULES),
    family("recognize", "Functions that models spell out.", recognize::RULES),
    family("softmax", "Softmax, as models are made of it.", softmax::RULES),
    family("select", "Choice by element.", select::RULES),
    family("cast", "Conversions of element types.", cast::RULES),
    family("transpose", "Transposes meet, move towards results, and vanish into what consumes them.", transpose::RULES),
    family("reshape", "Reshapes meet and move towards results.", reshape::RULES),
    family("broadcast", "Repetition comes as late as possible.", broadcast::RULES),
    family("slice", "Slices meet, and go before what computes more than they keep.", slice::RULES),
    family("concat", "Concatenation and padding.", concat::RULES),
    family("reduce", "Reductions.", reduce::RULES),
    family("matmul", "Views and constants vanish into contractions.", matmul::RULES),
    family("conv", "Padding and constants vanish into convolutions.", conv::RULES),
    family("pool", "Pooling.", pool::RULES),
    family("merge", "Several contractions of one value become one.", merge::RULES),
];

const fn family(name: &'static str, doc: &'static str, rules: &'static [Rule]) -> Family {
    Family { name, doc, rules }
}

/// What documentation says of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: &'static str,
    /// The family that it belongs to.
    pub family: &'static str,
    /// What it may change.
    pub exactness: Exactness,
    /// The strictest contract under which it is loaded.
    pub contract: Contract,
    /// Its algebra.
    pub algebra: &'static str,
    /// What its family is about.
    pub doc: &'static str,
}

/// Every rule, for documentation.
pub fn rules() -> Vec<RuleInfo> {
    let of_family = |family: &'static Family| {
        family.rules.iter().map(|rule| RuleInfo {
            name: rule.name,
            family: family.name,
            exactness: rule.exactness,
            contract: Contract::ALL
                .into_iter()
                .find(|contract| contract.allows(rule.exactness))
                .unwrap_or(Contract::Relaxed),
            algebra: rule.algebra,
            doc: family.doc,
        })
    };
    FAMILIES.iter().flat_map(of_family).collect()
}

/// Families whose rules also run after contractions have been merged.
const AFTER_MERGES: [&str; 6] = ["transpose", "reshape", "broadcast", "slice", "concat", "merge"];

/// The rules that a contract allows, in two phases: first everything but merges, then merges of what the first
/// phase made, with the rules about views that merges call for.
pub(crate) fn phases(contract: Contract) -> [Vec<&'static Rule>; 2] {
    let allowed = |accepts: &dyn Fn(&Family, &Rule) -> bool| {
        let of_family = |family: &'static Family| {
            let rules = family.rules.iter();
            rules.filter(move |rule| contract.allows(rule.exactness) && accepts(family, rule))
        };
        FAMILIES.iter().flat_map(of_family).collect()
    };
    [
        allowed(&|_, rule| !matches!(rule.action, Action::Group(_))),
        allowed(&|family, _| AFTER_MERGES.contains(&family.name)),
    ]
}

/// Every rule that a contract allows.
#[cfg(test)]
pub(crate) fn allowed(contract: Contract) -> Vec<&'static Rule> {
    FAMILIES.iter().flat_map(|family| family.rules).filter(|rule| contract.allows(rule.exactness)).collect()
}

/// Where a pattern matches, and what its variables are bound to.
pub(crate) struct Match<'a> {
    pub(crate) root: Id,
    pub(crate) subst: &'a Subst,
}

impl Match<'_> {
    /// The class that a variable, such as `?x`, is bound to.
    ///
    /// # Panics
    /// If the pattern has no such variable, which is a mistake in a rule that its example finds.
    pub(crate) fn id(&self, var: &str) -> Id {
        let bound = var.parse::<Var>().ok().and_then(|var| self.subst.get(var).copied());
        bound.unwrap_or_else(|| panic!("the pattern binds no {var}"))
    }
}

/// No condition.
fn always(_: &Eg, _: &Match) -> bool {
    true
}

/// Adds what a pattern describes.
pub(crate) fn instantiate(eg: &mut Eg, ast: &PatternAst<ENode>, subst: &Subst) -> Option<Id> {
    let mut ids: Vec<Id> = Vec::with_capacity(ast.len());
    for node in ast.as_ref() {
        let id = match node {
            ENodeOrVar::Var(var) => *subst.get(*var)?,
            ENodeOrVar::ENode(node) => {
                let children: Vec<Id> = node.children.iter().map(|c| ids[usize::from(*c)]).collect();
                let Head::Op(name) = node.head else {
                    return None;
                };
                match crate::egraph::elementwise(name) {
                    Some(op) => eg.emit(op.clone(), &children)?,
                    None => {
                        let (leaf, inputs) = children.split_first()?;
                        let op = eg.any_attr(*leaf)?;
                        eg.emit(op, inputs)?
                    }
                }
            }
        };
        ids.push(id);
    }
    ids.last().copied()
}

/// Short forms that rules use.
impl Eg {
    fn binary(&mut self, kind: BinaryKind, a: Id, b: Id) -> Option<Id> {
        self.emit(Binary { kind }, &[a, b])
    }

    fn transpose(&mut self, x: Id, perm: Vec<usize>) -> Option<Id> {
        self.emit(Transpose { perm }, &[x])
    }

    /// An operation on constants, done before they are repeated, and repeated to the shape of the first.
    fn on_constants(&mut self, op: impl Into<Op>, operands: &[Id]) -> Option<Id> {
        let target = self.shape(*operands.first()?).to_vec();
        let cores: Vec<Id> = operands.iter().map(|id| self.core(*id)).collect::<Option<_>>()?;
        let shapes: Vec<&[tensor::Dim]> = cores.iter().map(|id| self.shape(*id)).collect();
        let joint = match crate::canon::joint_shape(&shapes, &target) {
            Some(joint) => joint,
            None => target.clone(),
        };
        let cores: Vec<Id> = cores.into_iter().map(|id| self.broadcast(id, &joint)).collect::<Option<_>>()?;
        let small = self.emit(op, &cores)?;
        self.is_weight(small).then_some(())?;
        self.broadcast(small, &target)
    }

    /// Whether a value is this number everywhere.
    fn is_number(&self, id: Id, number: f64) -> bool {
        self.splat(id).is_some_and(|s| crate::scalars::is(s, number))
    }

    /// Whether a class has this operation on `x` and a constant already. Another constant would be the same but for
    /// rounding, and so on without end.
    fn has_with_constant(&self, class: Id, op: &Op, x: Id) -> bool {
        let x = self.egraph.find(x);
        self.egraph[class].nodes.iter().any(|node| {
            let on_x = |inputs: &[Id]| matches!(inputs, [a, b] if self.egraph.find(*a) == x && self.is_constant(*b));
            node.head == Head::Op(op.name())
                && crate::egraph::op_of(&self.egraph, node) == Some(op)
                && on_x(crate::egraph::operands(node))
        })
    }

    /// Whether a value is zero everywhere, whatever its sign.
    fn is_zero(&self, id: Id) -> bool {
        self.splat(id).is_some_and(crate::scalars::is_zero)
    }
}
