//! Ops that must be rewritten by hand because a stock pass would spoil them.
//!
//! - `convert-gpu-to-nvvm` turns square roots, exponentials and their like into calls of NVIDIA's device
//!   library, which we do not have, and declares the `llvm.intr` ops for them illegal. LLVM itself can select
//!   most of them (some only with the `afn` flag). So before that pass each such op becomes a
//!   `llvm.call_intrinsic` of the same intrinsic, which the pass lets through ([`protect_math`]).
//! - `arith-expand` turns `arith.maximumf` and its three sisters into a comparison and a selection that
//!   forget the sign of zero and cost more; `convert-gpu-to-nvvm` makes library calls of two of them. So
//!   first of all they become the intrinsics that mean the same
//!   ([`protect_extrema`]).

use melior::ir::attribute::{Attribute, StringAttribute};
use melior::ir::operation::{Operation, OperationBuilder, OperationLike, OperationRef, WalkOrder, WalkResult};
use melior::ir::{BlockLike, Identifier, Value, ValueLike};
use melior::{Context, Error};
use mlir_sys::{MlirOperation, mlirOperationDestroy, mlirValueReplaceAllUsesOfWith};

/// Ops `llvm.intr.NAME` with the intrinsic `llvm.NAME`, all of whose arguments are floats.
const MATH: &[&str] = &[
    "ceil",
    "copysign",
    "cos",
    "exp",
    "exp2",
    "fabs",
    "floor",
    "log",
    "log10",
    "log2",
    "pow",
    "round",
    "roundeven",
    "sin",
    "sqrt",
];

/// Ops of `arith` and the `llvm` ops of the same meaning.
const EXTREMA: &[(&str, &str)] = &[
    ("arith.maximumf", "llvm.intr.maximum"),
    ("arith.minimumf", "llvm.intr.minimum"),
    ("arith.maxnumf", "llvm.intr.maxnum"),
    ("arith.minnumf", "llvm.intr.minnum"),
];

/// Hides LLVM's math intrinsics from `convert-gpu-to-nvvm`.
pub(crate) fn protect_math(context: &Context, module: &melior::ir::Module<'_>) -> Result<(), Error> {
    let pick = |name: &str| {
        let short = name.strip_prefix("llvm.intr.").filter(|short| MATH.contains(short))?;
        Some(format!("llvm.{short}"))
    };
    for (raw, intrinsic) in find(module, pick) {
        // SAFETY: found by the walk; only other operations have been replaced since.
        unsafe { replace(raw, |old| intrinsic_call(context, old, &intrinsic)) }?;
    }
    Ok(())
}

/// Hides maxima and minima from `arith-expand`.
pub(crate) fn protect_extrema(context: &Context, module: &melior::ir::Module<'_>) -> Result<(), Error> {
    let pick = |name: &str| EXTREMA.iter().find(|(arith, _)| *arith == name).map(|(_, llvm)| *llvm);
    for (raw, llvm) in find(module, pick) {
        // SAFETY: found by the walk; only other operations have been replaced since.
        unsafe { replace(raw, |old| llvm_extremum(context, old, llvm)) }?;
    }
    Ok(())
}

/// All operations in `module` whose name `pick` turns into something.
fn find<T>(module: &melior::ir::Module<'_>, pick: impl Fn(&str) -> Option<T>) -> Vec<(MlirOperation, T)> {
    let mut found = Vec::new();
    module.as_operation().walk(WalkOrder::PreOrder, |operation| {
        let name = operation.name();
        if let Some(picked) = name.as_string_ref().as_str().ok().and_then(&pick) {
            found.push((operation.to_raw(), picked));
        }
        WalkResult::Advance
    });
    found
}

fn intrinsic_call<'c>(
    context: &'c Context,
    old: OperationRef<'c, '_>,
    intrinsic: &str,
) -> Result<Operation<'c>, Error> {
    let operands: Vec<Value<'c, '_>> = old.operands().collect();
    let segments = format!("array<i32: {}, 0>", operands.len());
    let mut attributes = vec![
        (Identifier::new(context, "intrin"), StringAttribute::new(context, intrinsic).into()),
        (Identifier::new(context, "op_bundle_sizes"), parse(context, "array<i32>")?),
        (Identifier::new(context, "operandSegmentSizes"), parse(context, &segments)?),
    ];
    if let Ok(flags) = old.attribute("fastmathFlags") {
        attributes.push((Identifier::new(context, "fastmathFlags"), flags));
    }
    OperationBuilder::new("llvm.call_intrinsic", old.location())
        .add_operands(&operands)
        .add_attributes(&attributes)
        .add_results(&[old.result(0)?.r#type()])
        .build()
}

fn llvm_extremum<'c>(context: &'c Context, old: OperationRef<'c, '_>, llvm: &str) -> Result<Operation<'c>, Error> {
    let mut builder = OperationBuilder::new(llvm, old.location())
        .add_operands(&old.operands().collect::<Vec<Value<'c, '_>>>())
        .add_results(&[old.result(0)?.r#type()]);
    if let Ok(flags) = old.attribute("fastmath") {
        // Both dialects spell the flags alike.
        let flags = parse(context, &flags.to_string().replace("#arith.", "#llvm."))?;
        builder = builder.add_attributes(&[(Identifier::new(context, "fastmathFlags"), flags)]);
    }
    builder.build()
}

fn parse<'c>(context: &'c Context, text: &str) -> Result<Attribute<'c>, Error> {
    Attribute::parse(context, text).ok_or_else(|| Error::AttributeParse(text.to_owned()))
}

/// Puts what `make` builds in the place of an operation with one result.
///
/// # Safety
/// `raw` must be a live operation; it is dead afterwards unless there is an error.
unsafe fn replace<'c>(
    raw: MlirOperation,
    make: impl FnOnce(OperationRef<'c, '_>) -> Result<Operation<'c>, Error>,
) -> Result<(), Error> {
    // SAFETY: alive by the caller's promise; the reference is not used after the end of the operation below.
    let old = unsafe { OperationRef::from_raw(raw) };
    let new = make(old)?;
    let Some(block) = old.block() else {
        return Ok(());
    };
    let new = block.insert_operation_before(old, new);
    // SAFETY: both values are alive and of one type; afterwards nothing uses the old operation, which leaves
    // its block and is not touched again.
    unsafe {
        mlirValueReplaceAllUsesOfWith(old.result(0)?.to_raw(), new.result(0)?.to_raw());
        mlirOperationDestroy(raw);
    }
    Ok(())
}
