//! Matrix instructions.
//!
//! All are brought to one form: 16 rows by 8 columns by 32 bytes of `k`, with four registers of `A`, two of `B` and four of
//! `C`. In it, lane `l` holds of `A` the 4 bytes at byte `4 (l % 4)` of row `l / 4` (registers 1 and 3: eight rows further;
//! 2 and 3: 16 bytes further), of `B` the same of column `l / 4` (register 1: 16 bytes further), and of `C` columns
//! `2 (l % 4)` and the next of row `l / 4` (registers 2 and 3: eight rows further). These are the fragments of
//! `mma.m16n8k16` for 16-bit elements, `m16n8k8` for `tf32` and `m16n8k32` for bytes (PTX ISA, "Matrix Fragments");
//! `sm_75` does the same in two or four smaller steps.

use super::{Chip, Feature};
use crate::text::{Scalar, Ty, Val, Writer};

/// A kind of matrix instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// `f16` into `f32`.
    F16,
    /// `bf16` into `f32`.
    Bf16,
    /// `f32` rounded to `tf32`, into `f32`.
    Tf32,
    /// Signed bytes into `i32`.
    S8,
    /// Unsigned bytes into `i32`.
    U8,
}

impl Atom {
    /// Bytes of an element.
    pub fn bytes(self) -> u32 {
        match self {
            Atom::F16 | Atom::Bf16 => 2,
            Atom::Tf32 => 4,
            Atom::S8 | Atom::U8 => 1,
        }
    }

    /// The type of sums.
    pub fn sum(self) -> Scalar {
        match self {
            Atom::S8 | Atom::U8 => Scalar::I32,
            _ => Scalar::F32,
        }
    }

    /// The type of operands, as far as they have one of this size.
    pub(crate) fn elem(self) -> Scalar {
        match self {
            Atom::F16 => Scalar::F16,
            Atom::Bf16 => Scalar::BF16,
            Atom::Tf32 => Scalar::F32,
            Atom::S8 | Atom::U8 => Scalar::I8,
        }
    }

    /// Elements of `k` of one step.
    pub fn k(self) -> u32 {
        32 / self.bytes()
    }

    /// Whether a chip has it.
    pub fn legal(self, chip: Chip) -> bool {
        let small = match self {
            Atom::F16 => Feature::MmaF16K8,
            Atom::Bf16 => Feature::MmaBf16,
            Atom::Tf32 => Feature::MmaTf32,
            Atom::S8 | Atom::U8 => Feature::MmaByteK16,
        };
        chip.has(small) && chip.has(Feature::LdMatrix)
    }

    /// Multiply-adds a cycle relative to 16-bit elements, as a fraction of four.
    pub(crate) fn speed(self) -> u32 {
        match self {
            Atom::F16 | Atom::Bf16 => 4,
            Atom::Tf32 => 2,
            Atom::S8 | Atom::U8 => 8,
        }
    }

    /// `C + A * B`.
    pub(crate) fn multiply(self, w: &mut Writer, chip: Chip, a: [Val; 4], b: [Val; 2], c: [Val; 4]) -> [Val; 4] {
        match self {
            Atom::F16 if !chip.has(Feature::MmaF16) => {
                let half = self.call(w, [16, 8, 8], &a[..2], &b[..1], &c);
                self.call(w, [16, 8, 8], &a[2..], &b[1..], &half)
            }
            Atom::S8 | Atom::U8 if !chip.has(Feature::MmaByte) => {
                let rows = |w: &mut Writer, first: usize| {
                    let half = self.call_raw(w, [8, 8, 16], &[a[first]], &b[..1], &c[2 * first..2 * first + 2]);
                    self.call_raw(w, [8, 8, 16], &[a[first + 2]], &b[1..], &half)
                };
                let (upper, lower) = (rows(w, 0), rows(w, 1));
                [upper[0], upper[1], lower[0], lower[1]]
            }
            _ => self.call(w, [16, 8, self.k()], &a, &b, &c),
        }
    }

    fn call(self, w: &mut Writer, shape: [u32; 3], a: &[Val], b: &[Val], c: &[Val]) -> [Val; 4] {
        let all = self.call_raw(w, shape, a, b, c);
        [all[0], all[1], all[2], all[3]]
    }

    fn call_raw(self, w: &mut Writer, [m, n, k]: [u32; 3], a: &[Val], b: &[Val], c: &[Val]) -> Vec<Val> {
        let name = match self {
            Atom::F16 => "f16",
            Atom::Bf16 => "bf16",
            Atom::Tf32 => "tf32",
            Atom::S8 => "s8",
            Atom::U8 => "u8",
        };
        // The dialect wants halves as vectors and everything else as words.
        let operand = if self == Atom::F16 { Ty::vector(Scalar::F16, 2) } else { Ty::I32 };
        let mut list = |vals: &[Val]| -> String {
            let cast: Vec<String> = vals.iter().map(|v| w.llvm_bitcast(*v, operand).to_string()).collect();
            cast.join(", ")
        };
        let (a, b) = (list(a), list(b));
        let sums: Vec<String> = c.iter().map(ToString::to_string).collect();
        let overflow = match self {
            Atom::S8 | Atom::U8 => ", intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>",
            _ => "",
        };
        let ty = Ty::Struct(self.sum(), c.len() as u32);
        let all = w.op(
            ty,
            format_args!(
                "nvvm.mma.sync A[{a}] B[{b}] C[{}] {{layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, \
                 multiplicandAPtxType = #nvvm.mma_type<{name}>, multiplicandBPtxType = #nvvm.mma_type<{name}>, \
                 shape = #nvvm.shape<m = {m}, n = {n}, k = {k}>{overflow}}} : ({operand}, {operand}, {}) -> {ty}",
                sums.join(", "),
                self.sum()
            ),
        );
        (0..c.len() as u32).map(|n| w.extract(all, n)).collect()
    }
}
