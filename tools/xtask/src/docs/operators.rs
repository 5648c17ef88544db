//! `docs/ops.md`, from the doc comments of `compiler/ops`.

use super::cell;
use crate::files::{listed, read};
use ops::Op;
use std::fmt::Write;

/// A field of an operator, or a word of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name in text forms.
    pub name: String,
    /// The Rust type of a field.
    pub ty: String,
    /// Its doc comment.
    pub doc: String,
}

/// An enumeration declared by `words!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its Rust name.
    pub ty: String,
    /// Its words.
    pub words: Vec<Item>,
}

/// An operator declared by `operator!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its name in text forms.
    pub name: String,
    /// The file that declares it, from the root.
    pub file: String,
    /// Its doc comment.
    pub doc: String,
    /// Its attributes.
    pub attrs: Vec<Item>,
}

impl Operator {
    /// The labels of its constraints: `C1`, `C2`, ...
    pub fn constraints(&self) -> Vec<String> {
        let heads = self.doc.lines().filter_map(|line| line.trim().strip_prefix("- (C"));
        let numbers = |line: &str| {
            let labels = line.split("(C").map(|part| part.split(')').next().unwrap_or_default().to_string());
            labels.filter(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit())).collect::<Vec<_>>()
        };
        heads.flat_map(|rest| numbers(&format!("(C{rest}"))).map(|n| format!("C{n}")).collect()
    }
}

/// Every operator, in the order of [`Op::FAMILIES`], and every enumeration.
///
/// # Errors
/// When an operator is not found in the sources.
pub fn operators() -> Result<(Vec<Operator>, Vec<Choice>), String> {
    let (mut found, mut choices) = (vec![], vec![]);
    for file in listed()?.into_iter().filter(|f| f.starts_with("compiler/ops/src/") && f.ends_with(".rs")) {
        let source = read(&file)?;
        blocks(&source, "operator! {").iter().for_each(|block| found.extend(operator(block, &file)));
        blocks(&source, "words! {").iter().for_each(|block| choices.extend(choice(block)));
    }
    let by_name = |name: &&str| {
        let operator = found.iter().find(|op: &&Operator| op.name == *name).cloned();
        operator.ok_or_else(|| format!("no `operator!` declares `{name}`"))
    };
    let operators = Op::FAMILIES.iter().map(by_name).collect::<Result<_, _>>()?;
    Ok((operators, choices))
}

/// The bodies of the macro calls that begin a line with `head`, or with a path that ends in it.
fn blocks<'a>(source: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let mut blocks = vec![];
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim_start_matches("crate::attr::") == head {
            blocks.push(lines.by_ref().take_while(|line| *line != "}").map(str::trim).collect());
        }
    }
    blocks
}

/// The doc lines before the line at which something is declared, and that line.
fn declaration<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<(String, &'a str)> {
    let mut doc = String::new();
    for line in lines {
        match line.strip_prefix("///") {
            Some(text) => doc = doc + text.strip_prefix(' ').unwrap_or(text) + "\n",
            None if line.is_empty() || line.starts_with("#[") => {}
            None => return Some((doc, line)),
        }
    }
    None
}

fn operator(block: &[&str], file: &str) -> Option<Operator> {
    let mut lines = block.iter().copied();
    let (doc, head) = declaration(&mut lines)?;
    let name = head.split('"').nth(1)?.to_string();
    let mut attrs = vec![];
    while let Some((doc, line)) = declaration(&mut lines) {
        if let Some((name, ty)) = line.trim_end_matches(',').split_once(": ") {
            attrs.push(Item { name: name.into(), ty: ty.into(), doc });
        }
    }
    Some(Operator { name, file: file.into(), doc, attrs })
}

fn choice(block: &[&str]) -> Option<Choice> {
    let mut lines = block.iter().copied();
    let (_, head) = declaration(&mut lines)?;
    let mut words = vec![];
    while let Some((doc, line)) = declaration(&mut lines) {
        if let Some(word) = line.split('"').nth(1) {
            words.push(Item { name: word.into(), ty: String::new(), doc });
        }
    }
    Some(Choice { ty: head.trim_end_matches(" {").into(), words })
}

const HEAD: &str = "\
# Operators

The closed set of operators that every model is translated into, with everything that each one means.
In text, the elementwise families `unary`, `binary` and `compare` are written by their kind: `add %a, %b`.
Constraints `(C1)` ... are what a diagnostic names when a model breaks them.

Attributes are numbers (`usize`, `i64`, `u64`, `F64`), booleans, words, element types (`DType`), dimensions (`Dim`: expressions over symbols) or tensors (`Const`).
";

pub(super) fn page() -> Result<String, String> {
    let (operators, choices) = operators()?;
    let mut out = String::from(HEAD);
    for operator in &operators {
        let _ = write!(out, "\n## {}\n\n{}", operator.name, plain(&operator.doc));
        if operator.attrs.is_empty() {
            continue;
        }
        out.push_str("\n| attribute | type | meaning |\n|---|---|---|\n");
        for attr in &operator.attrs {
            let ty = attr.ty.trim_start_matches("crate::");
            let _ = writeln!(out, "| `{}` | `{ty}` | {} |", attr.name, cell(plain(&attr.doc).trim()));
        }
        for choice in choices.iter().filter(|choice| operator.attrs.iter().any(|attr| attr.ty == choice.ty)) {
            let _ = write!(out, "\n| `{}` | meaning |\n|---|---|\n", choice.ty);
            for word in &choice.words {
                let _ = writeln!(out, "| `{}` | {} |", word.name, cell(plain(&word.doc).trim()));
            }
        }
    }
    Ok(out)
}

/// A doc comment without links to Rust items, its headings below those of the page.
fn plain(doc: &str) -> String {
    let mut out = String::new();
    for line in doc.lines() {
        let line = match line.strip_prefix("# ") {
            Some(heading) => format!("**{heading}**"),
            None => line.replace("(crate::Binary)", ""),
        };
        out.push_str(&line.replace("[`", "`").replace("`]", "`"));
        out.push('\n');
    }
    out
}
