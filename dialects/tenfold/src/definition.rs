//! The dialect's definition, printed from `ops`.

use crate::operands::{Signature, Values, regions, signature};
use crate::schema::{Field, Kind, fields};
use ops::Op;
use std::fmt::Write;

const HEAD: &str = "\
// The tenfold dialect: one operation for each operator of the graph. Printed from `ops`; do not edit.
// `TENFOLD_BLESS=1 cargo test -p tenfold-dialect` writes it anew.
";

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        let _ = writeln!($out, $($text)*);
    }};
}

/// The dialect as a module of `irdl.dialect`. An operator that this crate knows no operands of is left out.
pub fn definition() -> String {
    let mut out = String::from(HEAD);
    put!(out, "irdl.dialect @tenfold {{");
    for family in Op::FAMILIES {
        let (Some(signature), Some(fields)) = (signature(family), fields(family)) else { continue };
        match (*family, fields.first()) {
            ("unary" | "binary" | "compare", Some(Field { kind: Kind::Choice(words), .. })) => {
                words.iter().for_each(|word| operation(&mut out, word, family, signature, &fields[1..]));
            }
            _ => operation(&mut out, family, family, signature, &fields),
        }
    }
    put!(out, "}}");
    out
}

/// The operation's name in MLIR, where names have no hyphens.
pub(crate) fn mlir_name(op: &str) -> String {
    op.replace('-', "_")
}

fn operation(out: &mut String, name: &str, family: &str, signature: Signature, fields: &[Field]) {
    put!(out, "  irdl.operation @{} {{", mlir_name(name));
    values(out, "operands", "in", signature.operands);
    values(out, "results", "out", signature.results);
    attributes(out, fields);
    let names = regions(family);
    if !names.is_empty() {
        names.iter().for_each(|name| put!(out, "    %region_{name} = irdl.region"));
        let list: Vec<String> = names.iter().map(|name| format!("{name}: %region_{name}")).collect();
        put!(out, "    irdl.regions({})", list.join(", "));
    }
    put!(out, "  }}");
}

/// One constraint for each value: a shared one would ask for equal types.
fn values(out: &mut String, what: &str, prefix: &str, values: Values) {
    let (names, open) = match values {
        Values::Fixed(names) => (names, None),
        Values::Open(names, rest) => (names, Some(rest)),
    };
    let typed = names.iter().map(|name| (*name, "tensor")).chain(open.map(|rest| (rest, "tuple")));
    let mut list = vec![];
    for (name, ty) in typed {
        put!(out, "    %{prefix}_{name} = irdl.base \"!builtin.{ty}\"");
        list.push(format!("{name}: %{prefix}_{name}"));
    }
    if !list.is_empty() {
        put!(out, "    irdl.{what}({})", list.join(", "));
    }
}

fn attributes(out: &mut String, fields: &[Field]) {
    let mut list = vec![];
    for Field { name, kind } in fields {
        let constraint = match kind {
            Kind::Int | Kind::Bool => "irdl.base \"#builtin.integer\"".into(),
            Kind::Ints => "irdl.base \"#builtin.dense_array\"".into(),
            Kind::Float => "irdl.base \"#builtin.float\"".into(),
            Kind::Word | Kind::Dim => "irdl.base \"#builtin.string\"".into(),
            Kind::Words | Kind::Dims => "irdl.base \"#builtin.array\"".into(),
            Kind::DType => "irdl.base \"#builtin.type\"".into(),
            // Either the elements, or a reference to elided ones.
            Kind::Tensor => "irdl.any".into(),
            Kind::Choice(words) => choice(out, name, words),
        };
        put!(out, "    %attr_{name} = {constraint}");
        list.push(format!("\"{name}\" = %attr_{name}"));
    }
    if !list.is_empty() {
        put!(out, "    irdl.attributes {{ {} }}", list.join(", "));
    }
}

fn choice(out: &mut String, name: &str, words: &[&str]) -> String {
    let mut list = vec![];
    for word in words {
        put!(out, "    %{name}_{word} = irdl.is \"{word}\"");
        list.push(format!("%{name}_{word}"));
    }
    format!("irdl.any_of({})", list.join(", "))
}
