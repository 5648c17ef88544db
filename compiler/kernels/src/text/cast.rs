//! Conversions.

use super::constant::wrap;
use super::{Scalar, Ty, Val, Writer};

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

    /// Float to float, in the direction needed. Between `f16` and `bf16` by way of `f32`, which is exact.
    pub fn float_to_float(&mut self, a: Val, to: Scalar) -> Val {
        let from = a.ty.elem();
        match (from.bits(), to.bits()) {
            (x, y) if x < y => self.extf(a, to),
            (x, y) if x > y => self.truncf(a, to),
            _ if from == to => a,
            _ => {
                let wide = self.extf(a, Scalar::F32);
                self.truncf(wide, to)
            }
        }
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
