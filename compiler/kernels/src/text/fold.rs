//! Folding of trivial integer arithmetic while it is written.

use super::constant::wrap;
use super::{Scalar, Val, Writer};

/// What an integer operation comes to.
pub(super) enum Folded {
    /// A known value.
    Int(i64),
    /// One of the operands.
    Same(Val),
}

impl Writer {
    /// The result of `name a, b` where it needs no operation.
    pub(super) fn fold(&self, name: &str, a: Val, b: Val) -> Option<Folded> {
        let elem = a.ty.elem();
        let (x, y) = (self.known_int(a), self.known_int(b));
        if let (Some(x), Some(y)) = (x, y) {
            return eval(name, elem, x, y).map(|v| Folded::Int(wrap(elem, v)));
        }
        let same = Some(Folded::Same(a));
        match (name, x, y) {
            ("addi" | "subi" | "ori" | "xori" | "shli" | "shrsi" | "shrui", _, Some(0)) => same,
            ("addi" | "ori" | "xori", Some(0), _) => Some(Folded::Same(b)),
            ("muli", _, Some(1)) => same,
            ("muli", Some(1), _) if elem != Scalar::I1 => Some(Folded::Same(b)),
            ("muli" | "andi", _, Some(0)) | ("muli" | "andi", Some(0), _) => Some(Folded::Int(0)),
            ("divsi" | "divui" | "floordivsi" | "ceildivsi" | "ceildivui", _, Some(1)) if elem != Scalar::I1 => same,
            ("remsi" | "remui", _, Some(1)) if elem != Scalar::I1 => Some(Folded::Int(0)),
            ("minsi" | "maxsi" | "minui" | "maxui" | "andi" | "ori", ..) if a == b => same,
            ("andi", _, Some(1)) if elem == Scalar::I1 => same,
            ("andi", Some(1), _) if elem == Scalar::I1 => Some(Folded::Same(b)),
            ("subi" | "xori", ..) if a == b => Some(Folded::Int(0)),
            _ => None,
        }
    }
}

/// The operation on two known values; `None` where it is undefined or would need more than 64 bits.
fn eval(name: &str, elem: Scalar, x: i64, y: i64) -> Option<i64> {
    let mask = if elem.bits() == 64 { u64::MAX } else { (1 << elem.bits()) - 1 };
    let (ux, uy) = (x as u64 & mask, y as u64 & mask);
    let shift = (uy < u64::from(elem.bits())).then_some(uy as u32);
    // `i1` keeps its truth value as 0 or 1, which is not its signed value; leave its odd cases to MLIR.
    if elem == Scalar::I1 && !matches!(name, "andi" | "ori" | "xori") {
        return None;
    }
    Some(match name {
        "addi" => x.wrapping_add(y),
        "subi" => x.wrapping_sub(y),
        "muli" => x.wrapping_mul(y),
        "divsi" => x.checked_div(y)?,
        "remsi" => x.checked_rem(y)?,
        "divui" => ux.checked_div(uy)? as i64,
        "remui" => ux.checked_rem(uy)? as i64,
        "floordivsi" => x.checked_div(y)? - i64::from(x.checked_rem(y)? != 0 && (x < 0) != (y < 0)),
        "ceildivsi" => x.checked_div(y)? + i64::from(x.checked_rem(y)? != 0 && (x < 0) == (y < 0)),
        "ceildivui" => ux.checked_div(uy)? as i64 + i64::from(ux % uy != 0),
        "andi" => x & y,
        "ori" => x | y,
        "xori" => x ^ y,
        "shli" => x << shift?,
        "shrsi" => x >> shift?,
        "shrui" => (ux >> shift?) as i64,
        "minsi" => x.min(y),
        "maxsi" => x.max(y),
        "minui" => ux.min(uy) as i64,
        "maxui" => ux.max(uy) as i64,
        _ => return None,
    })
}
