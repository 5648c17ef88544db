//! The machine: memory, loaded modules, launches.

use crate::code::Code;
use crate::decode::{Symbol, Symbols, decode};
use crate::error::Error;
use crate::exec::{self, Counts, Launch, Options};
use crate::memory::Heap;
use crate::text::{Array, Initial, Space, parse};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Threads of a block at most.
const MAX_THREADS: u64 = 1024;

/// Shared memory of a block at most: 227 KiB.
const MAX_SHARED: u64 = 227 << 10;

/// A loaded module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleId(usize);

/// The extents of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks.
    pub blocks: [u32; 3],
    /// Threads of a block.
    pub threads: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: u32,
    /// Blocks of a cluster; a kernel that says `.reqnctapercluster` overrides it.
    pub cluster: [u32; 3],
}

impl Grid {
    /// So many blocks of so many threads in a line.
    pub fn line(blocks: u32, threads: u32) -> Self {
        Grid { blocks: [blocks, 1, 1], threads: [threads, 1, 1], shared: 0, cluster: [1; 3] }
    }
}

/// A simulated GPU.
///
/// ```
/// use ptx_sim::{Grid, Machine, Options};
/// let text = "
///     .version 7.8
///     .target sm_80
///     .address_size 64
///     .visible .entry twice(.param .u64 data) {
///         .reg .b32 %r<3>; .reg .b64 %rd<4>;
///         ld.param.u64 %rd1, [data];
///         mov.u32 %r1, %tid.x;
///         mul.wide.u32 %rd2, %r1, 4;
///         add.s64 %rd3, %rd1, %rd2;
///         ld.global.u32 %r2, [%rd3];
///         add.u32 %r2, %r2, %r2;
///         st.global.u32 [%rd3], %r2;
///         ret;
///     }";
/// let mut machine = Machine::new(Options::default());
/// let module = machine.load(text)?;
/// let data = machine.alloc(8)?;
/// machine.write(data, &[1, 0, 0, 0, 21, 0, 0, 0])?;
/// machine.launch(module, "twice", Grid::line(1, 2), &data.to_le_bytes())?;
/// assert_eq!(machine.read(data, 8)?, [2, 0, 0, 0, 42, 0, 0, 0]);
/// # Ok::<(), ptx_sim::Error>(())
/// ```
pub struct Machine {
    options: Options,
    heap: Heap,
    modules: Vec<BTreeMap<String, Arc<Code>>>,
}

impl Machine {
    /// A machine without anything in its memory.
    pub fn new(options: Options) -> Self {
        Machine { heap: Heap::new(options.memory, options.sanitize), options, modules: vec![] }
    }

    /// Parses a PTX text, checks that all of it is known, and places its variables.
    pub fn load(&mut self, text: &str) -> Result<ModuleId, Error> {
        let module = parse(text)?;
        let mut symbols = Symbols { known: BTreeMap::new(), shared_bytes: 0, dynamic: vec![] };
        for variable in &module.variables {
            self.place(variable, &mut symbols)?;
        }
        for variable in &module.variables {
            self.fill(variable, &symbols)?;
        }
        let text: Arc<str> = text.into();
        let mut kernels = BTreeMap::new();
        for function in module.functions.iter().filter(|function| function.is_entry) {
            kernels.insert(function.name.clone(), Arc::new(decode(function, &symbols, &text)?));
        }
        self.modules.push(kernels);
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn place(&mut self, variable: &Array, symbols: &mut Symbols) -> Result<(), Error> {
        let address = match variable.space {
            Space::Shared if variable.is_dynamic => {
                symbols.dynamic.push((variable.name.clone(), variable.align));
                return Ok(());
            }
            Space::Shared => {
                let at = symbols.shared_bytes.next_multiple_of(variable.align.max(1));
                symbols.shared_bytes = at + variable.bytes;
                at
            }
            _ => self.heap.alloc(variable.bytes)?,
        };
        symbols.known.insert(variable.name.clone(), Symbol { address });
        Ok(())
    }

    /// Writes what a variable holds at the beginning; without an initializer it is zero.
    fn fill(&mut self, variable: &Array, symbols: &Symbols) -> Result<(), Error> {
        if variable.space == Space::Shared {
            return Ok(());
        }
        let mut bytes = vec![];
        for initial in &variable.initial {
            match initial {
                Initial::Bytes(part) => bytes.extend_from_slice(part),
                Initial::Symbol(name) => {
                    let symbol = symbols.known.get(name);
                    let symbol = symbol.ok_or_else(|| Error::Launch(format!("there is no variable `{name}`")))?;
                    bytes.extend_from_slice(&symbol.address.to_le_bytes());
                }
            }
        }
        bytes.resize(variable.bytes as usize, 0);
        self.write(symbols.known[&variable.name].address, &bytes)
    }

    /// The kernels of a module, by name.
    pub fn kernels(&self, module: ModuleId) -> Vec<&str> {
        self.modules[module.0].keys().map(String::as_str).collect()
    }

    /// New global memory, at a multiple of 256. Nothing is written there yet.
    pub fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.heap.alloc(bytes)
    }

