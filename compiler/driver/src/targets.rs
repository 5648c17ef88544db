//! What code is made for.

use crate::Error;
use codegen::{HostTarget, PtxTarget};
use std::str::FromStr;

/// A target of a compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A CPU.
    Host(HostTarget),
    /// An NVIDIA GPU.
    Nvptx(PtxTarget),
}

impl Target {
    /// This machine's CPU.
    pub fn host() -> Target {
        Target::Host(HostTarget::native())
    }

    /// The best target for a GPU of this compute capability times ten, if there is one.
    pub fn for_gpu(capability: u32) -> Option<Target> {
        PtxTarget::for_device(capability).map(Target::Nvptx)
    }

    /// The names of all targets that this compiler knows besides this machine's own.
    pub fn names() -> Vec<String> {
        let levels = ["host", "host:x86-64", "host:x86-64-v2", "host:x86-64-v3", "host:x86-64-v4"];
        let gpus = PtxTarget::all().iter().map(|target| format!("nvptx:{}", target.name()));
        levels.map(String::from).into_iter().chain(gpus).collect()
    }

    /// The name in artifacts.
    pub fn name(&self) -> String {
        match self {
            Target::Host(host) => format!("host:{host}"),
            Target::Nvptx(ptx) => format!("nvptx:{}", ptx.name()),
        }
    }

    /// A name without punctuation, for files.
    pub(crate) fn short_name(&self) -> &str {
        match self {
            Target::Host(_) => "host",
            Target::Nvptx(ptx) => ptx.name(),
        }
    }

    pub(crate) fn lowering(&self, numerics: rewrite::Contract) -> lower::Target {
        match self {
            Target::Host(host) => lower::Target::Host { lanes: (host.vector_bytes() / 4).max(1) as u32 },
            Target::Nvptx(ptx) => lower::Target::Gpu(lower::Gpu {
                chip: lower::Chip { sm: ptx.sm(), exact: ptx.name().ends_with('a'), ptx: ptx.ptx_version() },
                rerounds: numerics.allows(rewrite::Exactness::REROUNDS),
                approximate: numerics.allows(rewrite::Exactness::APPROXIMATE),
                schedule: None,
            }),
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::Target(text.into());
        match text.split_once(':') {
            None if text == "host" => Ok(Target::host()),
            // The long form is the one in artifacts.
            Some(("host", name)) if name.contains('/') => name.parse().map(Target::Host).map_err(|_| unknown()),
            Some(("host", level)) => HostTarget::level(level).map(Target::Host).map_err(|_| unknown()),
            Some(("nvptx", sm)) => {
                PtxTarget::all().iter().find(|t| t.name() == sm).copied().map(Target::Nvptx).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}
