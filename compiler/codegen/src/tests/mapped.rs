//! Runs blobs: what the runtime does, in small.

use std::ffi::c_void;

use crate::HostCode;

/// The C interface of every host kernel.
pub(crate) type Kernel = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// A blob in executable memory; never unmapped, tests are short.
pub(crate) struct Mapped<'a> {
    base: *mut u8,
    code: &'a HostCode,
}

impl<'a> Mapped<'a> {
    pub(crate) fn new(code: &'a HostCode) -> Self {
        let mut blob = code.blob.clone();
        for (name, slot) in &code.imports {
            let address = match name.as_str() {
                "memset" => libc::memset as *const () as usize,
                "memcpy" => libc::memcpy as *const () as usize,
                "fmod" => fmod as *const () as usize,
                other => panic!("the test provides no {other}"),
            };
            blob[*slot as usize..][..8].copy_from_slice(&address.to_le_bytes());
        }
        assert!(code.align <= 4096);
        // SAFETY: a private mapping that nothing else knows, filled before it becomes executable.
        let base = unsafe {
            let base = libc::mmap(
                std::ptr::null_mut(),
                blob.len(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(base, libc::MAP_FAILED);
            std::ptr::copy_nonoverlapping(blob.as_ptr(), base.cast(), blob.len());
            assert_eq!(libc::mprotect(base, blob.len(), libc::PROT_READ | libc::PROT_EXEC), 0);
            base
        };
        Self { base: base.cast(), code }
    }

    /// Calls kernel `name` with buffers of f32.
    pub(crate) fn call(&self, name: &str, buffers: &mut [&mut [f32]], dims: &[i64], begin: i64, end: i64) {
        let offset = self.code.entry(name).expect("no such kernel");
        let pointers: Vec<*mut u8> = buffers.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        // SAFETY: the blob holds a kernel of this type there, and the test's kernels stay inside the buffers.
        unsafe {
            let kernel: Kernel = std::mem::transmute::<*mut c_void, Kernel>(self.base.add(offset as usize).cast());
            kernel(pointers.as_ptr(), dims.as_ptr(), begin, end, std::ptr::null_mut());
        }
    }
}

unsafe extern "C" {
    fn fmod(x: f64, y: f64) -> f64;
}
