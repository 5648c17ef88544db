//! The operand that a convolution's windows see, element by element.

use super::facts::divides;
use crate::context::Cx;
use crate::contraction::{Columns, Contraction};
use kernels::gpu::{Gather, Ints, Place};
use kernels::text::{IntCmp, Scalar, Ty, Val, Writer};

/// The places of the elements of a convolution's second operand: column `n` is an output place, `k` counts channel, row and
/// column of the window. `None` inside for products of plain matrices.
pub(super) struct WindowPlaces(Option<Places>);

struct Places {
    elem: Ty,
    /// The first element of the batch's image.
    image: Val,
    /// Heights and widths as `i32`: of the input, the window, and the width of the output.
    input: [Val; 2],
    window: [Val; 2],
    output_width: Val,
    strides: [u32; 2],
    dilations: [u32; 2],
    pads: [Val; 2],
    n: Val,
    k: Val,
    /// Whether all columns, and all `k`, of all tiles exist.
    whole: [bool; 2],
}

impl WindowPlaces {
    pub(super) fn new(
        cx: &Cx,
        w: &mut Writer,
        contraction: &Contraction,
        batch: &[Val],
        place: &Place,
    ) -> WindowPlaces {
        let Columns::Windows(windows) = &contraction.columns else { return WindowPlaces(None) };
        let elem: Ty = crate::types::memory(cx.ty(contraction.b.leaf).dtype).into();
        let base = contraction.base(cx, w, &contraction.b, batch);
        let number = |w: &mut Writer, dim| {
            let wide = cx.dim(w, dim);
            w.trunci(wide, Scalar::I32)
        };
        let small = |numbers: [i64; 2]| numbers.map(|n| u32::try_from(n).unwrap_or(1));
        WindowPlaces(Some(Places {
            elem,
            image: w.gep(cx.ptrs[&contraction.b.leaf], base, elem),
            input: [number(w, &windows.input[0]), number(w, &windows.input[1])],
            window: [number(w, &windows.kernel[0]), number(w, &windows.kernel[1])],
            output_width: number(w, &windows.output[1]),
            strides: small(windows.strides),
            dilations: small(windows.dilations),
            pads: [number(w, &windows.pads[0]), number(w, &windows.pads[1])],
            n: place.n,
            k: place.k,
            // The smallest tiles are 64 wide; wider ones are guarded although they may not need it.
            whole: [divides(128, &contraction.n), place.k_whole],
        }))
    }
}

impl Gather for WindowPlaces {
    /// Row and column of the window's first element, and whether there is such a column.
    fn outer(&self, w: &mut Writer, outer: Val) -> Vec<Val> {
        let Some(places) = &self.0 else { return vec![] };
        let (y, x) = (w.divui(outer, places.output_width), w.remui(outer, places.output_width));
        let corner = [y, x].into_iter().zip(places.strides).zip(places.pads);
        let mut state: Vec<Val> = corner
            .map(|((at, stride), pad)| {
                let at = w.times(at, stride);
                w.subi(at, pad)
            })
            .collect();
        state.push(if places.whole[0] { w.bool(true) } else { w.cmpi(IntCmp::Slt, outer, places.n) });
        state
    }

    fn place(&self, w: &mut Writer, outer: &[Val], k: Val) -> (Val, Val) {
        let Some(p) = &self.0 else { return (k, k) };
        let (rest, kx) = (w.divui(k, p.window[1]), w.remui(k, p.window[1]));
        let (channel, ky) = (w.divui(rest, p.window[0]), w.remui(rest, p.window[0]));
        let (far_y, far_x) = (w.times(ky, p.dilations[0]), w.times(kx, p.dilations[1]));
        let (y, x) = (w.addi(outer[0], far_y), w.addi(outer[1], far_x));
        let (in_y, in_x) = (w.cmpi(IntCmp::Ult, y, p.input[0]), w.cmpi(IntCmp::Ult, x, p.input[1]));
        let inside = w.andi(in_y, in_x);
        let mut inside = w.andi(inside, outer[2]);
        if !p.whole[1] {
            let exists = w.cmpi(IntCmp::Slt, k, p.k);
            inside = w.andi(inside, exists);
        }
        let line = w.muli(channel, p.input[0]);
        let line = w.addi(line, y);
        let (line, width, x) = (w.extsi(line, Scalar::I64), w.extsi(p.input[1], Scalar::I64), w.extsi(x, Scalar::I64));
        let offset = w.muli(line, width);
        let offset = w.addi(offset, x);
        (w.gep(p.image, offset, p.elem), inside)
    }
}
