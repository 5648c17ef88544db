//! Memory that somebody else owns, given to a run where it is.
//!
//! What may overlap says [`Engine::run_on`](crate::Engine::run_on). That an input is not read any more is seen from the steps of
//! the program: the last one that reads it comes before the first that writes the output.

use crate::Error;
use crate::device::{Address, Memory, Module, Space};
use crate::prepared::Prepared;
use std::marker::PhantomData;
use tensor::{DType, Tensor, TensorError};

/// A dense row-major tensor in memory that lives at least as long as `'a`, and that nobody writes meanwhile.
#[derive(Clone, Debug)]
pub struct TensorRef<'a> {
    dtype: DType,
    shape: Vec<usize>,
    range: Range,
    life: PhantomData<&'a [u8]>,
}

/// Room for an output, in memory that lives at least as long as `'a`, and that nobody else uses meanwhile.
#[derive(Debug)]
pub struct Room<'a> {
    range: Range,
    life: PhantomData<&'a mut [u8]>,
}

/// A tensor in memory of a device, which is freed with it.
pub struct DeviceTensor {
    dtype: DType,
    shape: Vec<usize>,
    memory: Memory,
    space: Space,
}

/// Bytes of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) address: Address,
    pub(crate) bytes: usize,
    /// `None` if the caller vouches for it.
    space: Option<Space>,
}

/// What a run reads.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A tensor of the host: a device with memory of its own gets a copy.
    Host(&'a Tensor),
    /// A tensor in the memory of the engine's device, which is read where it is.
    Here(TensorRef<'a>),
}

/// Where a run writes an output.
#[derive(Debug, Default)]
pub enum Output<'a> {
    /// To new memory of the device.
    #[default]
    New,
    /// To memory of the engine's device that the caller has. There may be more room than needed: the output is at its start.
    Into(Room<'a>),
}

/// An output of a run.
#[derive(Debug)]
pub struct Produced {
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its memory, if that is [new](Output::New).
    pub tensor: Option<DeviceTensor>,
}

impl<'a> TensorRef<'a> {
    /// A tensor in a device's memory.
    ///
    /// # Safety
    /// The bytes from the address on are memory of the device on which the reference is used (for CUDA: they may be accessed
    /// in its primary context), live as long as `'a`, and are written by nothing that is not ordered before or after the run.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] if there is no such number of bytes.
    pub unsafe fn new(dtype: DType, shape: Vec<usize>, address: Address) -> Result<Self, TensorError> {
        let range = Range { address, bytes: byte_len(dtype, &shape)?, space: None };
        Ok(TensorRef { dtype, shape, range, life: PhantomData })
    }

    /// A tensor in the host's memory, for engines on the host.
    ///
    /// # Errors
    /// [`TensorError`] if the bytes are not those of the shape.
    pub fn from_host(dtype: DType, shape: Vec<usize>, bytes: &'a [u8]) -> Result<Self, TensorError> {
        let expected = byte_len(dtype, &shape)?;
        if expected != bytes.len() {
            return Err(TensorError::Length { dtype, shape, expected, actual: bytes.len() });
        }
        let range = Range::host(bytes.as_ptr(), bytes.len());
        Ok(TensorRef { dtype, shape, range, life: PhantomData })
    }

    /// A tensor of which only the type is known.
    pub(crate) fn nowhere(dtype: DType, shape: Vec<usize>) -> Self {
        let range = Range { address: Address::new(0), bytes: 0, space: None };
        TensorRef { dtype, shape, range, life: PhantomData }
    }

    /// Whether nothing speaks against it being there.
    pub(crate) fn may_be_in(&self, space: Space) -> bool {
        self.range.space.is_none_or(|known| known == space)
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Where it begins.
    pub fn address(&self) -> Address {
        self.range.address
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.range.bytes
    }
}

impl<'a> Room<'a> {
    /// Bytes of a device's memory.
    ///
    /// # Safety
    /// As of [`TensorRef::new`]; moreover nothing that is not ordered before or after the run reads them.
    pub unsafe fn new(address: Address, bytes: usize) -> Self {
        Room { range: Range { address, bytes, space: None }, life: PhantomData }
    }

    /// Bytes of the host's memory, for engines on the host.
    pub fn from_host(bytes: &'a mut [u8]) -> Self {
        Room { range: Range::host(bytes.as_mut_ptr(), bytes.len()), life: PhantomData }
    }

    pub(crate) fn range(&self) -> Range {
        self.range
    }
}

impl DeviceTensor {
    /// Memory with a meaning; it must be large enough.
    pub(crate) fn new(dtype: DType, shape: Vec<usize>, memory: Memory, space: Space) -> Self {
        DeviceTensor { dtype, shape, memory, space }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Where it begins.
    pub fn address(&self) -> Address {
        self.memory.address()
    }

    /// To read it.
    pub fn as_ref(&self) -> TensorRef<'_> {
        // The memory was made for this type and shape, so the product exists.
        let bytes = byte_len(self.dtype, &self.shape).unwrap_or(0);
        let range = Range { address: self.memory.address(), bytes, space: Some(self.space) };
        TensorRef { dtype: self.dtype, shape: self.shape.clone(), range, life: PhantomData }
    }

    /// To write it. Type and shape stay what they are; see [`Produced`] for those of what was written.
    pub fn room(&mut self) -> Room<'_> {
        let range = Range { address: self.memory.address(), bytes: self.memory.bytes(), space: Some(self.space) };
        Room { range, life: PhantomData }
    }
}

impl std::fmt::Debug for DeviceTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?} at {:#x}", self.dtype, self.shape, self.address().get())
    }
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Input::Host(tensor)
    }
}

