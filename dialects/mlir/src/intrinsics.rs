//! Keeps LLVM's math intrinsics through the conversion of the `gpu` dialect.
//!
//! `convert-gpu-to-nvvm` turns square roots, exponentials and their like into calls of NVIDIA's device
//! library, which we do not have, and declares the `llvm.intr` ops for them illegal. LLVM itself can select most of
//! them (some only with the `afn` flag). So before that pass each such op is written as a
//! `llvm.call_intrinsic` of the same intrinsic, which the pass lets through.

use melior::Context;
use melior::ir::attribute::{Attribute, StringAttribute};
use melior::ir::operation::{
    OperationBuilder, OperationLike, OperationRef, WalkOrder, WalkResult,
};
use melior::ir::{BlockLike, Identifier, Value};
use melior::ir::ValueLike;
use mlir_sys::{MlirOperation, mlirOperationDestroy, mlirValueReplaceAllUsesOfWith};

/// Ops `llvm.intr.NAME` with the intrinsic `llvm.NAME`, all of whose arguments are floats.
const NAMES: &[&str] = &[
    "ceil", "copysign", "cos", "exp", "exp2", "fabs", "floor", "log", "log10", "log2", "pow", "round",
    "roundeven", "sin", "sqrt",
];

/// Rewrites every such op in `module`; an error if one cannot be rebuilt.
pub(crate) fn protect(
    context: &Context,
    module: &melior::ir::Module<'_>,
) -> Result<(), melior::Error> {
    let mut found: Vec<(MlirOperation, String)> = Vec::new();
    module.as_operation().walk(WalkOrder::PreOrder, |operation| {
        if let Ok(name) = operation.name().as_string_ref().as_str() {
            if name.strip_prefix("llvm.intr.").is_some_and(|n| NAMES.contains(&n)) {
                found.push((operation.to_raw(), name.replace("llvm.intr.", "llvm.")));
            }
        }
        WalkResult::Advance
    });
    for (operation, intrinsic) in found {
        replace(context, operation, &intrinsic)?;
    }
    Ok(())
}

fn replace(context: &Context, raw: MlirOperation, intrinsic: &str) -> Result<(), melior::Error> {
    // SAFETY: the operation was found by the walk and only other operations have been replaced since.
    let operation = unsafe { OperationRef::from_raw(raw) };
    let result = operation.result(0)?;
    let operands: Vec<Value<'_, '_>> = operation.operands().collect();
    let segments = format!("array<i32: {}, 0>", operands.len());
    let parsed = |text: &str| {
        Attribute::parse(context, text).ok_or_else(|| melior::Error::AttributeParse(text.to_owned()))
    };
    let named = |name: &str, value| (Identifier::new(context, name), value);
    let mut attributes = vec![
        named("intrin", StringAttribute::new(context, intrinsic).into()),
        named("op_bundle_sizes", parsed("array<i32>")?),
        named("operandSegmentSizes", parsed(&segments)?),
    ];
    if let Ok(flags) = operation.attribute("fastmathFlags") {
        attributes.push(named("fastmathFlags", flags));
    }
    let call = OperationBuilder::new("llvm.call_intrinsic", operation.location())
        .add_operands(&operands)
        .add_attributes(&attributes)
        .add_results(&[result.r#type()])
        .build()?;
    let Some(block) = operation.block() else { return Ok(()) };
    let call = block.insert_operation_before(operation, call);
    // SAFETY: both values are alive and of one type; afterwards nothing uses the old operation, which leaves its
    // block and is not touched again (`operation` and `result` are dead from here on).
    unsafe {
        mlirValueReplaceAllUsesOfWith(result.to_raw(), call.result(0)?.to_raw());
        mlirOperationDestroy(raw);
    }
    Ok(())
}
