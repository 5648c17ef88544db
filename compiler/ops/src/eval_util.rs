//! Helpers of reference evaluation: walking indices of row-major tensors.
