//! Naming a device on the command line.

use crate::Failure;
use runtime::{Device, Host};
use std::num::NonZeroUsize;

/// `host`, `cuda`, `cuda:N`, `sim` or `sim:sm_NN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSpec {
    /// The processor.
    Host,
    /// An NVIDIA GPU by its number.
    Cuda(usize),
    /// The PTX simulator.
    Sim {
        /// The compute capability times ten of the GPU that it plays.
        capability: u32,
        /// Whether it looks for reads of what nobody wrote and for races.
        sanitize: bool,
    },
}

/// The compute capability times ten of the GPU that `sim` plays when none is named.
pub const SIM_CAPABILITY: u32 = 90;

impl std::str::FromStr for DeviceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = || text.strip_prefix("cuda:")?.parse().ok().map(DeviceSpec::Cuda);
        let sim = |capability| DeviceSpec::Sim { capability, sanitize: false };
        // What is special to an architecture is what its simulated GPU has: `sm_90a` is the one of `sm_90`.
        let played = || {
            let digits = text.strip_prefix("sim:sm_")?;
            let digits = digits.strip_suffix(['a', 'f']).unwrap_or(digits);
            digits.parse().ok().filter(|capability| (50..1000).contains(capability)).map(sim)
        };
        match text {
            "host" => Ok(DeviceSpec::Host),
            "cuda" => Ok(DeviceSpec::Cuda(0)),
            "sim" => Ok(sim(SIM_CAPABILITY)),
            _ => {
                number().or_else(played).ok_or_else(|| format!("`{text}` is not host, cuda, cuda:N, sim or sim:sm_NN"))
            }
        }
    }
}

impl DeviceSpec {
    /// Opens the device. `threads` are those of the host.
    pub fn open(self, threads: Option<NonZeroUsize>) -> Result<Box<dyn Device>, Failure> {
        match self {
            DeviceSpec::Host => Ok(Box::new(Host::new(threads))),
            DeviceSpec::Cuda(ordinal) => Ok(Box::new(cuda::Cuda::new(ordinal)?)),
            DeviceSpec::Sim { capability, sanitize } => {
                let options = ptx_sim::Options { sanitize, ..ptx_sim::Options::default() };
                Ok(Box::new(ptx_sim::Sim::new(capability, options)))
            }
        }
    }

    /// The same device with its checks on; only the simulator has any.
    ///
    /// # Errors
    /// [`Failure::Usage`] for other devices.
    pub fn sanitized(self) -> Result<Self, Failure> {
        match self {
            DeviceSpec::Sim { capability, .. } => Ok(DeviceSpec::Sim { capability, sanitize: true }),
            DeviceSpec::Host | DeviceSpec::Cuda(_) => Err(Failure::Usage("--sanitize needs --device sim".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert_eq!("host".parse(), Ok(DeviceSpec::Host));
        assert_eq!("cuda".parse(), Ok(DeviceSpec::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceSpec::Cuda(3)));
        assert_eq!("sim".parse(), Ok(DeviceSpec::Sim { capability: 90, sanitize: false }));
        assert_eq!("sim:sm_80".parse(), Ok(DeviceSpec::Sim { capability: 80, sanitize: false }));
        assert!(DeviceSpec::Host.sanitized().is_err());
        for bad in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "sim:", "sim:80", "sim:sm_x"] {
            assert!(bad.parse::<DeviceSpec>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_missing_device_is_exit_code_6() {
        let failure = DeviceSpec::Cuda(9999).open(None).err().expect("there are no 10000 GPUs");
        assert_eq!(failure.exit_code(), 6);
        assert!(failure.to_string().starts_with("cuda:9999 is not available: "), "{failure}");
    }
}
