//! What the operands and results of each operator are called, and how many there are.

/// A list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// So many, with these names.
    Fixed(&'static [&'static str]),
    /// The first ones have these names; the others, any number, are one tuple of the last name.
    Open(&'static [&'static str], &'static str),
}

/// The operands and results of one family of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) operands: Values,
    pub(crate) results: Values,
}

const RESULT: Values = Values::Fixed(&["result"]);

/// The signature of a family; `None` for a name that is not one.
pub(crate) fn signature(family: &str) -> Option<Signature> {
    use Values::{Fixed, Open};
    let operands = match family {
        "constant" | "dims" | "iota" | "random" => Fixed(&[]),
        "bind" | "unary" | "cast" | "bitcast" | "reshape" | "transpose" | "broadcast" | "slice" | "reduce"
        | "arg-reduce" | "cumulative" | "pool" | "pool-arg-max" | "topk" | "nonzero" | "unique" => Fixed(&["x"]),
        "binary" | "compare" => Fixed(&["a", "b"]),
        "dot" => Fixed(&["x", "y"]),
        "conv" => Fixed(&["x", "w"]),
        "select" => Fixed(&["condition", "a", "b"]),
        "pad" => Fixed(&["x", "value"]),
        "gather" | "gather-elements" | "gather-nd" => Fixed(&["x", "indices"]),
        "scatter-elements" | "scatter-nd" => Fixed(&["x", "indices", "updates"]),
        "non-max-suppression" => Fixed(&["boxes", "scores", "most", "overlap", "score"]),
        "concat" => Open(&[], "parts"),
        "if" => Open(&["condition"], "values"),
        "loop" => Open(&["trips", "condition"], "values"),
        _ => return None,
    };
    let results = match family {
        "bind" => Fixed(&[]),
        "topk" => Fixed(&["values", "indices"]),
        "unique" => Fixed(&["values", "indices", "inverse", "counts"]),
        "if" | "loop" => Open(&[], "results"),
        _ => RESULT,
    };
    Some(Signature { operands, results })
}

/// The names of the regions of a family.
pub(crate) fn regions(family: &str) -> &'static [&'static str] {
    match family {
        "if" => &["then", "else"],
        "loop" => &["body"],
        _ => &[],
    }
}
