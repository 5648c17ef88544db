//! Tensor maps in the driver's format.

use crate::driver::{Failure, MapBytes};
use artifact::{MapElement, Swizzle};
use cudarc::driver::sys;
use runtime::TensorMap;

/// The first driver that has tensor maps, as CUDA numbers its versions.
const FIRST: i32 = 12000;

/// The bytes of a map.
pub(crate) fn encode(map: &TensorMap) -> Result<MapBytes, Failure> {
    let mut version = 0;
    // SAFETY: the pointer is to a number of our own.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result()?;
    if version < FIRST {
        // Older libraries lack the function, and what looks it up would end the process.
        let text = format!("the driver is of CUDA {}, and tensor maps need CUDA 12", version / 1000);
        return Err(Failure { code: "CUDA_ERROR_NOT_SUPPORTED".into(), text });
    }
    let mut bytes = MapBytes([0; 128]);
    let ones = [1u32; 5];
    let rank = map.sizes.len() as u32;
    // SAFETY: the destination has 128 bytes at a multiple of 64; there are `rank` sizes, tile sizes and ones, and one stride
    // less, as `artifact` checks. The address is only noted.
    let code = unsafe {
        sys::cuTensorMapEncodeTiled(
            std::ptr::from_mut(&mut bytes).cast(),
            element(map.element),
            rank,
            map.address.get() as *mut std::ffi::c_void,
            map.sizes.as_ptr(),
            map.strides.as_ptr(),
            map.tile.as_ptr(),
            ones.as_ptr(),
            sys::CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
            swizzle(map.swizzle),
            promotion(map.promotion),
            sys::CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
    };
    code.result()?;
    Ok(bytes)
}

fn element(element: MapElement) -> sys::CUtensorMapDataType {
    use sys::CUtensorMapDataType as Type;
    match element {
        MapElement::U8 => Type::CU_TENSOR_MAP_DATA_TYPE_UINT8,
        MapElement::F16 => Type::CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
        MapElement::Bf16 => Type::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
        MapElement::F32 => Type::CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
        MapElement::Tf32 => Type::CU_TENSOR_MAP_DATA_TYPE_TFLOAT32,
    }
}

fn swizzle(swizzle: Swizzle) -> sys::CUtensorMapSwizzle {
    use sys::CUtensorMapSwizzle as Kind;
    match swizzle {
        Swizzle::None => Kind::CU_TENSOR_MAP_SWIZZLE_NONE,
        Swizzle::B32 => Kind::CU_TENSOR_MAP_SWIZZLE_32B,
        Swizzle::B64 => Kind::CU_TENSOR_MAP_SWIZZLE_64B,
        Swizzle::B128 => Kind::CU_TENSOR_MAP_SWIZZLE_128B,
    }
}

fn promotion(bytes: u32) -> sys::CUtensorMapL2promotion {
    use sys::CUtensorMapL2promotion as Fetch;
    match bytes {
        64 => Fetch::CU_TENSOR_MAP_L2_PROMOTION_L2_64B,
        128 => Fetch::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        256 => Fetch::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        _ => Fetch::CU_TENSOR_MAP_L2_PROMOTION_NONE,
    }
}
