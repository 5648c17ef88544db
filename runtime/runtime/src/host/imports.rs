//! The C functions that machine code may call.

use std::ffi::{c_int, c_void};

macro_rules! functions {
    ($($name:ident: fn($($ty:ty),*) -> $out:ty;)*) => {
        unsafe extern "C" { $(fn $name($(_: $ty),*) -> $out;)* }

        /// The address of a function, by its C name.
        pub(super) fn address(name: &str) -> Option<usize> {
            match name {
                $(stringify!($name) => Some($name as unsafe extern "C" fn($($ty),*) -> $out as usize),)*
                _ => None,
            }
        }
    };
}

functions! {
    memcpy: fn(*mut c_void, *const c_void, usize) -> *mut c_void;
    memmove: fn(*mut c_void, *const c_void, usize) -> *mut c_void;
    memset: fn(*mut c_void, c_int, usize) -> *mut c_void;
    memcmp: fn(*const c_void, *const c_void, usize) -> c_int;
    bcmp: fn(*const c_void, *const c_void, usize) -> c_int;
    ldexp: fn(f64, c_int) -> f64;
    ldexpf: fn(f32, c_int) -> f32;
    fma: fn(f64, f64, f64) -> f64;
    fmaf: fn(f32, f32, f32) -> f32;
    atan2: fn(f64, f64) -> f64;
    atan2f: fn(f32, f32) -> f32;
    copysign: fn(f64, f64) -> f64;
    copysignf: fn(f32, f32) -> f32;
    fmax: fn(f64, f64) -> f64;
    fmaxf: fn(f32, f32) -> f32;
    fmin: fn(f64, f64) -> f64;
    fminf: fn(f32, f32) -> f32;
    fmod: fn(f64, f64) -> f64;
    fmodf: fn(f32, f32) -> f32;
    pow: fn(f64, f64) -> f64;
    powf: fn(f32, f32) -> f32;
    acos: fn(f64) -> f64;
    acosf: fn(f32) -> f32;
    acosh: fn(f64) -> f64;
    acoshf: fn(f32) -> f32;
    asin: fn(f64) -> f64;
    asinf: fn(f32) -> f32;
    asinh: fn(f64) -> f64;
    asinhf: fn(f32) -> f32;
    atan: fn(f64) -> f64;
    atanf: fn(f32) -> f32;
    atanh: fn(f64) -> f64;
    atanhf: fn(f32) -> f32;
    cbrt: fn(f64) -> f64;
    cbrtf: fn(f32) -> f32;
    ceil: fn(f64) -> f64;
    ceilf: fn(f32) -> f32;
    cos: fn(f64) -> f64;
    cosf: fn(f32) -> f32;
    cosh: fn(f64) -> f64;
    coshf: fn(f32) -> f32;
    erf: fn(f64) -> f64;
    erff: fn(f32) -> f32;
    erfc: fn(f64) -> f64;
    erfcf: fn(f32) -> f32;
    exp: fn(f64) -> f64;
    expf: fn(f32) -> f32;
    exp2: fn(f64) -> f64;
    exp2f: fn(f32) -> f32;
    exp10: fn(f64) -> f64;
    exp10f: fn(f32) -> f32;
    expm1: fn(f64) -> f64;
    expm1f: fn(f32) -> f32;
    floor: fn(f64) -> f64;
    floorf: fn(f32) -> f32;
    log: fn(f64) -> f64;
    logf: fn(f32) -> f32;
    log10: fn(f64) -> f64;
    log10f: fn(f32) -> f32;
    log1p: fn(f64) -> f64;
    log1pf: fn(f32) -> f32;
    log2: fn(f64) -> f64;
    log2f: fn(f32) -> f32;
    nearbyint: fn(f64) -> f64;
    nearbyintf: fn(f32) -> f32;
    rint: fn(f64) -> f64;
    rintf: fn(f32) -> f32;
    round: fn(f64) -> f64;
    roundf: fn(f32) -> f32;
    roundeven: fn(f64) -> f64;
    roundevenf: fn(f32) -> f32;
    sin: fn(f64) -> f64;
    sinf: fn(f32) -> f32;
    sinh: fn(f64) -> f64;
    sinhf: fn(f32) -> f32;
    sqrt: fn(f64) -> f64;
    sqrtf: fn(f32) -> f32;
    tan: fn(f64) -> f64;
    tanf: fn(f32) -> f32;
    tanh: fn(f64) -> f64;
    tanhf: fn(f32) -> f32;
    trunc: fn(f64) -> f64;
    truncf: fn(f32) -> f32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_functions() {
        // SAFETY: these are the signatures that C gives these names.
        let (exp2f, pow, ldexp) = unsafe {
            (
                std::mem::transmute::<usize, extern "C" fn(f32) -> f32>(address("exp2f").unwrap()),
                std::mem::transmute::<usize, extern "C" fn(f64, f64) -> f64>(address("pow").unwrap()),
                std::mem::transmute::<usize, extern "C" fn(f64, c_int) -> f64>(address("ldexp").unwrap()),
            )
        };
        assert_eq!((exp2f(3.0), pow(3.0, 2.0), ldexp(1.5, 2)), (8.0, 9.0, 6.0));
        assert_eq!(address("system"), None);
    }
}
