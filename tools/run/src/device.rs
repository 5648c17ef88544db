//! Naming a device on the command line.

use crate::Failure;
use runtime::{Device, Host};
use std::num::NonZeroUsize;

/// `host`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSpec {
    /// The processor.
    Host,
    /// An NVIDIA GPU by its number.
    Cuda(usize),
}

impl std::str::FromStr for DeviceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = || text.strip_prefix("cuda:")?.parse().ok();
        match text {
            "host" => Ok(DeviceSpec::Host),
            "cuda" => Ok(DeviceSpec::Cuda(0)),
            _ => number().map(DeviceSpec::Cuda).ok_or_else(|| format!("`{text}` is not host, cuda or cuda:N")),
        }
    }
}

impl DeviceSpec {
    /// Opens the device. `threads` are those of the host.
    pub fn open(self, threads: Option<NonZeroUsize>) -> Result<Box<dyn Device>, Failure> {
        match self {
            DeviceSpec::Host => Ok(Box::new(Host::new(threads))),
            DeviceSpec::Cuda(ordinal) => Ok(Box::new(cuda::Cuda::new(ordinal)?)),
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
        for bad in ["", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
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
