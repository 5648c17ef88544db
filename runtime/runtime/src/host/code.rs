//! Machine code: mapped, linked to its imports, executable.

use super::{NAME, imports};
use crate::DeviceError;
use artifact::{Artifact, HostKernel, HostUnit, KernelId, Kernels};
use memmap2::{Mmap, MmapMut};

/// The signature of every host kernel: see [`artifact::Launch`].
pub(super) type Kernel = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// The code of a variant, ready to be called.
pub(super) struct Code {
    entries: Vec<Kernel>,
    /// The entries point into these.
    _units: Vec<Mmap>,
}

impl Code {
    /// Maps the units of a variant.
    pub(super) fn load(artifact: &Artifact, kernels: &Kernels) -> Result<Code, DeviceError> {
        let Kernels::Host { units, kernels } = kernels else {
            return Err(failed("the kernels are not host code".into()));
        };
        let units = units.iter().map(|unit| map(artifact, unit)).collect::<Result<Vec<_>, _>>()?;
        let entries = kernels.iter().map(|kernel| entry(&units, kernel)).collect();
        Ok(Code { entries, _units: units })
    }

    /// The entry of a kernel.
    pub(super) fn kernel(&self, id: KernelId) -> Kernel {
        self.entries[id.idx()]
    }
}

fn failed(why: String) -> DeviceError {
    DeviceError::Failed { device: NAME.into(), why }
}

/// Maps a unit: first writable to fill the slots of its imports, then executable, never both.
fn map(artifact: &Artifact, unit: &HostUnit) -> Result<Mmap, DeviceError> {
    let code = &artifact.code[unit.code.idx()];
    let io = |e: std::io::Error| failed(format!("cannot map machine code: {e}"));
    let mut room = MmapMut::map_anon(code.len().max(1)).map_err(io)?;
    room[..code.len()].copy_from_slice(code);
    for import in &unit.imports {
        let address = imports::address(&import.name).ok_or_else(|| {
            failed(format!("the code needs the function `{}`, which this runtime does not provide", import.name))
        })?;
        let slot = import.slot as usize;
        room[slot..slot + 8].copy_from_slice(&(address as u64).to_ne_bytes());
    }
    room.make_exec().map_err(io)
}

fn entry(units: &[Mmap], kernel: &HostKernel) -> Kernel {
    let address = units[kernel.unit as usize][kernel.entry as usize..].as_ptr();
    // SAFETY: the artifact was validated, so the entry lies in its unit; that it is a function of this signature is the
    // contract of a trusted artifact. The map outlives every use: `Code` owns both.
    unsafe { std::mem::transmute::<*const u8, Kernel>(address) }
}
