//! Vectors: making, taking apart, reducing.

use std::fmt::Write;

use super::{Ty, Val, Writer};

/// Kinds of `vector.reduction`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are MLIR's own")]
pub enum Reduce {
    Add,
    Mul,
    And,
    Or,
    Xor,
    Minsi,
    Maxsi,
    Minui,
    Maxui,
    Minnumf,
    Maxnumf,
    Minimumf,
    Maximumf,
}

impl Reduce {
    fn name(self) -> &'static str {
        match self {
            Reduce::Add => "add",
            Reduce::Mul => "mul",
            Reduce::And => "and",
            Reduce::Or => "or",
            Reduce::Xor => "xor",
            Reduce::Minsi => "minsi",
            Reduce::Maxsi => "maxsi",
            Reduce::Minui => "minui",
            Reduce::Maxui => "maxui",
            Reduce::Minnumf => "minnumf",
            Reduce::Maxnumf => "maxnumf",
            Reduce::Minimumf => "minimumf",
            Reduce::Maximumf => "maximumf",
        }
    }
}

impl Writer {
    /// The scalar in all lanes of a vector type of its element; the scalar itself for a scalar type.
    pub fn broadcast(&mut self, v: Val, ty: Ty) -> Val {
        match self.known_int(v) {
            _ if v.ty == ty => v,
            Some(value) if v.ty.elem() == ty.elem() => self.int(ty, value),
            _ => self.op(ty, format_args!("vector.broadcast {v} : {} to {ty}", v.ty)),
        }
    }

    /// One lane at a constant position.
    pub fn extract(&mut self, v: Val, lane: u32) -> Val {
        let to = v.ty.scalar();
        match v.ty {
            Ty::Scalar(_) => v,
            Ty::Vector(..) => self.op(to, format_args!("vector.extract {v}[{lane}] : {to} from {}", v.ty)),
            Ty::Struct(..) => self.op(to, format_args!("llvm.extractvalue {v}[{lane}] : {}", v.ty)),
        }
    }

    /// The vector with one lane at a constant position replaced.
    pub fn insert(&mut self, x: Val, v: Val, lane: u32) -> Val {
        match v.ty {
            Ty::Struct(..) => self.op(v.ty, format_args!("llvm.insertvalue {x}, {v}[{lane}] : {}", v.ty)),
            _ => self.op(v.ty, format_args!("vector.insert {x}, {v}[{lane}] : {} into {}", x.ty, v.ty)),
        }
    }

    /// One lane at a position known when running.
    pub fn extract_dyn(&mut self, v: Val, lane: Val) -> Val {
        self.op(v.ty.scalar(), format_args!("llvm.extractelement {v}[{lane} : {}] : {}", lane.ty, v.ty))
    }

    /// The vector with one lane at a position known when running replaced.
    pub fn insert_dyn(&mut self, x: Val, v: Val, lane: Val) -> Val {
        self.op(v.ty, format_args!("llvm.insertelement {x}, {v}[{lane} : {}] : {}", lane.ty, v.ty))
    }

    /// Lanes picked by position from `a` followed by `b`, which have one type.
    pub fn shuffle(&mut self, a: Val, b: Val, lanes: &[u32]) -> Val {
        let ty = Ty::vector(a.ty.elem(), lanes.len() as u32);
        let mut list = String::new();
        for (i, lane) in lanes.iter().enumerate() {
            write!(list, "{}{lane}", if i == 0 { "" } else { ", " }).expect("writing to a string");
        }
        self.op(ty, format_args!("vector.shuffle {a}, {b} [{list}] : {}, {}", a.ty, b.ty))
    }

    /// All lanes in one scalar. Float sums are in lane order unless reordering is granted.
    pub fn reduce(&mut self, kind: Reduce, v: Val) -> Val {
        let to = v.ty.scalar();
        if !v.ty.is_vector() {
            return v;
        }
        let fast = if to.elem().is_float() { self.fast.to_string() } else { String::new() };
        self.op(to, format_args!("vector.reduction <{}>, {v}{fast} : {} into {to}", kind.name(), v.ty))
    }

    /// The mask of the lanes below `count` (an `i64`): all of them if it is at least the number of lanes.
    pub fn tail_mask(&mut self, count: Val, lanes: u32) -> Val {
        let ty = Ty::vector(super::Scalar::I32, lanes);
        let (zero, all) = (self.i64(0), self.i64(lanes.into()));
        let most = self.minsi(count, all);
        let count = self.maxsi(most, zero);
        let count = self.trunci(count, super::Scalar::I32);
        let (count, iota) = (self.broadcast(count, ty), self.iota(super::Scalar::I32, lanes));
        self.cmpi(super::IntCmp::Slt, iota, count)
    }
}
