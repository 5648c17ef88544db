//! The passes: all of them MLIR's own.

use mlir::{MlirError, Session};

/// How loops are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// Each operation a nest of scalar loops: the shortest road, for tests.
    Loops,
    /// Elementwise operations are fused, then as before: LLVM makes the vectors.
    Fused,
    /// Elementwise operations are fused, then a script of the `transform` dialect says tiles and vectors.
    Script(Script),
}

/// A script of the `transform` dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it does, in a few words.
    pub name: &'static str,
    /// `transform.named_sequence @__transform_main` and those it includes.
    pub text: &'static str,
}

/// Axes of one element vanish, and elementwise operations join their readers.
const FUSE: &str = "builtin.module(\
    linalg-generalize-named-ops,\
    linalg-fold-unit-extent-dims,\
    canonicalize,\
    cse,\
    linalg-fuse-elementwise-ops,\
    canonicalize,\
    cse)";

/// Tensors become memory, each result of an operation its own unless it can share.
const BUFFERIZE: &str = "builtin.module(\
    eliminate-empty-tensors,\
    empty-tensor-to-alloc-tensor,\
    one-shot-bufferize{bufferize-function-boundaries=true function-boundary-type-conversion=identity-layout-map},\
    canonicalize,\
    cse)";

/// Operations become loops.
const TO_LOOPS: &str = "builtin.module(\
    func.func(convert-linalg-to-loops),\
    fold-memref-alias-ops,\
    func.func(buffer-loop-hoisting),\
    convert-vector-to-scf{full-unroll=true},\
    expand-strided-metadata,\
    lower-affine,\
    canonicalize,\
    cse,\
    func.func(arith-emulate-unsupported-floats{source-types=bf16 target-type=f32}),\
    convert-scf-to-cf,\
    arith-expand{include-bf16=true},\
    convert-vector-to-llvm{reassociate-fp-reductions=true},\
    convert-math-to-llvm{approximate-log1p=false},\
    convert-math-to-libm)";

/// Everything becomes the `llvm` dialect.
const TO_LLVM: &str = "builtin.module(\
    finalize-memref-to-llvm,\
    convert-func-to-llvm,\
    convert-arith-to-llvm,\
    convert-index-to-llvm,\
    convert-ub-to-llvm,\
    convert-cf-to-llvm,\
    reconcile-unrealized-casts)";

/// From linalg on tensors to the `llvm` dialect.
pub(crate) fn lower(session: &Session, text: &str, recipe: Recipe) -> Result<String, MlirError> {
    let mut module = session.parse("linalg", text)?;
    if recipe != Recipe::Loops {
        module.run_pipeline(FUSE)?;
    }
    if let Recipe::Script(script) = recipe {
        module = session.parse("script", &with_script(&module.print(), script))?;
        module.run_pipeline("builtin.module(transform-interpreter,canonicalize,cse)")?;
    }
    module.run_pipeline(BUFFERIZE)?;
    let buffers = respelled(&without_script(&module.print()));
    let mut module = session.parse("buffers", &buffers)?;
    module.run_pipeline(TO_LOOPS)?;
    module.run_pipeline(TO_LLVM)?;
    Ok(module.print())
}

/// What no stock pass lowers as we need it, said otherwise.
///
/// `memref.copy` of parts becomes a call of MLIR's runtime library, which we do not have; `linalg.copy` is a loop.
/// `math.expm1` becomes a difference, which loses its digits near 0; the C library's function keeps them.
fn respelled(text: &str) -> String {
    let line = |line: &str| copy(line).or_else(|| expm1(line)).unwrap_or_else(|| line.into());
    let lines: String = text.lines().map(|l| line(l) + "\n").collect();
    let body = lines.trim_end().strip_suffix('}').unwrap_or(&lines);
    let declared = |name: &str, ty: &str| match lines.contains(&format!("call @{name}(")) {
        true => format!("  func.func private @{name}({ty}) -> {ty}\n"),
        false => String::new(),
    };
    format!("{body}{}{}}}\n", declared("expm1f", "f32"), declared("expm1", "f64"))
}

fn copy(line: &str) -> Option<String> {
    let (values, types) = line.trim_start().strip_prefix("memref.copy ")?.split_once(" : ")?;
    let ((from, into), (a, b)) = (values.split_once(", ")?, types.split_once(" to ")?);
    Some(format!("linalg.copy ins({from} : {a}) outs({into} : {b})"))
}

fn expm1(line: &str) -> Option<String> {
    let (result, rest) = line.split_once(" = math.expm1 ")?;
    let (x, ty) = rest.split_once(" : ")?;
    let name = match ty {
        "f32" => "expm1f",
        "f64" => "expm1",
        _ => return None,
    };
    Some(format!("{result} = func.call @{name}({x}) : ({ty}) -> {ty}"))
}

fn with_script(text: &str, script: Script) -> String {
    let body = text.trim_end().strip_suffix('}').unwrap_or(text);
    let head = body.replacen("module {", "module attributes {transform.with_named_sequence} {", 1);
    format!("{head}{}\n}}\n", script.text)
}

/// The module without the script, which has done its work.
fn without_script(text: &str) -> String {
    let mut kept = String::new();
    let mut skips = false;
    for line in text.lines() {
        skips |= line.trim_start().starts_with("transform.named_sequence");
        if !skips {
            kept += line;
            kept.push('\n');
        }
        skips &= line != "  }";
    }
    kept
}