    /// Gives global memory back.
    pub fn free(&mut self, address: u64) {
        self.heap.free(address);
    }

    /// Writes global memory from the host.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.heap.put(address, bytes).ok_or_else(|| outside(address, bytes.len()))
    }

    /// Reads global memory from the host.
    pub fn read(&self, address: u64, bytes: usize) -> Result<&[u8], Error> {
        if bytes == 0 {
            return Ok(&[]);
        }
        self.heap.get(address, bytes).ok_or_else(|| outside(address, bytes))
    }

    /// Copies within global memory.
    pub fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        if bytes == 0 {
            return Ok(());
        }
        self.heap.copy(from, to, bytes).ok_or_else(|| outside(from, bytes))
    }

    /// Runs a kernel with the bytes of its parameters.
    pub fn launch(&mut self, module: ModuleId, kernel: &str, grid: Grid, params: &[u8]) -> Result<Counts, Error> {
        self.launch_within(module, kernel, grid, params, vec![])
    }

    /// Runs a kernel that may touch only some ranges of global memory; with none, every allocation.
    pub fn launch_within(
        &mut self,
        module: ModuleId,
        kernel: &str,
        grid: Grid,
        params: &[u8],
        allowed: Vec<Range<u64>>,
    ) -> Result<Counts, Error> {
        let code = self.modules.get(module.0).and_then(|kernels| kernels.get(kernel));
        let code = code.ok_or_else(|| Error::Launch(format!("there is no kernel `{kernel}`")))?.clone();
        let cluster = code.cluster.unwrap_or(grid.cluster);
        let wrong = |why: String| Err(Error::Launch(format!("kernel `{kernel}` cannot be launched: {why}")));
        if let Some(why) = misfit(&code, grid, cluster, params.len() as u64) {
            return wrong(why);
        }
        let launch = Launch {
            code,
            grid: grid.blocks,
            block: grid.threads,
            cluster,
            dynamic_shared: grid.shared,
            params: params.to_vec(),
        };
        self.heap.allowed = allowed;
        let counts = exec::run(&launch, &mut self.heap, &self.options);
        self.heap.allowed = vec![];
        counts
    }
}

fn outside(address: u64, bytes: usize) -> Error {
    Error::Launch(format!("{bytes} bytes at {address:#x} are in no allocation"))
}

/// Why a launch cannot be, if it cannot.
fn misfit(code: &Code, grid: Grid, cluster: [u32; 3], params: u64) -> Option<String> {
    let volume = |extents: [u32; 3]| extents.iter().map(|n| u64::from(*n)).product::<u64>();
    let threads = volume(grid.threads);
    if volume(grid.blocks) == 0 || threads == 0 || volume(cluster) == 0 {
        return Some("an extent is zero".into());
    }
    if threads > MAX_THREADS {
        return Some(format!("{threads} threads in a block, at most {MAX_THREADS} fit"));
    }
    if let Some(required) = code.required_threads.filter(|required| *required != grid.threads) {
        return Some(format!("blocks of {:?} threads, it says .reqntid {required:?}", grid.threads));
    }
    if let Some(most) = code.max_threads.filter(|most| volume(*most) < threads) {
        return Some(format!("{threads} threads in a block, it says .maxntid {most:?}"));
    }
    if (0..3).any(|axis| !grid.blocks[axis].is_multiple_of(cluster[axis])) || volume(cluster) > 16 {
        return Some(format!("{:?} blocks in clusters of {cluster:?}", grid.blocks));
    }
    let shared = code.shared_bytes + u64::from(grid.shared);
    if shared > MAX_SHARED {
        return Some(format!("{shared} bytes of shared memory, at most {MAX_SHARED} fit"));
    }
    if params < code.param_bytes {
        return Some(format!("{params} bytes of parameters, it takes {}", code.param_bytes));
    }
    None
}
