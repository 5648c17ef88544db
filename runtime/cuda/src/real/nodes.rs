//! Pieces of work as calls on a stream, and as nodes of a graph.

use crate::driver::{Handle, MapBytes, Node, Shape};
use cudarc::driver::sys::{self, CUDA_KERNEL_NODE_PARAMS, CUDA_MEMCPY3D, CUDA_MEMSET_NODE_PARAMS};
use cudarc::driver::{DriverError, result};
use std::ffi::c_void;

pub(super) fn node(handle: Handle) -> sys::CUgraphNode {
    handle.0 as sys::CUgraphNode
}

/// Where the driver finds the parameters of a kernel.
fn pointers(maps: &mut [MapBytes], numbers: &mut [u64]) -> Vec<*mut c_void> {
    let maps = maps.iter_mut().map(|map| std::ptr::from_mut(map).cast());
    maps.chain(numbers.iter_mut().map(|number| std::ptr::from_mut(number).cast())).collect()
}

/// What a kernel node says; the parameters are copied out of `params` when the driver is given this.
fn kernel(function: Handle, shape: Shape, params: &mut [*mut c_void]) -> CUDA_KERNEL_NODE_PARAMS {
    CUDA_KERNEL_NODE_PARAMS {
        func: function.0 as sys::CUfunction,
        gridDimX: shape.grid,
        gridDimY: 1,
        gridDimZ: 1,
        blockDimX: shape.block,
        blockDimY: 1,
        blockDimZ: 1,
        sharedMemBytes: shape.shared,
        kernelParams: params.as_mut_ptr(),
        extra: std::ptr::null_mut(),
        kern: std::ptr::null_mut(),
        ctx: std::ptr::null_mut(),
    }
}

fn copy(from: u64, to: u64, bytes: usize) -> CUDA_MEMCPY3D {
    CUDA_MEMCPY3D {
        srcXInBytes: 0,
        srcY: 0,
        srcZ: 0,
        srcLOD: 0,
        srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
        srcHost: std::ptr::null(),
        srcDevice: from,
        srcArray: std::ptr::null_mut(),
        reserved0: std::ptr::null_mut(),
        srcPitch: bytes,
        srcHeight: 1,
        dstXInBytes: 0,
        dstY: 0,
        dstZ: 0,
        dstLOD: 0,
        dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
        dstHost: std::ptr::null_mut(),
        dstDevice: to,
        dstArray: std::ptr::null_mut(),
        reserved1: std::ptr::null_mut(),
        dstPitch: bytes,
        dstHeight: 1,
        WidthInBytes: bytes,
        Height: 1,
        Depth: 1,
    }
}

fn fill(dst: u64, value: u32, size: u32) -> CUDA_MEMSET_NODE_PARAMS {
    CUDA_MEMSET_NODE_PARAMS { dst, pitch: 0, value, elementSize: size, width: 1, height: 1 }
}

/// Gives work to a stream.
///
/// # Safety
/// As of [`Driver`](crate::driver::Driver).
pub(super) unsafe fn perform(stream: sys::CUstream, work: &mut Node) -> Result<(), DriverError> {
    match work {
        Node::Launch { function, shape, maps, numbers } => {
            let (function, grid, block) = (function.0 as sys::CUfunction, (shape.grid, 1, 1), (shape.block, 1, 1));
            let mut params = pointers(maps, numbers);
            // SAFETY: promised by the caller; the driver copies the parameters before the call returns.
            unsafe { result::launch_kernel(function, grid, block, shape.shared, stream, &mut params) }
        }
        // SAFETY: promised by the caller.
        Node::Copy { from, to, bytes } => unsafe { result::memcpy_dtod_async(*to, *from, *bytes, stream) },
        // SAFETY: promised by the caller.
        Node::Byte { to, value } => unsafe { result::memset_d8_async(*to, *value, 1, stream) },
        // SAFETY: promised by the caller.
        Node::Word { to, value } => unsafe { sys::cuMemsetD32Async(*to, *value, 1, stream) }.result(),
    }
}

/// Adds work to a graph, behind another node.
///
/// # Safety
/// As of [`Driver`](crate::driver::Driver).
pub(super) unsafe fn add(
    graph: sys::CUgraph,
    after: Option<sys::CUgraphNode>,
    context: sys::CUcontext,
    work: &mut Node,
) -> Result<Handle, DriverError> {
    let mut made = std::ptr::null_mut();
    let (first, n) = (after.as_ref().map_or(std::ptr::null(), std::ptr::from_ref), usize::from(after.is_some()));
    // SAFETY: promised by the caller; `first` begins `n` nodes, and the driver copies what it is told.
    let code = unsafe {
        match work {
            Node::Launch { function, shape, maps, numbers } => {
                let mut params = pointers(maps, numbers);
                sys::cuGraphAddKernelNode_v2(&mut made, graph, first, n, &kernel(*function, *shape, &mut params))
            }
            Node::Copy { from, to, bytes } => {
                sys::cuGraphAddMemcpyNode(&mut made, graph, first, n, &copy(*from, *to, *bytes), context)
            }
            Node::Byte { to, value } => {
                sys::cuGraphAddMemsetNode(&mut made, graph, first, n, &fill(*to, (*value).into(), 1), context)
            }
            Node::Word { to, value } => {
                sys::cuGraphAddMemsetNode(&mut made, graph, first, n, &fill(*to, *value, 4), context)
            }
        }
    };
    code.result().map(|()| Handle(made as usize))
}

/// Changes a node of an executable graph.
///
/// # Safety
/// As of [`Driver`](crate::driver::Driver).
pub(super) unsafe fn change(
    executable: sys::CUgraphExec,
    node: sys::CUgraphNode,
    context: sys::CUcontext,
    work: &mut Node,
) -> Result<(), DriverError> {
    // SAFETY: promised by the caller; the driver copies what it is told.
    let code = unsafe {
        match work {
            Node::Launch { function, shape, maps, numbers } => {
                let mut params = pointers(maps, numbers);
                sys::cuGraphExecKernelNodeSetParams_v2(executable, node, &kernel(*function, *shape, &mut params))
            }
            Node::Copy { from, to, bytes } => {
                sys::cuGraphExecMemcpyNodeSetParams(executable, node, &copy(*from, *to, *bytes), context)
            }
            Node::Byte { to, value } => {
                sys::cuGraphExecMemsetNodeSetParams(executable, node, &fill(*to, (*value).into(), 1), context)
            }
            Node::Word { to, value } => {
                sys::cuGraphExecMemsetNodeSetParams(executable, node, &fill(*to, *value, 4), context)
            }
        }
    };
    code.result()
}
