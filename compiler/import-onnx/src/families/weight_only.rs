//! Products with quantized weights: `MatMulNBits`, and constants of `DequantizeLinear`.
//!
//! Weights stay the bytes of the file. What they stand for is an expression over these bytes, `(code - zero) * scale`,
//! with an axis for the blocks that share a scale; products read it without ever storing it.

use super::kit::*;
use super::packed::{packed, per_byte, unpacked, unpacked_now};

pub(crate) const ROWS: &[Row] = &[Row::microsoft("MatMulNBits", matmul_nbits)];

/// The attributes of `MatMulNBits`.
struct NBits {
    n: usize,
    k: usize,
    block: usize,
    /// The type of a code: unsigned, of 2, 4 or 8 bits.
    code: DType,
}

impl NBits {
    fn of(cx: &Cx) -> Result<NBits, ImportError> {
        let size = |name: &str| -> Result<usize, ImportError> {
            let value = cx.attr_i(name, 0)?;
            // Products of three of these, and of an element's bytes, are sizes of arrays.
            let fits = i32::try_from(value).ok().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
            fits.map_or_else(|| bad(format!("{name} is {value}")), Ok)
        };
        let (n, k, block) = (size("N")?, size("K")?, size("block_size")?);
        if !block.is_power_of_two() || block < 16 {
            return bad(format!("block_size {block} is no power of two from 16 on"));
        }
        let code = match cx.attr_i("bits", 4)? {
            2 => DType::U2,
            4 => DType::U4,
            8 => DType::U8,
            bits => return unsupported(format!("weights of {bits} bits")),
        };
        if cx.attr_i("weight_prepacked", 0)? != 0 {
            return unsupported("weights in the order of one GPU's instructions (weight_prepacked)");
        }
        Ok(NBits { n, k, block, code })
    }

    fn blocks(&self) -> usize {
        self.k.div_ceil(self.block)
    }

    fn run(&self) -> usize {
        self.block / per_byte(self.code.bits())
    }

    /// The axes that the weights are summed over: blocks, bytes of a block, integers of a byte.
    fn inner(&self) -> Vec<Dim> {
        let per = per_byte(self.code.bits());
        let axes = [self.blocks(), self.run(), per];
        axes[..if per == 1 { 2 } else { 3 }].iter().map(|n| Dim::from(*n)).collect()
    }

    /// A shape with the rows of the weights in front.
    fn shape(&self) -> Vec<Dim> {
        [vec![self.n.into()], self.inner()].concat()
    }

    /// Something that each block has one of, or each element by the block that `g_idx` gives it.
    fn of_blocks(&self, b: &mut Builder, value: ValueId, order: Option<ValueId>) -> One {
        let shape = self.shape();
        let value = b.reshape(value, vec![self.n.into(), self.blocks().into()])?;
        let value = match order {
            Some(order) => {
                let each = b.emit(ops::Gather { axis: 1 }, &[value, order])?;
                b.reshape(each, shape.clone())?
            }
            None => {
                let mut single = vec![Dim::from(1); shape.len()];
                (single[0], single[1]) = (self.n.into(), self.blocks().into());
                b.reshape(value, single)?
            }
        };
        Ok(b.broadcast(value, shape)?)
    }

    /// What is subtracted from the codes: half of their range, or what is given, packed or as floats.
    fn zero(&self, b: &mut Builder, zero: Option<ValueId>, order: Option<ValueId>) -> One {
        let Some(zero) = zero else {
            return Ok(b.scalar(DType::F32, f64::from(1u32 << (self.code.bits() - 1)))?);
        };
        let zero = if b.dtype(zero) == DType::U8 { self.unpacked_zero(b, zero)? } else { zero };
        let zero = self.of_blocks(b, zero, order)?;
        Ok(b.cast(zero, DType::F32)?)
    }

    fn unpacked_zero(&self, b: &mut Builder, zero: ValueId) -> One {
        let per = per_byte(self.code.bits());
        let (blocks, bytes) = (self.blocks(), self.blocks().div_ceil(per));
        let packed = b.reshape(zero, vec![self.n.into(), bytes.into()])?;
        let all = match b.constant_of(packed).or(b.constant_of(zero)).cloned() {
            Some(tensor) => {
                let tensor = tensor.reshaped(vec![self.n, bytes]).or_else(|e| bad(e.to_string()))?;
                b.constant(unpacked_now(&tensor, self.code)?)?
            }
            None => {
                let apart = unpacked(b, packed, self.code)?;
                b.reshape(apart, vec![self.n.into(), (bytes * per).into()])?
            }
        };
        slice_axis(b, all, 1, 0, blocks)
    }

