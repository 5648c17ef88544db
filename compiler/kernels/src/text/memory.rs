//! Loads, stores and addresses, all through `!llvm.ptr`.

use std::fmt;

use super::{Scalar, Ty, Val, Writer};

/// What is known about an access. `Access::aligned(4)` knows the alignment only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// The memory is not written while the function runs (loads only).
    pub invariant: bool,
    /// The data will not be used again soon.
    pub nontemporal: bool,
}

impl Access {
    /// An ordinary access with this alignment.
    pub fn aligned(align: u32) -> Access {
        Access { align, invariant: false, nontemporal: false }
    }

    /// The same, of memory nobody writes meanwhile.
    pub fn invariant(self) -> Access {
        Access { invariant: true, ..self }
    }

    /// The same, of data not needed again soon.
    pub fn nontemporal(self) -> Access {
        Access { nontemporal: true, ..self }
    }
}

impl From<u32> for Access {
    fn from(align: u32) -> Access {
        Access::aligned(align)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{alignment = {} : i64{}}}", self.align, if self.nontemporal { ", nontemporal" } else { "" })
    }
}

impl Writer {
    /// `llvm.load` of a scalar or vector; `access` is an alignment in bytes or an [`Access`].
    pub fn load(&mut self, ptr: Val, ty: Ty, access: impl Into<Access>) -> Val {
        let access = access.into();
        let invariant = if access.invariant { " invariant" } else { "" };
        self.op(ty, format_args!("llvm.load {ptr}{invariant} {access} : {} -> {ty}", ptr.ty))
    }

    /// `llvm.store` of a scalar or vector.
    pub fn store(&mut self, value: Val, ptr: Val, access: impl Into<Access>) {
        let access = access.into();
        self.stmt(format_args!("llvm.store {value}, {ptr} {access} : {}, {}", value.ty, ptr.ty));
    }

    /// Loads the lanes where `mask` holds, the others from `otherwise`.
    pub fn masked_load(&mut self, ptr: Val, mask: Val, otherwise: Val, align: u32) -> Val {
        let ty = otherwise.ty;
        let attr = format!("{{alignment = {align} : i32}}");
        self.op(
            ty,
            format_args!(
                "llvm.intr.masked.load {ptr}, {mask}, {otherwise} {attr} : ({}, {}, {ty}) -> {ty}",
                ptr.ty, mask.ty
            ),
        )
    }

    /// Stores the lanes where `mask` holds.
    pub fn masked_store(&mut self, value: Val, ptr: Val, mask: Val, align: u32) {
        let attr = format!("{{alignment = {align} : i32}}");
        self.stmt(format_args!(
            "llvm.intr.masked.store {value}, {ptr}, {mask} {attr} : {}, {} into {}",
            value.ty, mask.ty, ptr.ty
        ));
    }

    /// Address of element `index` of an array of `elem` at `ptr`. A vector of indices gives a vector of addresses.
    pub fn gep(&mut self, ptr: Val, index: Val, elem: Ty) -> Val {
        match self.known_int(index) {
            Some(i) if !index.ty.is_vector() => self.gep_const(ptr, i, elem),
            _ => {
                let ty = index.ty.with_elem(ptr.ty.elem());
                self.op(
                    ty,
                    format_args!("llvm.getelementptr {ptr}[{index}] : ({}, {}) -> {ty}, {elem}", ptr.ty, index.ty),
                )
            }
        }
    }

    /// Address of the element a constant number of elements further.
    pub fn gep_const(&mut self, ptr: Val, index: i64, elem: Ty) -> Val {
        match index {
            0 => ptr,
            // The constant index is a 32-bit attribute; a larger one goes through a value.
            _ if i32::try_from(index).is_err() => {
                let index = self.i64(index);
                let ty = ptr.ty;
                self.op(ty, format_args!("llvm.getelementptr {ptr}[{index}] : ({ty}, i64) -> {ty}, {elem}"))
            }
            _ => self.op(ptr.ty, format_args!("llvm.getelementptr {ptr}[{index}] : ({0}) -> {0}, {elem}", ptr.ty)),
        }
    }

    /// Address a number of bytes further.
    pub fn gep_bytes(&mut self, ptr: Val, bytes: Val) -> Val {
        self.gep(ptr, bytes, Ty::I8)
    }

    /// Loads through a vector of addresses the lanes where `mask` holds, the others from `otherwise`.
    pub fn gather(&mut self, ptrs: Val, mask: Val, otherwise: Val, align: u32) -> Val {
        let ty = otherwise.ty;
        let attr = format!("{{alignment = {align} : i32}}");
        self.op(
            ty,
            format_args!(
                "llvm.intr.masked.gather {ptrs}, {mask}, {otherwise} {attr} : ({}, {}, {ty}) -> {ty}",
                ptrs.ty, mask.ty
            ),
        )
    }

    /// `llvm.alloca` of so many elements in the frame of the function.
    pub fn alloca(&mut self, elem: Ty, count: Val, align: u32) -> Val {
        self.op(
            Ty::PTR,
            format_args!("llvm.alloca {count} x {elem} {{alignment = {align} : i64}} : ({}) -> !llvm.ptr", count.ty),
        )
    }

    /// The null pointer or zero of any LLVM type.
    pub fn null(&mut self) -> Val {
        self.op(Ty::Scalar(Scalar::Ptr(0)), "llvm.mlir.zero : !llvm.ptr")
    }
}
