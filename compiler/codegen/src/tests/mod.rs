mod gpu;
mod host;
mod mapped;
mod robust;

/// Pieces of kernels shared by the tests.
pub(crate) fn host_function(name: &str, body: &str) -> String {
    format!(
        "func.func @{name}(%bufs: !llvm.ptr {{llvm.noalias}}, %dims: !llvm.ptr, %begin: i64, %end: i64, \
         %scratch: !llvm.ptr) {{\n{body}\n  return\n}}\n"
    )
}