    /// The block of each element, for all elements that are stored.
    fn order(&self, b: &mut Builder, order: ValueId) -> One {
        let given = b.ty(order).num_elements();
        let all = self.blocks() * self.block;
        let flat = b.reshape(order, vec![given.clone()])?;
        match given.as_const().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n == all => Ok(flat),
            Some(n) if n == self.k => pad_num(b, flat, vec![0.into()], vec![(all - n).into()], 0.0),
            _ => bad(format!("g_idx has {given} elements, K is {}", self.k)),
        }
    }
}

/// `x . w'` with `w[n, k] = (code[n, k] - zero[n, k / block]) * scale[n, k / block]`; `accuracy_level` only permits less.
fn matmul_nbits(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, weights, scale) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let (zero, order, bias) = (cx.opt(inputs, 3), cx.opt(inputs, 4), cx.opt(inputs, 5));
    let form = NBits::of(cx)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    if b.rank(x) == 0 || b.dtype(weights) != DType::U8 {
        return bad("MatMulNBits takes an array and weights of bytes");
    }
    let rows = b.shape(x)[..b.rank(x) - 1].to_vec();
    let product = if b.ty(weights).num_elements().as_const() == Some(0) {
        let nothing = b.scalar(wide(dtype), 0.0)?;
        b.broadcast(nothing, [rows, vec![form.n.into()]].concat())?
    } else {
        let order = order.map(|order| form.order(b, order)).transpose()?;
        let weights = form.weights(b, weights, scale, zero, order)?;
        let weights = b.cast(weights, dtype)?;
        form.product(b, x, rows, weights)?
    };
    let sum = match bias {
        Some(bias) => {
            let bias = b.cast(bias, wide(dtype))?;
            b.add(product, bias)?
        }
        None => product,
    };
    Ok(vec![b.cast(sum, dtype)?])
}

impl NBits {
    /// The weights as `f32`, with axes of rows, blocks, bytes, and integers of a byte.
    fn weights(
        &self,
        b: &mut Builder,
        weights: ValueId,
        scale: ValueId,
        zero: Option<ValueId>,
        order: Option<ValueId>,
    ) -> One {
        let bytes = b.reshape(weights, vec![self.n.into(), self.blocks().into(), self.run().into()])?;
        let codes = unpacked(b, bytes, self.code)?;
        let codes = b.cast(codes, DType::F32)?;
        let zero = self.zero(b, zero, order)?;
        let number = b.sub(codes, zero)?;
        let scale = b.cast(scale, DType::F32)?;
        let scale = self.of_blocks(b, scale, order)?;
        Ok(b.mul(number, scale)?)
    }

    /// The product with operands `[.., K]`. Elements that fill the last block up meet zeros.
    fn product(&self, b: &mut Builder, x: ValueId, rows: Vec<Dim>, weights: ValueId) -> One {
        let n_rows = rows.len();
        let missing = self.blocks() * self.block - self.k;
        let mut high = vec![Dim::from(0); n_rows + 1];
        high[n_rows] = missing.into();
        let x = pad_num(b, x, vec![0.into(); n_rows + 1], high, 0.0)?;
        let inner = self.inner();
        let (left, right): (Vec<usize>, Vec<usize>) = (0..inner.len()).map(|at| (n_rows + at, 1 + at)).unzip();
        let x = b.reshape(x, [rows, inner].concat())?;
        let out = wide(b.dtype(x));
        dot(b, (x, &[], &left), (weights, &[], &right), out)
    }
}

/// Where the scales of a `DequantizeLinear` lie.
#[derive(Clone, Copy)]
pub(super) enum Grid {
    /// One for the whole tensor.
    One,
    /// One for each index of an axis.
    Axis(usize),
    /// One for so many neighbors along an axis.
    Blocks(usize, usize),
}

