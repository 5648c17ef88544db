//! One register of all 32 threads of a warp, and functions that are applied to all of them.

use half::{bf16, f16};

/// Threads of a warp.
pub(crate) const LANES: usize = 32;

/// A register in every lane. What a register's type does not need is zero.
pub(crate) type Row = [u64; LANES];

/// A function on rows: what it makes from up to four operands.
pub(crate) type MapFn = Box<dyn Fn(&mut Row, [&Row; 4]) + Send + Sync>;

/// A type that lanes can be read as.
pub(crate) trait Lane: Copy {
    /// From the bits of a register.
    fn get(bits: u64) -> Self;
    /// As the bits of a register.
    fn put(self) -> u64;
}

macro_rules! int_lanes {
    ($($t:ty => $u:ty),*) => {$(
        impl Lane for $t {
            #[inline(always)]
            fn get(bits: u64) -> Self {
                bits as $t
            }
            #[inline(always)]
            fn put(self) -> u64 {
                u64::from(self as $u)
            }
        }
    )*};
}

int_lanes!(u8 => u8, i8 => u8, u16 => u16, i16 => u16, u32 => u32, i32 => u32, u64 => u64, i64 => u64);

impl Lane for bool {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        bits & 1 != 0
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.into()
    }
}

impl Lane for f32 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.to_bits().into()
    }
}

impl Lane for f64 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.to_bits()
    }
}

impl Lane for f16 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        f16::from_bits(bits as u16)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.to_bits().into()
    }
}

impl Lane for bf16 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        bf16::from_bits(bits as u16)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.to_bits().into()
    }
}

/// A function of one operand.
pub(crate) fn map1<A: Lane, R: Lane>(f: impl Fn(A) -> R + Send + Sync + 'static) -> MapFn {
    Box::new(move |to, [a, ..]| {
        for lane in 0..LANES {
            to[lane] = f(A::get(a[lane])).put();
        }
    })
}

/// A function of two operands.
pub(crate) fn map2<A: Lane, B: Lane, R: Lane>(f: impl Fn(A, B) -> R + Send + Sync + 'static) -> MapFn {
    Box::new(move |to, [a, b, ..]| {
        for lane in 0..LANES {
            to[lane] = f(A::get(a[lane]), B::get(b[lane])).put();
        }
    })
}

/// A function of three operands.
pub(crate) fn map3<A: Lane, B: Lane, C: Lane, R: Lane>(f: impl Fn(A, B, C) -> R + Send + Sync + 'static) -> MapFn {
    Box::new(move |to, [a, b, c, _]| {
        for lane in 0..LANES {
            to[lane] = f(A::get(a[lane]), B::get(b[lane]), C::get(c[lane])).put();
        }
    })
}

/// A function of four operands.
pub(crate) fn map4<A: Lane, B: Lane, C: Lane, D: Lane, R: Lane>(
    f: impl Fn(A, B, C, D) -> R + Send + Sync + 'static,
) -> MapFn {
    Box::new(move |to, [a, b, c, d]| {
        for lane in 0..LANES {
            to[lane] = f(A::get(a[lane]), B::get(b[lane]), C::get(c[lane]), D::get(d[lane])).put();
        }
    })
}

/// The lanes of a mask, lowest first.
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        rest &= rest.wrapping_sub(1);
        (lane < LANES).then_some(lane)
    })
}

/// The lanes in which a predicate holds.
pub(crate) fn mask_of(row: &Row) -> u32 {
    row.iter().enumerate().fold(0, |mask, (lane, bits)| mask | ((*bits as u32 & 1) << lane))
}
