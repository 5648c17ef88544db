//! The two pass pipelines that every kernel goes through.

/// From `scf`, `arith`, `math`, `vector`, `cf`, `func` and `llvm` ops to the `llvm` dialect alone.
///
/// Only conversions run here. Canonicalisation and CSE are left to LLVM, which does the same work
/// faster on its own form. [`Module::lower`](crate::Module::lower) first shields maxima and minima from
/// `arith-expand`, which is here to make conversions to bf16 integer code: so they round the
/// same on every machine (the hardware instruction flushes subnormal numbers) and never become calls into a
/// compiler runtime library.
pub const HOST_PIPELINE: &str = "builtin.module(\
    convert-scf-to-cf,\
    arith-expand{include-bf16=true},\
    convert-vector-to-llvm,\
    convert-math-to-llvm,\
    convert-func-to-llvm,\
    convert-arith-to-llvm,\
    convert-index-to-llvm,\
    convert-cf-to-llvm,\
    reconcile-unrealized-casts)";

/// First half for one `gpu.module` with `gpu.func ... kernel` inside: everything but the `gpu` dialect's ops.
///
/// Between the halves LLVM's math intrinsics are rewritten so that the second one leaves them alone;
/// [`Module::lower`](crate::Module::lower) does all three.
pub const GPU_PREPARE_PIPELINE: &str = "builtin.module(\
    convert-scf-to-cf,\
    gpu.module(\
        convert-vector-to-llvm,\
        convert-math-to-llvm))";

/// Second half, ending in the `llvm` and `nvvm` dialects.
///
/// Kernels take bare `!llvm.ptr<1>` and integers; memrefs are not part of the kernel language.
pub const GPU_PIPELINE: &str = "builtin.module(\
    gpu.module(\
        convert-gpu-to-nvvm{use-bare-ptr-memref-call-conv=true},\
        convert-arith-to-llvm,\
        convert-index-to-llvm,\
        convert-nvvm-to-llvm),\
    convert-cf-to-llvm,\
    gpu.module(reconcile-unrealized-casts))";
