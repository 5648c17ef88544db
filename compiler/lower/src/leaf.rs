//! Reading leaves and writing the result.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::types::{compute, lanes_of, memory};
use graph::ValueId;
use kernels::text::{Access, IntCmp, Scalar, Val, Writer};
use schedule::{broadcast_strides, row_major};
use tensor::{DType, Dim, Tensor};

impl Cx<'_> {
    /// The strides of a leaf along the kernel's axes or groups of axes.
    fn leaf_strides(&self, s: &Scope, value: ValueId) -> Vec<Dim> {
        let shape = &self.ty(value).shape;
        match self.groups.as_ref().filter(|_| !s.by_axes) {
            Some(groups) => broadcast_strides(shape, &self.ty(self.region.result).shape, groups).unwrap_or_default(),
            None => row_major(shape),
        }
    }

    /// The element index in memory, for each lane.
    pub(crate) fn address(&self, w: &mut Writer, lanes: u32, idx: &[Idx], strides: &[Dim]) -> Idx {
        let mut sum = Idx::Uniform(w.i64(0));
        for (idx, stride) in idx.iter().zip(strides) {
            let stride = self.dim(w, stride);
            let term = idx.scale(w, stride, lanes);
            sum = sum.plus(w, term, lanes);
        }
        sum
    }

    /// The elements of a value in memory, one for each lane (a scalar if they are all the same one).
    pub(crate) fn leaf(&self, w: &mut Writer, s: &Scope, value: ValueId, idx: &[Idx]) -> Val {
        if let Some(tensor) = self.literal(value) {
            return literal(w, tensor);
        }
        let strides = self.leaf_strides(s, value);
        let at = self.address(w, s.lanes, idx, &strides);
        let align = alignment(w, s, idx, &strides, self.ty(value).dtype);
        self.load_as(w, s, self.ptrs[&value], self.ty(value).dtype, at, Access::aligned(align).invariant())
    }

    /// Loads the elements at an address, for each lane. Nobody writes them meanwhile.
    pub(crate) fn load(&self, w: &mut Writer, s: &Scope, ptr: Val, dtype: DType, at: Idx) -> Val {
        self.load_as(w, s, ptr, dtype, at, Access::aligned(memory(dtype).bytes()).invariant())
    }

    /// Loads elements that this kernel has written, or may have.
    pub(crate) fn load_written(&self, w: &mut Writer, s: &Scope, ptr: Val, dtype: DType, at: Idx) -> Val {
        self.load_as(w, s, ptr, dtype, at, Access::aligned(memory(dtype).bytes()))
    }

    /// Loads elements; `access` says how lanes that are neighbors are aligned.
    fn load_as(&self, w: &mut Writer, s: &Scope, ptr: Val, dtype: DType, at: Idx, access: Access) -> Val {
        let elem = memory(dtype);
        let vector = lanes_of(elem, s.lanes);
        let each = Access { align: elem.bytes(), ..access };
        let raw = match at {
            Idx::Uniform(at) => {
                let ptr = w.gep(ptr, at, elem.into());
                w.load(ptr, elem.into(), each)
            }
            Idx::Linear(at, 1) => {
                let ptr = w.gep(ptr, at, elem.into());
                match s.mask {
                    None => w.load(ptr, vector, access),
                    Some(mask) => {
                        let zero = w.zero(vector);
                        w.masked_load(ptr, mask, zero, elem.bytes())
                    }
                }
            }
            Idx::Linear(at, 2) => every_second(w, s, ptr, elem, at, each),
            Idx::Linear(..) | Idx::Varying(_) => {
                let offsets = at.val(w, s.lanes);
                let ptrs = w.gep(ptr, offsets, elem.into());
                let mask = s.mask.unwrap_or_else(|| w.int(lanes_of(Scalar::I1, s.lanes), 1));
                let zero = w.zero(vector);
                w.gather(ptrs, mask, zero, elem.bytes())
            }
        };
        from_memory(w, raw, dtype)
    }

    /// Writes elements at an address whose lanes are neighbors.
    pub(crate) fn store_at(&self, w: &mut Writer, s: &Scope, ptr: Val, dtype: DType, at: Idx, value: Val) {
        self.store_aligned(w, s, ptr, dtype, at, value, memory(dtype).bytes());
    }

    #[allow(clippy::too_many_arguments, reason = "an access")]
    fn store_aligned(&self, w: &mut Writer, s: &Scope, ptr: Val, dtype: DType, at: Idx, value: Val, align: u32) {
        let elem = memory(dtype);
        let value = to_memory(w, value, dtype);
        match at {
            Idx::Uniform(at) => {
                let ptr = w.gep(ptr, at, elem.into());
                w.store(value, ptr, elem.bytes());
            }
            Idx::Linear(at, 1) => {
                let value = w.broadcast(value, lanes_of(elem, s.lanes));
                let ptr = w.gep(ptr, at, elem.into());
                match s.mask {
                    None => w.store(value, ptr, align),
                    Some(mask) => w.masked_store(value, ptr, mask, elem.bytes()),
                }
            }
            Idx::Linear(..) | Idx::Varying(_) => unreachable!("results are written along their last axis"),
        }
    }

    /// Writes elements of the region's result at an index.
    pub(crate) fn store(&self, w: &mut Writer, s: &Scope, idx: &[Idx], value: Val) {
        let store = &self.region.store;
        let shape = &self.ty(store.value).shape;
        let strides = self.store_strides();
        let mut at = self.address(w, s.lanes, idx, &strides);
        let dtype = self.ty(store.value).dtype;
        let mut align = alignment(w, s, idx, &strides, dtype);
        if let Some((axis, start)) = &store.part {
            let start = start.clone() * row_major(shape)[*axis].clone();
            if !is_multiple(&start, s.lanes) {
                align = memory(dtype).bytes();
            }
            let offset = self.dim(w, &start);
            at = at.offset(w, offset);
        }
        self.store_aligned(w, s, self.ptrs[&store.value], dtype, at, value, align);
    }

    /// The strides of the written buffer along the kernel's axes or groups.
    pub(crate) fn store_strides(&self) -> Vec<Dim> {
        let strides = row_major(&self.ty(self.region.store.value).shape);
        match &self.groups {
            // The stride of a group is that of its last axis that has more than one element. Where there is none any
            // will do for the one index 0; with 1 the lanes, of which a mask leaves one, stay neighbors.
            Some(groups) => {
                let shape = &self.ty(self.region.result).shape;
                let last = |range: &[usize]| (range[0]..range[1]).rev().find(|axis| shape[*axis] != Dim::from(1));
                let stride = |range: &[usize]| last(range).map_or(Dim::from(1), |axis| strides[axis].clone());
                groups.starts.windows(2).map(stride).collect()
            }
            None => strides,
        }
    }
}

