//! `wgmma`.

use super::{Decoder, View};
use crate::code::Op;
use crate::error::Error;
use crate::exec::matrix::{Accumulator, Element};
use crate::exec::wgmma::{Left, Product, WgmmaOp};
use crate::text::Operand;
use crate::ty::Ty;

impl Decoder<'_> {
    /// Products of a warpgroup.
    pub(super) fn wgmma(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let names = ["fence", "commit_group", "wait_group", "mma_async"];
        let name = view.words.any(&names).ok_or_else(|| view.unknown("there is no operation"))?;
        if !(view.words.has("sync") && view.words.has("aligned")) {
            return Err(view.unknown("only the forms with .sync.aligned are known"));
        }
        let op = match name {
            "fence" => WgmmaOp::Fence,
            "commit_group" => WgmmaOp::Commit,
            "wait_group" => WgmmaOp::Wait(self.number(view, 0)?),
            _ => WgmmaOp::Product(Box::new(self.product_of_group(view)?)),
        };
        self.has_products = true;
        self.push(view, Op::Wgmma(op));
        Ok(())
    }

    fn product_of_group(&mut self, view: &mut View<'_>) -> Result<Product, Error> {
        let (m, n, k) = view.words.find(super::matrix::shape).ok_or_else(|| view.unknown("there is no shape"))?;
        let saturates = view.words.has("satfinite");
        let rest: Vec<&str> = view.words.rest().to_vec();
        view.words = super::Words::new(&[]);
        let missing = || view.unknown("three types were expected");
        let [d, a, b] = rest[..] else { return Err(missing()) };
        let d = match d {
            "f32" => Accumulator::F32,
            "f16" => Accumulator::F16,
            "s32" => Accumulator::S32,
            _ => return Err(missing()),
        };
        let a = Element::parse(a).ok_or_else(missing)?;
        let b = Element::parse(b).ok_or_else(missing)?;
        let has_transposes = matches!(a, Element::F16 | Element::Bf16);
        let is_int = d == Accumulator::S32;
        let known = match a {
            Element::F16 => b == a && !is_int,
            Element::Bf16 | Element::Tf32 => b == a && d == Accumulator::F32,
            Element::E4m3 | Element::E5m2 => matches!(b, Element::E4m3 | Element::E5m2) && !is_int,
            Element::S8 | Element::U8 => matches!(b, Element::S8 | Element::U8) && is_int,
            _ => false,
        };
        let fits = m == 64 && n.is_multiple_of(8) && (8..=256).contains(&n) && k * a.bits() == 256;
        if !known || !fits {
            return Err(view.unknown("no such shape with these types"));
        }
        let sums = self.targets(view, 0)?;
        if sums.len() != n / if d == Accumulator::F16 { 4 } else { 2 } {
            return Err(view.unknown(format!("{} registers for the sums", sums.len())));
        }
        let left = match view.operand(1)? {
            Operand::Vector(items) if items.len() == 4 => Left::Registers(self.sources(view, 1, Ty::B(32))?),
            Operand::Vector(_) => return Err(view.unknown("A takes four registers")),
            _ => Left::Descriptor(self.source(view, 1, Ty::B(64))?),
        };
        let right = self.source(view, 2, Ty::B(64))?;
        let keeps = self.source(view, 3, Ty::Pred)?;
        let in_registers = matches!(left, Left::Registers(_));
        let n_signs = if is_int { 0 } else { 2 };
        let n_transposes = if has_transposes { 2 - usize::from(in_registers) } else { 0 };
        view.exactly(4 + n_signs + n_transposes)?;
        let flag = |at: usize, yes: i64, no: i64| match self.number(view, at)?.cast_signed() {
            value if value == yes => Ok(true),
            value if value == no => Ok(false),
            value => Err(view.unknown(format!("the number {value}"))),
        };
        let negates = if is_int { [false; 2] } else { [flag(4, -1, 1)?, flag(5, -1, 1)?] };
        let transposed = match n_transposes {
            0 => [false; 2],
            1 => [false, flag(6, 1, 0)?],
            _ => [flag(6, 1, 0)?, flag(7, 1, 0)?],
        };
        Ok(Product { n, k, a, b, d, left, right, sums, keeps, negates, transposed, saturates })
    }
}
