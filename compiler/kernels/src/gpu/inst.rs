//! Single instructions of NVIDIA GPUs.

use crate::text::{Access, Scalar, Ty, Val, Writer};

/// Address space of shared memory.
pub(crate) const SHARED: Ty = Ty::Scalar(Scalar::Ptr(3));

impl Writer {
    /// Declares the dynamic shared memory of a module, for [`Writer::shared`].
    pub fn declare_shared(&mut self) {
        self.line(
            "llvm.mlir.global external @shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>",
        );
    }

    /// The start of dynamic shared memory.
    pub fn shared(&mut self) -> Val {
        self.op(SHARED, "llvm.mlir.addressof @shared : !llvm.ptr<3>")
    }

    /// The number of the thread in its block.
    pub fn thread(&mut self) -> Val {
        self.op(Ty::I32, "nvvm.read.ptx.sreg.tid.x : i32")
    }

    /// The number of the block.
    pub fn block_number(&mut self) -> Val {
        self.op(Ty::I32, "nvvm.read.ptx.sreg.ctaid.x : i32")
    }

    /// Waits for all threads of the block, and makes their writes to memory visible to each other.
    pub fn barrier(&mut self) {
        self.stmt("nvvm.barrier0");
    }

    /// The value of the lane whose number differs in the bits of `by`; all lanes of the warp take part.
    pub fn shuffle_xor(&mut self, v: Val, by: u32) -> Val {
        let (all, by, clamp) = (self.i32(-1), self.i32(by.cast_signed()), self.i32(31));
        self.op(v.ty, format_args!("nvvm.shfl.sync bfly {all}, {v}, {by}, {clamp} : {0} -> {0}", v.ty))
    }

    /// [`Writer::shuffle_xor`] of a value of any type up to 64 bits.
    pub(crate) fn shuffle_any(&mut self, v: Val, by: u32) -> Val {
        let bits = v.ty.elem().bits();
        if bits == 32 {
            return self.shuffle_xor(v, by);
        }
        if bits == 64 {
            let pair = self.llvm_bitcast(v, Ty::vector(Scalar::I32, 2));
            let words: Vec<Val> = (0..2)
                .map(|n| {
                    let word = self.extract(pair, n);
                    self.shuffle_xor(word, by)
                })
                .collect();
            let pair = self.vector_of(&words);
            return self.llvm_bitcast(pair, v.ty);
        }
        let raw = self.bitcast(v, v.ty.elem().as_int());
        let wide = self.extui(raw, Scalar::I32);
        let other = self.shuffle_xor(wide, by);
        let narrow = self.trunci(other, v.ty.elem().as_int());
        self.bitcast(narrow, v.ty.elem())
    }

    /// Starts to copy 4, 8 or 16 bytes from global to shared memory; of these only `size` are read, the rest is zero.
    pub(crate) fn copy_async(&mut self, to: Val, from: Val, bytes: u32, size: Option<Val>) {
        // Whole lines bypass the first cache; smaller pieces exist only through it.
        let cache = if bytes == 16 { "cg" } else { "ca" };
        let (to_ty, from_ty) = (to.ty, from.ty);
        match size {
            None => self.stmt(format_args!(
                "nvvm.cp.async.shared.global {to}, {from}, {bytes}, cache = {cache} : {to_ty}, {from_ty}"
            )),
            Some(size) => self.stmt(format_args!(
                "nvvm.cp.async.shared.global {to}, {from}, {bytes}, cache = {cache}, {size} : {to_ty}, {from_ty}, i32"
            )),
        }
    }

    /// Ends a group of asynchronous copies.
    pub(crate) fn commit_copies(&mut self) {
        self.stmt("nvvm.cp.async.commit.group");
    }

    /// Waits until at most so many groups of this thread's copies are not done.
    pub(crate) fn wait_copies(&mut self, pending: u32) {
        self.stmt(format_args!("nvvm.cp.async.wait.group {pending}"));
    }

    /// Four 8x8 matrices of 16-bit elements; lane `8 i + r` gives the address of row `r` of matrix `i`.
    pub(crate) fn ldmatrix(&mut self, ptr: Val, transposed: bool) -> [Val; 4] {
        let layout = if transposed { "col" } else { "row" };
        let ty = Ty::Struct(Scalar::I32, 4);
        let all = self.op(
            ty,
            format_args!(
                "nvvm.ldmatrix {ptr} {{layout = #nvvm.mma_layout<{layout}>, num = 4 : i32, \
                 shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>}} : ({}) -> {ty}",
                ptr.ty
            ),
        );
        [0, 1, 2, 3].map(|n| self.extract(all, n))
    }

