//! The simulator as a device of the runtime.

use crate::exec::{self, Counts, Options};
use crate::machine::{Grid, Machine, ModuleId};
use artifact::{Artifact, Kernels, MapElement, Place, PtxKernel, WeightId};
use runtime::{Address, Device, DeviceError, Memory, Module, Space, Stream, Work};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The simulator: runs PTX without a GPU, and checks what it runs.
///
/// ```
/// use runtime::Device;
/// let sim = ptx_sim::Sim::new(90, ptx_sim::Options::default());
/// let targets = ["host:x86_64/v3".to_string(), "nvptx:sm_80".into(), "nvptx:sm_90a".into(), "nvptx:sm_100".into()];
/// assert_eq!(sim.choose(&targets), Ok(2));
/// ```
#[derive(Clone)]
pub struct Sim {
    capability: u32,
    options: Options,
}

impl Sim {
    /// A simulated GPU of a compute capability (times ten: 90 for 9.0).
    pub fn new(capability: u32, options: Options) -> Self {
        Sim { capability, options }
    }

    fn failed(&self, why: impl ToString) -> DeviceError {
        DeviceError::Failed { device: self.name(), why: why.to_string() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is changed by whole entries, or belongs to a run that ended with a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of `nvptx:sm_90a`, and whether it is for that architecture alone (2), its family (1) or all later ones (0).
fn parse_target(target: &str) -> Option<(u32, u32)> {
    let arch = target.strip_prefix("nvptx:sm_")?;
    let digits = arch.trim_end_matches(['a', 'f']);
    let special = match &arch[digits.len()..] {
        "" => 0,
        "f" => 1,
        "a" => 2,
        _ => return None,
    };
    digits.parse().ok().map(|number| (number, special))
}

impl Device for Sim {
    fn name(&self) -> String {
        format!("sim:sm_{}{}", self.capability, if self.options.sanitize { " (sanitize)" } else { "" })
    }

    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError> {
        let runs = |number: u32, special: u32| match special {
            0 => number <= self.capability,
            1 => number <= self.capability && number / 10 == self.capability / 10,
            _ => number == self.capability,
        };
        let parsed = targets.iter().enumerate().filter_map(|(idx, target)| Some((parse_target(target)?, idx)));
        let best = parsed
            .filter(|((number, special), _)| runs(*number, *special))
            .max_by_key(|(target, idx)| (*target, std::cmp::Reverse(*idx)));
        best.map(|(_, idx)| idx).ok_or_else(|| DeviceError::NoVariant {
            device: self.name(),
            needs: format!("nvptx:sm_{0}a, or nvptx:sm_NN with NN at most {0}", self.capability),
            has: targets.to_vec(),
        })
    }

    fn load(&self, artifact: &Arc<Artifact>, variant: usize) -> Result<Box<dyn Module>, DeviceError> {
        let Kernels::Ptx { units, kernels } = &artifact.variants[variant].kernels else {
            return Err(self.failed("the kernels are not PTX"));
        };
        let mut machine = Machine::new(self.options.clone());
        let mut modules = vec![];
        for unit in units {
            let text = std::str::from_utf8(&artifact.code[unit.idx()]).map_err(|_| self.failed("PTX is not UTF-8"))?;
            modules.push(machine.load(text).map_err(|e| self.failed(e))?);
        }
        let mut functions = vec![];
        for kernel in kernels {
            let module = *modules.get(kernel.unit as usize).ok_or_else(|| self.failed("a kernel without a unit"))?;
            if !machine.kernels(module).contains(&kernel.entry.as_str()) {
                return Err(self.failed(format!("kernel `{}`: the PTX has no entry `{}`", kernel.name, kernel.entry)));
            }
            functions.push((module, kernel.clone()));
        }
        let weights = self.upload_weights(artifact, variant, &mut machine)?;
        let (machine, counts, space) = (Mutex::new(machine), Mutex::default(), Space::new());
        let shared = Arc::new(Loaded { sim: self.clone(), machine, counts, functions, space });
        Ok(Box::new(SimModule { shared, weights }))
    }
}

impl Sim {
    fn upload_weights(
        &self,
        artifact: &Artifact,
        variant: usize,
        machine: &mut Machine,
    ) -> Result<Vec<Option<Address>>, DeviceError> {
        let buffers = &artifact.variants[variant].program.buffers;
        let used: BTreeSet<WeightId> = buffers
            .iter()
            .filter_map(|buffer| match buffer.place {
                Place::Weight(id) => Some(id),
                Place::Arena | Place::Input(_) | Place::Output(_) => None,
            })
            .collect();
        let mut addresses = vec![None; artifact.weights.len()];
        for id in used {
            let data = &artifact.weights[id.idx()].data;
            let at = machine.alloc(data.len() as u64).map_err(|e| self.failed(e))?;
            machine.write(at, data).map_err(|e| self.failed(e))?;
            addresses[id.idx()] = Some(Address::new(at));
        }
        Ok(addresses)
    }
}

/// What streams need of a module.
struct Loaded {
    sim: Sim,
    machine: Mutex<Machine>,
    /// What the kernels did so far, by name.
    counts: Mutex<BTreeMap<String, Counts>>,
    functions: Vec<(ModuleId, PtxKernel)>,
    /// Each module has a machine of its own.
    space: Space,
}

struct SimModule {
    shared: Arc<Loaded>,
    weights: Vec<Option<Address>>,
}

/// A line of the report.
fn row(name: &str, counts: &Counts) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "{name}: {} launches, {} instructions, {:.3} MB read, {:.3} MB written, sectors {} of {}, passes {} of {}",
        counts.launches,
        counts.thread_instructions,
        mb(counts.global_read),
        mb(counts.global_written),
        counts.sectors,
        counts.ideal_sectors,
        counts.shared_passes,
        counts.ideal_shared_passes,
    )
}

/// Memory that is given back when dropped.
struct Block {
    shared: Arc<Loaded>,
    address: u64,
}

impl Drop for Block {
    fn drop(&mut self) {
        lock(&self.shared.machine).free(self.address);
    }
}

impl Module for SimModule {
    fn space(&self) -> Space {
        self.shared.space
    }