impl<'a> From<TensorRef<'a>> for Input<'a> {
    fn from(tensor: TensorRef<'a>) -> Self {
        Input::Here(tensor)
    }
}

impl<'a> From<&'a DeviceTensor> for Input<'a> {
    fn from(tensor: &'a DeviceTensor) -> Self {
        Input::Here(tensor.as_ref())
    }
}

impl<'a> From<&'a mut DeviceTensor> for Output<'a> {
    fn from(tensor: &'a mut DeviceTensor) -> Self {
        Output::Into(tensor.room())
    }
}

impl<'a> From<Room<'a>> for Output<'a> {
    fn from(room: Room<'a>) -> Self {
        Output::Into(room)
    }
}

impl Input<'_> {
    pub(crate) fn dtype(&self) -> DType {
        match self {
            Input::Host(tensor) => tensor.dtype(),
            Input::Here(tensor) => tensor.dtype,
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Input::Host(tensor) => tensor.shape(),
            Input::Here(tensor) => &tensor.shape,
        }
    }
}

impl Range {
    fn host(pointer: *const u8, bytes: usize) -> Range {
        Range { address: Address::new(pointer as u64), bytes, space: Some(Space::HOST) }
    }

    fn overlaps(&self, other: &Range) -> bool {
        let end = |range: &Range| range.address.get().saturating_add(range.bytes as u64);
        let both = self.bytes > 0 && other.bytes > 0;
        both && self.address.get() < end(other) && other.address.get() < end(self)
    }
}

/// The bytes of a tensor.
pub(crate) fn byte_len(dtype: DType, shape: &[usize]) -> Result<usize, TensorError> {
    let bytes = shape.iter().try_fold(dtype.size(), |bytes, extent| bytes.checked_mul(*extent));
    bytes.filter(|bytes| *bytes <= isize::MAX.unsigned_abs()).ok_or_else(|| TensorError::TooLarge(shape.to_vec()))
}

/// One piece of memory that a run was given.
struct Given {
    /// As messages call it.
    name: String,
    buffer: usize,
    range: Range,
    align: usize,
    is_output: bool,
}

/// Checks that what a run was given lies in the device's memory, is aligned, and overlaps only as it may.
pub(crate) fn check(
    prepared: &Prepared,
    module: &dyn Module,
    inputs: &[Input<'_>],
    rooms: &[Option<Range>],
) -> Result<(), Error> {
    let program = prepared.program();
    let given = |what: &str, port: &artifact::Port, range: Range, is_output| {
        let view = &program.views[port.view.idx()];
        let align = view.dtype.size().max(module.alignment());
        Given { name: format!("{what} `{}`", port.name), buffer: view.buffer.idx(), range, align, is_output }
    };
    let read = program.inputs.iter().zip(inputs).filter_map(|(port, input)| match input {
        Input::Host(_) => None,
        Input::Here(tensor) => Some(given("input", port, tensor.range, false)),
    });
    let written =
        program.outputs.iter().zip(rooms).filter_map(|(port, room)| Some(given("output", port, (*room)?, true)));
    let all: Vec<Given> = read.chain(written).collect();
    for (idx, one) in all.iter().enumerate() {
        check_place(one, module)?;
        // Outputs come last, so that the first of a pair is the input if there is one.
        for other in all[idx + 1..].iter().filter(|other| other.is_output && one.range.overlaps(&other.range)) {
            let lifetimes = &prepared.lifetimes.of;
            let in_time = match (lifetimes[one.buffer], lifetimes[other.buffer]) {
                (Some(read), Some(written)) => read.last < written.first,
                _ => true,
            };
            if one.is_output || !in_time {
                let why = if one.is_output { "" } else { ", which is read after the output is begun" };
                return Err(Error::Input(format!("{} overlaps {}{why}", other.name, one.name)));
            }
        }
    }
    Ok(())
}

fn check_place(given: &Given, module: &dyn Module) -> Result<(), Error> {
    let Given { name, range, align, .. } = given;
    if range.space.is_some_and(|space| space != module.space()) {
        return Err(Error::Input(format!("{name} is in the memory of another device")));
    }
    if range.bytes > 0 && !range.address.get().is_multiple_of(*align as u64) {
        let at = range.address.get();
        return Err(Error::Input(format!("{name} begins at {at:#x}, it must be at a multiple of {align} bytes")));
    }
    Ok(())
}

/// Who owns the memory of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// The arena.
    Arena,
    /// The caller.
    Caller,
    /// The run, which gives it to the caller.
    Own,
}