    /// Words from global memory where `valid` holds, zeros elsewhere. `bytes` is 1, 2, 4, 8 or 16; what is smaller than a
    /// word stands in the low bits of one.
    ///
    /// Written as PTX, so that it is one predicated instruction and not a branch.
    pub(crate) fn load_words(&mut self, ptr: Val, bytes: u32, valid: Option<Val>) -> Vec<Val> {
        let n_words = bytes.div_ceil(4);
        let Some(valid) = valid.filter(|v| self.known_int(*v) != Some(1)) else {
            return self.load_all_words(ptr, bytes);
        };
        let zero = self.i32(0);
        let kind = match bytes {
            1 => "u8",
            2 => "u16",
            4 => "b32",
            8 => "v2.b32",
            _ => "v4.b32",
        };
        let list = |items: Vec<String>| if n_words == 1 { items.join("") } else { format!("{{{}}}", items.join(", ")) };
        let regs = list((0..n_words).map(|n| format!("${n}")).collect());
        let outs = vec!["=r"; n_words as usize].join(",");
        let ties: Vec<String> = (0..n_words).map(|n| n.to_string()).collect();
        let zeros = vec![zero.to_string(); n_words as usize].join(", ");
        let in_tys = vec!["i32"; n_words as usize].join(", ");
        let ty = if n_words == 1 { Ty::I32 } else { Ty::Struct(Scalar::I32, n_words) };
        let all = self.op(
            ty,
            format_args!(
                "llvm.inline_asm has_side_effects asm_dialect = att \"@${} ld.global.nc.{kind} {regs}, [${n_words}];\", \
                 \"{outs},l,b,{}\" {ptr}, {valid}, {zeros} : ({}, i1, {in_tys}) -> {ty}",
                n_words + 1,
                ties.join(","),
                ptr.ty
            ),
        );
        if n_words == 1 { vec![all] } else { (0..n_words).map(|n| self.extract(all, n)).collect() }
    }

    fn load_all_words(&mut self, ptr: Val, bytes: u32) -> Vec<Val> {
        let access = Access::aligned(bytes).invariant();
        match bytes {
            1 | 2 => {
                let elem = if bytes == 1 { Scalar::I8 } else { Scalar::I16 };
                let raw = self.load(ptr, elem.into(), access);
                vec![self.extui(raw, Scalar::I32)]
            }
            4 => vec![self.load(ptr, Ty::I32, access)],
            _ => {
                let all = self.load(ptr, Ty::vector(Scalar::I32, bytes / 4), access);
                (0..bytes / 4).map(|n| self.extract(all, n)).collect()
            }
        }
    }

    /// One element out of the words of a piece, as another type.
    pub(crate) fn unpack(&mut self, words: &[Val], elem: Scalar, element: u32, to: Scalar) -> Val {
        let bytes = elem.bytes();
        if bytes == 8 {
            let pair = self.vector_of(&words[2 * element as usize..2 * element as usize + 2]);
            return self.llvm_bitcast(pair, elem.into());
        }
        let shift = self.i32((element * bytes % 4 * 8).cast_signed());
        let low = self.shrui(words[(element * bytes / 4) as usize], shift);
        let raw = self.trunci(low, elem.as_int());
        let value = self.bitcast(raw, elem);
        if elem.is_float() { self.float_to_float(value, to) } else { self.int_to_int(value, to, true) }
    }

    /// `word & mask ^ flip` in one instruction. LLVM would take bits out of a shifted word by one of its own, which leaves two.
    pub fn masked_xor(&mut self, word: Val, mask: u32, flip: u32) -> Val {
        let text = format!("lop3.b32 $0, $1, {mask}, {flip}, 0x6a;");
        self.op(Ty::I32, format_args!("llvm.inline_asm asm_dialect = att \"{text}\", \"=r,r\" {word} : (i32) -> i32"))
    }

    /// Words as one vector.
    pub(crate) fn vector_of(&mut self, items: &[Val]) -> Val {
        let ty = Ty::vector(items[0].ty.elem(), items.len() as u32);
        let start = self.op(ty, format_args!("llvm.mlir.undef : {ty}"));
        items.iter().zip(0..).fold(start, |sum, (item, at)| self.insert(*item, sum, at))
    }

    /// The address a number of bytes into shared memory.
    pub(crate) fn shared_at(&mut self, base: Val, bytes: Val) -> Val {
        self.gep(base, bytes, Ty::I8)
    }
}