    fn checks_bounds(&self) -> bool {
        true
    }

    fn report(&self) -> Vec<String> {
        let counts = lock(&self.shared.counts);
        let head = "kernel: launches, thread instructions, MB read and written, 32-byte sectors and passes of shared memory beside the fewest";
        let rows = counts.iter().map(|(name, counts)| row(name, counts));
        if counts.is_empty() || !self.shared.sim.options.sanitize {
            vec![]
        } else {
            std::iter::once(head.into()).chain(rows).collect()
        }
    }

    fn weight(&self, id: WeightId) -> Address {
        // The runtime asks only for weights of the program's buffers, and all of those were uploaded.
        self.weights[id.idx()].unwrap_or(Address::new(0))
    }

    fn alloc_for(&self, bytes: usize, purpose: &str) -> Result<Memory, DeviceError> {
        let sim = &self.shared.sim;
        let address = lock(&self.shared.machine).alloc(bytes as u64);
        let address = address.map_err(|_| DeviceError::OutOfMemory {
            device: sim.name(),
            bytes,
            purpose: purpose.into(),
            free: None,
        })?;
        let block = Block { shared: self.shared.clone(), address };
        Ok(Memory::new(Address::new(address), bytes, Box::new(block)))
    }

    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError> {
        Ok(Box::new(SimStream { shared: self.shared.clone() }))
    }
}

/// Does everything at once.
struct SimStream {
    shared: Arc<Loaded>,
}

impl Stream for SimStream {
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        lock(&self.shared.machine).write(to.get(), from).map_err(|e| self.shared.sim.failed(e))
    }

    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        let machine = lock(&self.shared.machine);
        let bytes = machine.read(from.get(), to.len()).map_err(|e| self.shared.sim.failed(e))?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        lock(&self.shared.machine).copy(from.get(), to.get(), bytes).map_err(|e| self.shared.sim.failed(e))
    }

    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError> {
        let sim = &self.shared.sim;
        let (module, kernel) = &self.shared.functions[work.kernel.idx()];
        let blocks = work.tasks.unsigned_abs().div_ceil(u64::from(kernel.tasks_per_block));
        let blocks = u32::try_from(blocks).ok().filter(|blocks| *blocks <= i32::MAX.unsigned_abs());
        let Some(blocks) = blocks else {
            return Err(sim.failed(format!("kernel `{}` needs more blocks than a grid has", kernel.name)));
        };
        // The parameters of the ABI: tensor maps, then addresses, dimensions and the number of tasks, 64 bits each.
        let mut params = vec![];
        for map in work.maps {
            let bytes = if map.is_empty() { [0; 128] } else { translate(map).encode().map_err(|e| sim.failed(e))? };
            params.extend_from_slice(&bytes);
        }
        let numbers =
            work.args.iter().map(|address| address.get()).chain(work.dims.iter().map(|dim| dim.cast_unsigned()));
        params.extend(numbers.chain([work.tasks.cast_unsigned()]).flat_map(|number| number.to_le_bytes()));
        let grid = Grid { shared: kernel.shared, ..Grid::line(blocks, kernel.block) };
        let ranges = work.buffers.iter().map(|(address, bytes)| address.get()..address.get() + *bytes as u64);
        let counts = lock(&self.shared.machine).launch_within(*module, &kernel.entry, grid, &params, ranges.collect());
        let counts = counts.map_err(|e| sim.failed(format!("launching kernel `{}`: {e}", kernel.name)))?;
        *lock(&self.shared.counts).entry(kernel.name.clone()).or_default() += counts;
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// A tensor map of the runtime as one of the machine.
fn translate(map: &runtime::TensorMap) -> exec::TensorMap {
    exec::TensorMap {
        address: map.address.get(),
        element: map.element.bytes() as u8,
        sizes: map.sizes.clone(),
        strides: map.strides.clone(),
        tile: map.tile.clone(),
        swizzle: match map.swizzle {
            artifact::Swizzle::None => exec::Swizzle::None,
            artifact::Swizzle::B32 => exec::Swizzle::B32,
            artifact::Swizzle::B64 => exec::Swizzle::B64,
            artifact::Swizzle::B128 => exec::Swizzle::B128,
        },
        rounds: map.element == MapElement::Tf32,
    }
}