/// Loads every second element from `at` on: two loads of neighbors and a shuffle, as a gather costs a load for each lane.
/// Elements between the wanted ones are read only where no mask says that they may be missing; the second load ends at
/// the last wanted element.
fn every_second(w: &mut Writer, s: &Scope, ptr: Val, elem: Scalar, at: Val, access: Access) -> Val {
    let lanes = s.lanes;
    let vector = lanes_of(elem, lanes);
    let first = w.gep(ptr, at, elem.into());
    let Some(mask) = s.mask else {
        let second = w.gep_const(first, i64::from(lanes) - 1, elem.into());
        let (low, high) = (w.load(first, vector, access), w.load(second, vector, access));
        let half = lanes / 2;
        let picks: Vec<u32> = (0..lanes).map(|lane| 2 * lane + u32::from(lane >= half)).collect();
        return w.shuffle(low, high, &picks);
    };
    let (zero, none) = (w.zero(vector), w.int(mask.ty, 0));
    let second = w.gep_const(first, lanes.into(), elem.into());
    // The mask of a half, each lane followed by one that is not read.
    let spread = |w: &mut Writer, from: u32| {
        let picks: Vec<u32> = (0..lanes).map(|lane| if lane % 2 == 0 { from + lane / 2 } else { lanes }).collect();
        w.shuffle(mask, none, &picks)
    };
    let (low, high) = (spread(w, 0), spread(w, lanes / 2));
    let low = w.masked_load(first, low, zero, elem.bytes());
    let high = w.masked_load(second, high, zero, elem.bytes());
    let picks: Vec<u32> = (0..lanes).map(|lane| 2 * lane).collect();
    w.shuffle(low, high, &picks)
}

/// The alignment of an access by all lanes, from what the template knows of its index.
fn alignment(w: &Writer, s: &Scope, idx: &[Idx], strides: &[Dim], dtype: DType) -> u32 {
    let bytes = memory(dtype).bytes();
    let known = s.aligned.is_some_and(|aligned| {
        idx.iter().zip(strides).all(|(idx, stride)| match idx {
            Idx::Linear(base, 1) => *base == aligned && (*stride == Dim::from(1) || is_multiple(stride, s.lanes)),
            Idx::Uniform(at) => w.known_int(*at) == Some(0) || is_multiple(stride, s.lanes),
            Idx::Linear(..) | Idx::Varying(_) => false,
        })
    });
    if known { (bytes * s.lanes).min(16) } else { bytes }
}

/// Whether a dimension is a multiple of a number for all values of its symbols.
pub(crate) fn is_multiple(dim: &Dim, of: u32) -> bool {
    let (terms, constant) = dim.parts();
    let of = i64::from(of);
    constant % of == 0 && terms.iter().all(|(_, coefficient)| coefficient % of == 0)
}

/// A constant with one element.
pub(crate) fn literal(w: &mut Writer, tensor: &Tensor) -> Val {
    let dtype = tensor.dtype();
    let elem = compute(dtype);
    if elem.is_float() {
        return match dtype {
            // The value of every f16 and bf16 is exact in f64.
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 => w.float(elem.into(), tensor.get(0).as_f64()),
            _ => w.zero(elem.into()),
        };
    }
    match dtype {
        tiny if tiny.is_tiny_float() => w.int(elem.into(), tensor.bytes()[0].cast_signed().into()),
        DType::Bool => w.bool(tensor.get(0).as_bool()),
        _ => w.int(elem.into(), tensor.get(0).as_int() as i64),
    }
}

/// Registers from memory: bytes become truth values.
fn from_memory(w: &mut Writer, raw: Val, dtype: DType) -> Val {
    match dtype {
        DType::Bool => {
            let zero = w.zero(raw.ty);
            w.cmpi(IntCmp::Ne, raw, zero)
        }
        _ => raw,
    }
}

/// Memory from registers: truth values become bytes.
fn to_memory(w: &mut Writer, value: Val, dtype: DType) -> Val {
    match dtype {
        DType::Bool => w.extui(value, Scalar::I8),
        _ => value,
    }
}
