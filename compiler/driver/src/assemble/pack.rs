//! Weights and code as the artifact's tables.

use crate::Error;
use artifact::{Artifact, CodeId, HostKernel, HostUnit, Import, Kernels, PtxKernel, Weight, WeightId};
use bytes::Bytes;
use codegen::HostCode;
use lower::{Kernel, Packing};
use ops::Const;
use std::collections::BTreeMap;
use tensor::Tensor;

/// Constants of all variants, each once.
#[derive(Default)]
pub(crate) struct Weights {
    ids: BTreeMap<(Const, Option<Packing>), WeightId>,
    table: Vec<Weight>,
}

impl Weights {
    /// The place of a constant, rearranged if so asked.
    pub(crate) fn add(&mut self, tensor: &Tensor, packing: Option<Packing>, name: &str) -> WeightId {
        let key = (Const(tensor.clone()), packing);
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let data = match packing {
            None => tensor.bytes().clone(),
            Some(packing) => aligned(&packing.pack(&tensor.values::<f32>())),
        };
        let id = WeightId(self.table.len() as u32);
        self.table.push(Weight { name: name.into(), dtype: tensor.dtype(), data });
        self.ids.insert(key, id);
        id
    }

    pub(crate) fn finish(self) -> Vec<Weight> {
        self.table
    }
}

/// Sixteen floats on one cache line: kernels load packed operands by whole vectors.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

struct Lines(Vec<Line>);

impl AsRef<[u8]> for Lines {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

fn aligned(values: &[f32]) -> Bytes {
    let mut lines = vec![Line([0.0; 16]); values.len().div_ceil(16)];
    bytemuck::cast_slice_mut::<Line, f32>(&mut lines)[..values.len()].copy_from_slice(values);
    Bytes::from_owner(Lines(lines)).slice(..values.len() * 4)
}

fn add_code(artifact: &mut Artifact, bytes: Vec<u8>) -> CodeId {
    artifact.code.push(Bytes::from(bytes));
    CodeId(artifact.code.len() as u32 - 1)
}

/// Host code of one kernel a unit.
pub(crate) fn host_kernels(
    kernels: &[Kernel],
    codes: Vec<HostCode>,
    artifact: &mut Artifact,
) -> Result<Kernels, Error> {
    let (mut units, mut entries) = (vec![], vec![]);
    for (kernel, code) in kernels.iter().zip(codes) {
        let entry = code.entry("kernel").ok_or_else(|| Error::bug("emit", "a kernel has no entry"))?;
        let imports = code.imports.iter().map(|(name, slot)| Import { name: name.clone(), slot: *slot }).collect();
        let unit = units.len() as u32;
        units.push(HostUnit { code: add_code(artifact, code.blob), imports });
        entries.push(HostKernel { name: kernel.name.clone(), unit, entry });
    }
    Ok(Kernels::Host { units, kernels: entries })
}

/// PTX of one kernel a module.
pub(crate) fn ptx_kernels(kernels: &[Kernel], texts: Vec<String>, artifact: &mut Artifact) -> Kernels {
    let (mut units, mut entries) = (vec![], vec![]);
    for (kernel, text) in kernels.iter().zip(texts) {
        let unit = units.len() as u32;
        units.push(add_code(artifact, text.into_bytes()));
        entries.push(PtxKernel {
            name: kernel.name.clone(),
            unit,
            entry: "kernel".into(),
            block: kernel.block.threads,
            tasks_per_block: kernel.block.tasks,
            shared: kernel.block.shared,
        });
    }
    Kernels::Ptx { units, kernels: entries }
}
