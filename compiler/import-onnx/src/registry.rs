//! Which operators there are, and which function imports each.

use crate::cx::{OpFn, SlotFn};
use crate::families;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The domain of ONNX Runtime's own operators.
pub(crate) const MICROSOFT: &str = "com.microsoft";

/// One operator that is imported.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) domain: &'static str,
    pub(crate) op: &'static str,
    /// The first version that has it.
    pub(crate) since: i64,
    pub(crate) import: Handler,
}

/// How an operator's operands reach its function.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// All are tensors.
    Values(OpFn),
    /// Some are sequences or optionals.
    Slots(SlotFn),
}

impl Row {
    /// An operator of ONNX itself.
    pub(crate) const fn onnx(op: &'static str, since: i64, import: OpFn) -> Row {
        Row { domain: "", op, since, import: Handler::Values(import) }
    }

    /// An operator of ONNX itself over sequences or optionals.
    pub(crate) const fn slots(op: &'static str, since: i64, import: SlotFn) -> Row {
        Row { domain: "", op, since, import: Handler::Slots(import) }
    }

    /// An operator of ONNX Runtime.
    pub(crate) const fn microsoft(op: &'static str, import: OpFn) -> Row {
        Row::of(MICROSOFT, op, 1, import)
    }

    /// An operator of another domain.
    pub(crate) const fn of(domain: &'static str, op: &'static str, since: i64, import: OpFn) -> Row {
        Row { domain, op, since, import: Handler::Values(import) }
    }
}

/// What the standard says of an operator, over all its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) min_inputs: usize,
    pub(crate) max_inputs: usize,
    pub(crate) max_outputs: usize,
    /// The versions in which it changed, as in the list.
    pub(crate) versions: &'static str,
}

/// `ai.onnx` and the empty name are the same domain.
pub(crate) fn canonical_domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// All operators of the newest standard, one for each line: domain, name, versions, fewest inputs, most inputs, most outputs.
const OPERATORS: &str = include_str!("operators.txt");

/// Operators that are not imported, one for each line: domain, name, and the reason.
const UNSUPPORTED: &str = include_str!("unsupported.txt");

type Table<T> = BTreeMap<(&'static str, &'static str), T>;

fn rows() -> &'static Table<Row> {
    static ROWS: OnceLock<Table<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let all = families::ALL.iter().flat_map(|family| family.iter());
        all.map(|row| ((row.domain, row.op), *row)).collect()
    })
}

fn operators() -> &'static Table<Known> {
    static KNOWN: OnceLock<Table<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let count = |text: &str| text.parse().unwrap_or(usize::MAX);
        let line = |line: &'static str| {
            let mut words = line.split_whitespace();
            let mut next = || words.next().unwrap_or_default();
            let key = (canonical_domain(next()), next());
            let versions = next();
            let known =
                Known { versions, min_inputs: count(next()), max_inputs: count(next()), max_outputs: count(next()) };
            (key, known)
        };
        OPERATORS.lines().map(line).collect()
    })
}

/// The row of an operator.
pub(crate) fn row(domain: &str, op: &str) -> Option<Row> {
    rows().get(&(canonical_domain(domain), op)).copied()
}

/// What the standard says of an operator, if it is one of its own.
pub(crate) fn known(domain: &str, op: &str) -> Option<Known> {
    operators().get(&(canonical_domain(domain), op)).copied()
}

/// Why an operator is not imported, if there is a reason on record.
pub(crate) fn reason(domain: &str, op: &str) -> Option<&'static str> {
    unsupported()
        .into_iter()
        .find(|entry| canonical_domain(entry.domain) == canonical_domain(domain) && entry.name == op)
        .map(|entry| entry.reason)
}

/// An operator that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// The domain, `ai.onnx` for the standard's own.
    pub domain: &'static str,
    /// The operator's name.
    pub name: &'static str,
    /// The first version of the domain that has it.
    pub since: i64,
    /// The versions in which its meaning changed, if the standard has it.
    pub versions: &'static str,
}

/// An operator of the standard that is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The domain, `ai.onnx` for the standard's own.
    pub domain: &'static str,
    /// The operator's name.
    pub name: &'static str,
    /// Why not.
    pub reason: &'static str,
}

/// Every operator that is imported, by domain and name.
pub fn supported() -> Vec<Supported> {
    let entry = |row: &Row| Supported {
        domain: if row.domain.is_empty() { "ai.onnx" } else { row.domain },
        name: row.op,
        since: row.since,
        versions: known(row.domain, row.op).map_or("", |known| known.versions),
    };
    rows().values().map(entry).collect()
}

/// Every operator of the standard that is not imported, with the reason.
pub fn unsupported() -> Vec<Unsupported> {
    let entry = |line: &'static str| {
        let (domain, rest) = line.split_once(' ')?;
        let (name, reason) = rest.split_once(' ')?;
        Some(Unsupported { domain, name, reason })
    };
    UNSUPPORTED.lines().filter_map(entry).collect()
}

/// The names of all operators of the standard, by domain.
pub fn standard() -> Vec<(&'static str, &'static str)> {
    let name = |(domain, op): &(&'static str, &'static str)| (if domain.is_empty() { "ai.onnx" } else { *domain }, *op);
    operators().keys().map(name).collect()
}