/// Constant codes as an expression over bytes that has the blocks as an axis of their own, `(code - zero) * scale` in
/// the first element type, rounded to the second; `None` where codes are no constant of at most eight bits, or blocks are not whole.
pub(super) fn dequantized_constant(
    b: &mut Builder,
    x: ValueId,
    scale: ValueId,
    zero: Option<ValueId>,
    grid: Grid,
    [computing, out]: [DType; 2],
) -> Result<Option<ValueId>, ImportError> {
    let Some(codes) = b.constant_of(x).cloned() else { return Ok(None) };
    let Some(last) = codes.rank().checked_sub(1) else { return Ok(None) };
    let dtype = codes.dtype();
    let per = per_byte(dtype.bits());
    let (axis, block) = match grid {
        Grid::Blocks(axis, block) => (axis, block),
        // A matrix with a scale for each column is summed over its other axis, which is brought to the end for that.
        Grid::Axis(axis) if last == 1 => (1 - axis, codes.shape()[1 - axis]),
        // Bytes have nothing to be unpacked, and without blocks nothing to be parted.
        _ if per == 1 => return Ok(None),
        _ => (last, codes.shape()[last]),
    };
    let length = codes.shape()[axis];
    let is_whole = block > 0 && length > 0 && length.is_multiple_of(block) && block.is_multiple_of(per);
    if !dtype.is_int() || dtype.bits() > 8 || !is_whole || codes.is_empty() {
        return Ok(None);
    }
    let place = Blocked { shape: codes.shape().to_vec(), axis, block, per };
    let bytes = b.constant(packed(&codes, axis)?)?;
    let bytes = b.reshape(bytes, place.bytes())?;
    let codes = unpacked(b, bytes, dtype)?;
    let number = b.cast(codes, computing)?;
    let number = match zero {
        Some(zero) => {
            let zero = place.spread(b, zero, grid)?;
            let zero = b.cast(zero, computing)?;
            b.sub(number, zero)?
        }
        None => number,
    };
    let scale = b.cast(scale, computing)?;
    let scale = place.spread(b, scale, grid)?;
    let y = b.mul(number, scale)?;
    let y = b.cast(y, out)?;
    Ok(Some(place.restored(b, y)?))
}

/// A tensor with one axis brought to the end and parted: blocks, bytes of a block, integers of a byte.
struct Blocked {
    shape: Vec<usize>,
    axis: usize,
    block: usize,
    per: usize,
}

impl Blocked {
    /// All axes but the last of integers in a byte.
    fn bytes(&self) -> Vec<Dim> {
        let mut shape = self.others();
        shape.extend([(self.shape[self.axis] / self.block).into(), (self.block / self.per).into()]);
        shape
    }

    fn others(&self) -> Vec<Dim> {
        let others = (0..self.shape.len()).filter(|axis| *axis != self.axis);
        others.map(|axis| Dim::from(self.shape[axis])).collect()
    }

    fn full(&self) -> Vec<Dim> {
        let mut shape = self.bytes();
        shape.extend((self.per > 1).then(|| Dim::from(self.per)));
        shape
    }

    /// The axis brought to the end.
    fn perm(&self) -> Vec<usize> {
        let others = (0..self.shape.len()).filter(|axis| *axis != self.axis);
        others.chain([self.axis]).collect()
    }

    /// Scales or zero points for every element.
    fn spread(&self, b: &mut Builder, value: ValueId, grid: Grid) -> One {
        let full = self.full();
        let (n_others, blocks) = (self.shape.len() - 1, self.shape[self.axis] / self.block);
        let mut shape = vec![Dim::from(1); full.len()];
        if b.ty(value).num_elements().as_const() == Some(1) {
            return as_scalar(b, value);
        }
        let value = match grid {
            Grid::One => return as_scalar(b, value),
            Grid::Blocks(..) => {
                let turned = b.transpose(value, self.perm())?;
                shape[..n_others].clone_from_slice(&self.others());
                shape[n_others] = blocks.into();
                b.reshape(turned, shape)?
            }
            Grid::Axis(axis) if axis == self.axis => {
                shape[n_others..].clone_from_slice(&full[n_others..]);
                b.reshape(value, shape)?
            }
            Grid::Axis(axis) => {
                shape[if axis < self.axis { axis } else { axis - 1 }] = self.shape[axis].into();
                b.reshape(value, shape)?
            }
        };
        Ok(b.broadcast(value, full)?)
    }

    /// The tensor as it was.
    fn restored(&self, b: &mut Builder, y: ValueId) -> One {
        let mut shape = self.others();
        shape.push(self.shape[self.axis].into());
        let flat = b.reshape(y, shape)?;
        let mut back = vec![0; self.shape.len()];
        for (at, axis) in self.perm().into_iter().enumerate() {
            back[axis] = at;
        }
        Ok(b.transpose(flat, back)?)
    }
}
