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

    pub(crate) fn lowering(&self) -> lower::Target {
        match self {
            Target::Host(host) => lower::Target::Host { lanes: (host.vector_bytes() / 4).max(1) as u32 },
            Target::Nvptx(_) => lower::Target::Gpu,
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::Target(text.into());
        match text.split_once(':') {
            None if text == "host" => Ok(Target::host()),
            Some(("host", level)) => HostTarget::level(level).map(Target::Host).map_err(|_| unknown()),
            Some(("nvptx", sm)) => {
                PtxTarget::all().iter().find(|t| t.name() == sm).copied().map(Target::Nvptx).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}
