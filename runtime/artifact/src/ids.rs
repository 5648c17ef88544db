//! Indices into the tables of an artifact.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The index, to look up in its table.
            pub fn idx(self) -> usize {
                self.0 as usize
            }
        }
    )* };
}

ids! {
    /// An entry of [`Program::exprs`](crate::Program::exprs).
    DimId;
    /// An entry of [`Program::symbols`](crate::Program::symbols).
    SymbolId;
    /// An entry of [`Program::buffers`](crate::Program::buffers).
    BufferId;
    /// An entry of [`Program::views`](crate::Program::views).
    ViewId;
    /// An entry of [`Program::blocks`](crate::Program::blocks).
    BlockId;
    /// An entry of [`Program::nodes`](crate::Program::nodes).
    NodeId;
    /// An entry of a variant's kernel table.
    KernelId;
    /// An entry of [`Artifact::weights`](crate::Artifact::weights).
    WeightId;
    /// An entry of [`Artifact::code`](crate::Artifact::code).
    CodeId;
}
