//! What each architecture can do, and how large it is.

/// An NVIDIA architecture: what a template may use, and what a cost model needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Compute capability times ten.
    pub sm: u32,
    /// Whether the code is for this architecture alone (`sm_90a`), and may use what later ones lack.
    pub exact: bool,
    /// PTX version times ten.
    pub ptx: u32,
}

/// Instructions that not every target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `ldmatrix`.
    LdMatrix,
    /// `mma.sync.m16n8k8` of `f16` into `f32`.
    MmaF16K8,
    /// `mma.sync.m16n8k16` of `f16` into `f32`.
    MmaF16,
    /// `mma.sync.m16n8k16` of `bf16` into `f32`.
    MmaBf16,
    /// `mma.sync.m16n8k8` of `tf32` into `f32`.
    MmaTf32,
    /// `mma.sync.m8n8k16` of bytes into `i32`.
    MmaByteK16,
    /// `mma.sync.m16n8k32` of bytes into `i32`.
    MmaByte,
    /// `cp.async`.
    CpAsync,
    /// `wgmma`.
    Wgmma,
    /// `cp.async.bulk.tensor`.
    Tma,
    /// `mbarrier.try_wait`.
    Phases,
    /// `setmaxnreg`.
    HandOver,
}

/// Lowest `sm` and PTX version of each feature, and whether it needs an exact target.
const FEATURES: &[(Feature, u32, u32, bool)] = &[
    (Feature::LdMatrix, 75, 65, false),
    (Feature::MmaF16K8, 75, 65, false),
    (Feature::MmaF16, 80, 70, false),
    (Feature::MmaBf16, 80, 70, false),
    (Feature::MmaTf32, 80, 70, false),
    (Feature::MmaByteK16, 75, 65, false),
    (Feature::MmaByte, 80, 70, false),
    (Feature::CpAsync, 80, 70, false),
    (Feature::Wgmma, 90, 80, true),
    (Feature::Tma, 90, 80, false),
    (Feature::Phases, 90, 78, false),
    (Feature::HandOver, 90, 80, true),
];

/// Numbers of a typical chip of an architecture.
struct Numbers {
    sm: u32,
    /// Multiprocessors.
    units: u32,
    /// Bytes of shared memory that one block may have, and that a multiprocessor has.
    shared: [u32; 2],
    /// Multiply-adds a cycle and multiprocessor: `f32`, and 16-bit tensor cores through `mma.sync`.
    rates: [u32; 2],
    /// Bytes from device memory a cycle, for the whole chip.
    memory: u32,
}

const fn numbers(sm: u32, units: u32, shared: [u32; 2], rates: [u32; 2], memory: u32) -> Numbers {
    Numbers { sm, units, shared, rates, memory }
}

const KIB: u32 = 1024;

/// T4, A100, A10, L40S, H100, B200, RTX 5090.
const NUMBERS: &[Numbers] = &[
    numbers(75, 40, [64 * KIB, 64 * KIB], [64, 512], 200),
    numbers(80, 108, [163 * KIB, 164 * KIB], [64, 1024], 1100),
    numbers(86, 72, [99 * KIB, 100 * KIB], [128, 512], 350),
    numbers(89, 142, [99 * KIB, 100 * KIB], [128, 512], 350),
    numbers(90, 132, [227 * KIB, 228 * KIB], [128, 1024], 1900),
    numbers(100, 148, [227 * KIB, 228 * KIB], [128, 1024], 4000),
    numbers(120, 170, [99 * KIB, 100 * KIB], [128, 512], 750),
];

impl Chip {
    /// Whether the target has an instruction.
    pub fn has(self, feature: Feature) -> bool {
        FEATURES.iter().any(|(known, sm, ptx, exact)| {
            // An instruction for exact targets is one of that architecture only.
            let right = if *exact { self.exact && self.sm == *sm } else { self.sm >= *sm };
            *known == feature && right && self.ptx >= *ptx
        })
    }

    fn numbers(self) -> &'static Numbers {
        NUMBERS.iter().rev().find(|n| n.sm <= self.sm).unwrap_or(&NUMBERS[0])
    }

    /// Multiprocessors of a typical chip.
    pub fn units(self) -> u32 {
        self.numbers().units
    }

    /// Bytes of shared memory that one block may have.
    pub fn shared_per_block(self) -> u32 {
        self.numbers().shared[0]
    }

    /// Bytes of shared memory of a multiprocessor; each block takes 1 KiB more than it asks for from `sm_80` on.
    pub fn shared_per_unit(self) -> u32 {
        self.numbers().shared[1]
    }

    /// Multiply-adds of `f32` a cycle and multiprocessor.
    pub fn fma_rate(self) -> u32 {
        self.numbers().rates[0]
    }

    /// Multiply-adds of 16-bit numbers a cycle and multiprocessor, on tensor cores through `mma.sync`.
    pub fn tensor_rate(self) -> u32 {
        self.numbers().rates[1]
    }

    /// Bytes from device memory a cycle.
    pub fn memory_rate(self) -> u32 {
        self.numbers().memory
    }
}
