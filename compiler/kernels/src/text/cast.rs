//! Conversions.

use super::constant::wrap;
use super::{FloatCmp, Scalar, Ty, Val, Writer};

macro_rules! casts {
    ($($name:ident: $doc:literal;)*) => {
        impl Writer { $(
            #[doc = concat!("`arith.", stringify!($name), "`: ", $doc, ". The value itself if it has that element already.")]
            pub fn $name(&mut self, a: Val, to: Scalar) -> Val {
                self.cast(stringify!($name), a, to)
            }
        )* }
    };
}

casts! {
    extsi: "integer to a wider one, with the sign";
    extui: "integer to a wider one, with zeros";
    trunci: "integer to a narrower one";
    extf: "float to a wider one";
    truncf: "float to a narrower one, to nearest even";
    sitofp: "signed integer to float";
    uitofp: "unsigned integer to float";
    fptosi: "float to signed integer, towards zero; poison outside its range";
    fptoui: "float to unsigned integer, towards zero; poison outside its range";
    index_cast: "between `index` and integers";
}

impl Writer {
    fn cast(&mut self, name: &str, a: Val, to: Scalar) -> Val {
        let ty = a.ty.with_elem(to);
        if ty == a.ty {
            return a;
        }
        if let (Some(v), true) = (self.known_int(a), to.is_int() && !ty.is_vector()) {
            let unsigned = match (name, a.ty.elem().bits()) {
                ("extui", n) if n < 64 => v & ((1 << n) - 1),
                ("extsi", 1) => -v,
                _ => v,
            };
            return self.int(ty, wrap(to, unsigned));
        }
        self.op(ty, format_args!("arith.{name} {a} : {} to {ty}", a.ty))
    }

    /// The same bits as another element type of the same width.
    pub fn bitcast(&mut self, a: Val, to: Scalar) -> Val {
        let ty = a.ty.with_elem(to);
        if ty == a.ty {
            return a;
        }
        self.op(ty, format_args!("arith.bitcast {a} : {} to {ty}", a.ty))
    }

    /// The same bits as any other type of the same total width, for example two halves of a word.
    pub fn llvm_bitcast(&mut self, a: Val, to: Ty) -> Val {
        if to == a.ty {
            return a;
        }
        self.op(to, format_args!("llvm.bitcast {a} : {} to {to}", a.ty))
    }

    /// Float to float in the direction needed, rounded once to nearest even, without library calls (`f16` needs
    /// F16C on x86). Between `f16` and `bf16` by way of `f32`.
    ///
    /// Unlike [`Writer::truncf`], which becomes a library call for `bf16` and for `f64` to a half, where the target
    /// lacks an instruction.
    pub fn float_to_float(&mut self, a: Val, to: Scalar) -> Val {
        match (a.ty.elem(), to) {
            (from, _) if from == to => a,
            (Scalar::F16 | Scalar::BF16, Scalar::F16 | Scalar::BF16) => {
                let wide = self.extf(a, Scalar::F32);
                self.float_to_float(wide, to)
            }
            (Scalar::F64, Scalar::F16 | Scalar::BF16) => {
                let single = self.round_to_odd(a);
                self.float_to_float(single, to)
            }
            (Scalar::F32, Scalar::BF16) if !self.native_bf16 => self.round_to_bf16(a),
            (from, _) if from.bits() < to.bits() => self.extf(a, to),
            _ => self.truncf(a, to),
        }
    }

    /// Whether the target has an instruction that rounds `f32` to `bf16`; else it is done on integers.
    pub fn set_native_bf16(&mut self, native: bool) {
        self.native_bf16 = native;
    }

    /// The upper half of the bits, rounded to nearest even.
    fn round_to_bf16(&mut self, a: Val) -> Val {
        let bits = self.bitcast(a, Scalar::I32);
        let int = |w: &mut Writer, v| w.int(bits.ty, v);
        let (one, half, width) = (int(self, 1), int(self, 0x7fff), int(self, 16));
        let upper = self.shrui(bits, width);
        let odd = self.andi(upper, one);
        let sum = self.addi(bits, half);
        let sum = self.addi(sum, odd);
        let rounded = self.shrui(sum, width);
        // A NaN must not be carried into infinity.
        let quiet = int(self, 0x40);
        let quiet = self.ori(upper, quiet);
        let nan = self.cmpf(FloatCmp::Uno, a, a);
        let code = self.select(nan, quiet, rounded);
        let code = self.trunci(code, Scalar::I16);
        self.bitcast(code, Scalar::BF16)
    }

    /// A double as a single that rounds further as the double itself would: towards zero, with the last bit set if
    /// anything was lost.
    fn round_to_odd(&mut self, a: Val) -> Val {
        let single = self.truncf(a, Scalar::F32);
        let back = self.extf(single, Scalar::F64);
        let bits = self.bitcast(single, Scalar::I32);
        let one = self.int(bits.ty, 1);
        let (size, back_size) = (self.absf(a), self.absf(back));
        let larger = self.cmpf(FloatCmp::Olt, size, back_size);
        let less = self.subi(bits, one);
        let towards_zero = self.select(larger, less, bits);
        let inexact = self.cmpf(FloatCmp::Une, back, a);
        let odd = self.ori(towards_zero, one);
        let bits = self.select(inexact, odd, bits);
        self.bitcast(bits, Scalar::F32)
    }

    /// Integer to integer, in the direction needed.
    pub fn int_to_int(&mut self, a: Val, to: Scalar, signed: bool) -> Val {
        match (a.ty.elem().bits(), to.bits()) {
            (x, y) if x > y => self.trunci(a, to),
            _ if signed => self.extsi(a, to),
            _ => self.extui(a, to),
        }
    }
}
