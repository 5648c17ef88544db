//! Types of SSA values.

use std::fmt;

/// Type of one element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalar {
    /// A truth value.
    I1,
    /// 8-bit integer (signless, as all MLIR integers here).
    I8,
    /// 16-bit integer.
    I16,
    /// 32-bit integer.
    I32,
    /// 64-bit integer; the type of all sizes, offsets and loop variables.
    I64,
    /// MLIR's `index`; only where an operation insists on it.
    Index,
    /// IEEE half precision.
    F16,
    /// Brain float: the upper half of a single.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// `!llvm.ptr` in an address space (0: generic).
    Ptr(u16),
}

impl Scalar {
    /// Width in bits; pointers and `index` count as 64.
    pub fn bits(self) -> u32 {
        match self {
            Scalar::I1 => 1,
            Scalar::I8 => 8,
            Scalar::I16 | Scalar::F16 | Scalar::BF16 => 16,
            Scalar::I32 | Scalar::F32 => 32,
            Scalar::I64 | Scalar::F64 | Scalar::Index | Scalar::Ptr(_) => 64,
        }
    }

    /// Size in memory in bytes; `i1` takes one.
    pub fn bytes(self) -> u32 {
        self.bits().div_ceil(8)
    }

    /// True for the four floating-point types.
    pub fn is_float(self) -> bool {
        matches!(self, Scalar::F16 | Scalar::BF16 | Scalar::F32 | Scalar::F64)
    }

    /// True for integers, `i1` and `index` included.
    pub fn is_int(self) -> bool {
        !self.is_float() && !matches!(self, Scalar::Ptr(_))
    }

    /// The integer type of the same width (pointers and `index`: `i64`).
    pub fn as_int(self) -> Scalar {
        match self.bits() {
            1 => Scalar::I1,
            8 => Scalar::I8,
            16 => Scalar::I16,
            32 => Scalar::I32,
            _ => Scalar::I64,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar::I1 => "i1",
            Scalar::I8 => "i8",
            Scalar::I16 => "i16",
            Scalar::I32 => "i32",
            Scalar::I64 => "i64",
            Scalar::Index => "index",
            Scalar::F16 => "f16",
            Scalar::BF16 => "bf16",
            Scalar::F32 => "f32",
            Scalar::F64 => "f64",
            Scalar::Ptr(0) => "!llvm.ptr",
            Scalar::Ptr(space) => return write!(f, "!llvm.ptr<{space}>"),
        })
    }
}

/// Type of a value: one element, a one-dimensional vector of them, or a homogeneous LLVM struct.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ty {
    /// One element.
    Scalar(Scalar),
    /// `vector<N x element>`.
    Vector(Scalar, u32),
    /// `!llvm.struct<(element, ...)>` with N equal members, as matrix instructions return.
    Struct(Scalar, u32),
}

impl Ty {
    /// `i1`.
    pub const I1: Ty = Ty::Scalar(Scalar::I1);
    /// `i8`.
    pub const I8: Ty = Ty::Scalar(Scalar::I8);
    /// `i16`.
    pub const I16: Ty = Ty::Scalar(Scalar::I16);
    /// `i32`.
    pub const I32: Ty = Ty::Scalar(Scalar::I32);
    /// `i64`.
    pub const I64: Ty = Ty::Scalar(Scalar::I64);
    /// `index`.
    pub const INDEX: Ty = Ty::Scalar(Scalar::Index);
    /// `f16`.
    pub const F16: Ty = Ty::Scalar(Scalar::F16);
    /// `bf16`.
    pub const BF16: Ty = Ty::Scalar(Scalar::BF16);
    /// `f32`.
    pub const F32: Ty = Ty::Scalar(Scalar::F32);
    /// `f64`.
    pub const F64: Ty = Ty::Scalar(Scalar::F64);
    /// `!llvm.ptr`.
    pub const PTR: Ty = Ty::Scalar(Scalar::Ptr(0));

    /// `vector<lanes x elem>`.
    pub const fn vector(elem: Scalar, lanes: u32) -> Ty {
        Ty::Vector(elem, lanes)
    }

    /// The element type.
    pub fn elem(self) -> Scalar {
        match self {
            Ty::Scalar(e) | Ty::Vector(e, _) | Ty::Struct(e, _) => e,
        }
    }

    /// Number of elements (1 for a scalar).
    pub fn lanes(self) -> u32 {
        match self {
            Ty::Scalar(_) => 1,
            Ty::Vector(_, n) | Ty::Struct(_, n) => n,
        }
    }

    /// True for vectors.
    pub fn is_vector(self) -> bool {
        matches!(self, Ty::Vector(..))
    }

    /// The same form with another element type.
    pub fn with_elem(self, elem: Scalar) -> Ty {
        match self {
            Ty::Scalar(_) => Ty::Scalar(elem),
            Ty::Vector(_, n) => Ty::Vector(elem, n),
            Ty::Struct(_, n) => Ty::Struct(elem, n),
        }
    }

    /// The element type as a scalar type.
    pub fn scalar(self) -> Ty {
        Ty::Scalar(self.elem())
    }

    /// The truth values of a comparison of two such values.
    pub fn mask(self) -> Ty {
        self.with_elem(Scalar::I1)
    }

    /// The integers of the same width.
    pub fn as_int(self) -> Ty {
        self.with_elem(self.elem().as_int())
    }

    /// Size in memory in bytes.
    pub fn bytes(self) -> u32 {
        self.elem().bytes() * self.lanes()
    }
}

impl From<Scalar> for Ty {
    fn from(elem: Scalar) -> Ty {
        Ty::Scalar(elem)
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Scalar(e) => e.fmt(f),
            Ty::Vector(e, n) => write!(f, "vector<{n}x{e}>"),
            Ty::Struct(e, n) => {
                f.write_str("!llvm.struct<(")?;
                for i in 0..*n {
                    write!(f, "{}{e}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")>")
            }
        }
    }
}
