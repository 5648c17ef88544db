//! Which attributes each operator has, and of what kind: found by asking `ops`, so that there is no second list.
//!
//! [`Op::from_attrs`] names the attribute that is missing or of the wrong kind. Giving it one example after another until it
//! is content yields the attributes of a family in order, with the kind of each.

use ops::{
    ArgKind, BinaryKind, CompareKind, CumKind, PadMode, PoolKind, RandomKind, ReduceKind, ScatterKind, UnaryKind,
};
use ops::{Attr, Const, F64, Op};
use tensor::{DType, Dim, Tensor};

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Ints,
    Float,
    Bool,
    /// Any word.
    Word,
    /// One of these words.
    Choice(Vec<&'static str>),
    Words,
    Dim,
    Dims,
    DType,
    Tensor,
}

/// An attribute of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The attributes of a family in order of declaration; `None` for an unknown family, and for an attribute of a kind that
/// this file has no example of.
pub(crate) fn fields(family: &str) -> Option<Vec<Field>> {
    let mut given: Vec<(String, Attr)> = vec![];
    let mut fields = vec![];
    loop {
        let name = match Op::from_attrs(family, &given)? {
            Ok(_) => return Some(fields),
            Err(missing) => missing.name,
        };
        let (kind, example) = kind_of(family, &given, &name)?;
        given.push((name.clone(), example));
        fields.push(Field { name, kind });
    }
}

/// The kind of attribute that `family` wants under `name`, with an example of it.
fn kind_of(family: &str, given: &[(String, Attr)], name: &str) -> Option<(Kind, Attr)> {
    let fits = |example: &Attr| {
        let mut given = given.to_vec();
        given.push((name.into(), example.clone()));
        match Op::from_attrs(family, &given) {
            Some(Err(error)) => error.name != name,
            other => other.is_some(),
        }
    };
    if let Some(found) = examples().into_iter().find(|(_, example)| fits(example)) {
        return Some(found);
    }
    let words: Vec<&'static str> = words().into_iter().filter(|word| fits(&Attr::Word((*word).into()))).collect();
    let first = Attr::Word((*words.first()?).into());
    Some((Kind::Choice(words), first))
}

fn examples() -> Vec<(Kind, Attr)> {
    vec![
        (Kind::Int, Attr::Int(1)),
        (Kind::Ints, Attr::Ints(vec![])),
        (Kind::Float, Attr::Float(F64::from(1.0))),
        (Kind::Bool, Attr::Bool(true)),
        (Kind::Word, Attr::Word("no choice has this word".into())),
        (Kind::Words, Attr::Words(vec![])),
        (Kind::Dim, Attr::Dim(Dim::from(1))),
        (Kind::Dims, Attr::Dims(vec![])),
        (Kind::DType, Attr::DType(DType::F32)),
        (Kind::Tensor, Attr::Tensor(Const(Tensor::from_vec(vec![0], Vec::<f32>::new())))),
    ]
}

/// Every word of every enumeration, once each, in order.
fn words() -> Vec<&'static str> {
    let mut words: Vec<&'static str> = vec![];
    words.extend(UnaryKind::ALL.iter().map(|k| k.word()));
    words.extend(BinaryKind::ALL.iter().map(|k| k.word()));
    words.extend(CompareKind::ALL.iter().map(|k| k.word()));
    words.extend(ReduceKind::ALL.iter().map(|k| k.word()));
    words.extend(ArgKind::ALL.iter().map(|k| k.word()));
    words.extend(CumKind::ALL.iter().map(|k| k.word()));
    words.extend(PoolKind::ALL.iter().map(|k| k.word()));
    words.extend(PadMode::ALL.iter().map(|k| k.word()));
    words.extend(RandomKind::ALL.iter().map(|k| k.word()));
    words.extend(ScatterKind::ALL.iter().map(|k| k.word()));
    let mut unique = vec![];
    for word in words {
        if !unique.contains(&word) {
            unique.push(word);
        }
    }
    unique
}
