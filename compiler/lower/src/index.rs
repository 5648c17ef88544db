//! Positions along an axis: one for all lanes, evenly spaced ones, or any.

use kernels::text::{IntCmp, Scalar, Ty, Val, Writer};

/// The index of each lane along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Idx {
    /// The same for all lanes.
    Uniform(Val),
    /// `base + lane * step`.
    Linear(Val, i64),
    /// A vector of `i64`.
    Varying(Val),
}

impl Idx {
    pub(crate) fn is_uniform(self) -> bool {
        matches!(self, Idx::Uniform(_))
    }

    /// As a value: `i64`, or a vector of it.
    pub(crate) fn val(self, w: &mut Writer, lanes: u32) -> Val {
        match self {
            Idx::Uniform(v) | Idx::Varying(v) => v,
            Idx::Linear(base, step) => {
                let ty = Ty::vector(Scalar::I64, lanes);
                let counts: Vec<i64> = (0..i64::from(lanes)).map(|lane| lane * step).collect();
                let (base, counts) = (w.broadcast(base, ty), w.ints(Scalar::I64, &counts));
                w.addi(base, counts)
            }
        }
    }

    fn of(v: Val) -> Idx {
        if v.ty.is_vector() { Idx::Varying(v) } else { Idx::Uniform(v) }
    }

    /// `self + by`, where `by` is the same for all lanes.
    pub(crate) fn offset(self, w: &mut Writer, by: Val) -> Idx {
        match self {
            Idx::Uniform(v) => Idx::Uniform(w.addi(v, by)),
            Idx::Linear(v, step) => Idx::Linear(w.addi(v, by), step),
            Idx::Varying(v) => {
                let by = w.broadcast(by, v.ty);
                Idx::Varying(w.addi(v, by))
            }
        }
    }

    /// `self * by`, where `by` is the same for all lanes.
    pub(crate) fn scale(self, w: &mut Writer, by: Val, lanes: u32) -> Idx {
        match (self, w.known_int(by)) {
            (Idx::Uniform(v), _) => Idx::Uniform(w.muli(v, by)),
            (Idx::Linear(v, step), Some(factor)) => {
                let base = w.muli(v, by);
                if factor == 0 { Idx::Uniform(base) } else { Idx::Linear(base, step * factor) }
            }
            _ => {
                let v = self.val(w, lanes);
                let by = w.broadcast(by, v.ty);
                Idx::Varying(w.muli(v, by))
            }
        }
    }

    /// The sum of two.
    pub(crate) fn plus(self, w: &mut Writer, other: Idx, lanes: u32) -> Idx {
        match (self, other) {
            (Idx::Uniform(v), other) | (other, Idx::Uniform(v)) => other.offset(w, v),
            (Idx::Linear(a, s), Idx::Linear(b, t)) => {
                let base = w.addi(a, b);
                if s + t == 0 { Idx::Uniform(base) } else { Idx::Linear(base, s + t) }
            }
            (a, b) => {
                let (a, b) = (a.val(w, lanes), b.val(w, lanes));
                Idx::Varying(w.addi(a, b))
            }
        }
    }

    /// A function of each lane's index and numbers that are the same for all lanes.
    pub(crate) fn map<const N: usize>(
        self,
        w: &mut Writer,
        lanes: u32,
        args: [Val; N],
        f: impl FnOnce(&mut Writer, Val, [Val; N]) -> Val,
    ) -> Idx {
        let v = self.val(w, lanes);
        let args = args.map(|arg| w.broadcast(arg, v.ty));
        Idx::of(f(w, v, args))
    }

    /// Clamped into `[0, extent - 1]`.
    pub(crate) fn clamp(self, w: &mut Writer, lanes: u32, extent: Val) -> Idx {
        let (zero, one) = (w.i64(0), w.i64(1));
        let last = w.subi(extent, one);
        self.map(w, lanes, [zero, last], |w, v, [zero, last]| {
            let v = w.minsi(v, last);
            w.maxsi(v, zero)
        })
    }

    /// An index from data: negative ones count from the end, and none leaves the axis.
    pub(crate) fn from_data(w: &mut Writer, v: Val, extent: Val, signed: bool, lanes: u32) -> Idx {
        let v = w.int_to_int(v, Scalar::I64, signed);
        let zero = w.i64(0);
        let wrapped = Idx::of(v).map(w, lanes, [zero, extent], |w, v, [zero, extent]| {
            let from_end = w.addi(v, extent);
            let negative = w.cmpi(IntCmp::Slt, v, zero);
            w.select(negative, from_end, v)
        });
        wrapped.clamp(w, lanes, extent)
    }

    /// Whether `0 <= self < extent`: an `i1`, or a vector of it.
    pub(crate) fn inside(self, w: &mut Writer, lanes: u32, extent: Val) -> Val {
        let v = self.val(w, lanes);
        let extent = w.broadcast(extent, v.ty);
        // Negative numbers are large when read as unsigned.
        w.cmpi(IntCmp::Ult, v, extent)
    }
}
