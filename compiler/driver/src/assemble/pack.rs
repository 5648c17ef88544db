//! Weights and code as the artifact's tables.

use crate::Error;
use artifact::{Artifact, CodeId, HostKernel, HostUnit, Import, Kernels, PtxKernel, Weight, WeightId};
use bytes::Bytes;
use codegen::HostCode;
use lower::{Kernel, Packing};
use ops::Const;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tensor::Tensor;

/// Constants of all variants, each once.
#[derive(Default)]
pub(crate) struct Weights {
    ids: BTreeMap<(Const, Option<Packing>), WeightId>,
    table: Vec<Pending>,
}

/// A constant before it is brought to its order, which takes long and is of no use to those who only look at kernels.
struct Pending {
    name: String,
    tensor: Tensor,
    packing: Option<Packing>,
}

impl Pending {
    fn finish(&self) -> Weight {
        let data = match self.packing {
            None => self.tensor.bytes().clone(),
            Some(packing) => packed(&packing, &self.tensor.values::<f32>()),
        };
        Weight { name: self.name.clone(), dtype: self.tensor.dtype(), data }
    }
}

impl Weights {
    /// The place of a constant, rearranged if so asked.
    pub(crate) fn add(&mut self, tensor: &Tensor, packing: Option<Packing>, name: &str) -> WeightId {
        let key = (Const(tensor.clone()), packing);
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = WeightId(self.table.len() as u32);
        self.table.push(Pending { name: name.into(), tensor: tensor.clone(), packing });
        self.ids.insert(key, id);
        id
    }

    /// The table of the artifact, made on so many threads.
    pub(crate) fn finish(self, threads: usize) -> Vec<Weight> {
        let slots: Vec<OnceLock<Weight>> = self.table.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some(pending), Some(slot)) = (self.table.get(at), slots.get(at)) else { break };
                slot.get_or_init(|| pending.finish());
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.clamp(1, slots.len().max(1)) {
                scope.spawn(work);
            }
            work();
        });
        slots.into_iter().filter_map(OnceLock::into_inner).collect()
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

fn packed(packing: &Packing, values: &[f32]) -> Bytes {
    let mut lines = vec![Line([0.0; 16]); packing.len().div_ceil(16)];
    packing.pack(values, &mut bytemuck::cast_slice_mut::<Line, f32>(&mut lines)[..packing.len()]);
    Bytes::from_owner(Lines(lines)).slice(..packing.len() * 4)
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
