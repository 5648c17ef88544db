//! What the machine does, on PTX written by hand.

mod arithmetic;
mod async_proxy;
mod faults;
mod hostile;
mod matrix;
mod memory;
mod parsing;
mod throughput;
mod warps;

use crate::{Counts, Error, FaultKind, Grid, Machine, Options};

/// The beginning of every text.
pub(crate) const HEADER: &str = ".version 8.4\n.target sm_90a\n.address_size 64\n";

/// A kernel of a body, with the address of its data in `%d` and `%tid.x` in `%t`.
pub(crate) fn kernel(body: &str) -> String {
    format!(
        "{HEADER}.visible .entry k(.param .u64 data)\n{{\n.reg .b64 %d, %a<20>; .reg .b32 %t, %r<60>; .reg .b16 %h<20>;\n\
         .reg .pred %p<10>; .reg .b64 %w<20>;\nld.param.u64 %d, [data];\nmov.u32 %t, %tid.x;\n{body}\nret;\n}}\n"
    )
}

/// A machine whose options a test chooses, with a kernel and `bytes` of data.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) data: u64,
    bytes: usize,
    module: crate::ModuleId,
}

impl Bench {
    pub(crate) fn new(options: Options, text: &str, bytes: usize) -> Self {
        let mut machine = Machine::new(options);
        let module = machine.load(text).unwrap();
        let data = machine.alloc(bytes as u64).unwrap();
        Bench { machine, data, bytes, module }
    }

    pub(crate) fn write(&mut self, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.machine.write(self.data, &bytes).unwrap();
    }

    pub(crate) fn run(&mut self, grid: Grid) -> Result<Counts, Error> {
        self.machine.launch(self.module, "k", grid, &self.data.to_le_bytes())
    }

    pub(crate) fn words(&self) -> Vec<u32> {
        let bytes = self.machine.read(self.data, self.bytes).unwrap();
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    }
}

/// Runs a body on one block; gives the words of the data afterwards.
pub(crate) fn results(body: &str, threads: u32, data: &[u32]) -> Vec<u32> {
    let mut bench = Bench::new(Options::default(), &kernel(body), 4 * data.len());
    bench.write(data);
    bench.run(Grid::line(1, threads)).unwrap();
    bench.words()
}

/// Runs a body that must fail, with all checks on.
pub(crate) fn fault(body: &str, threads: u32, words: usize) -> crate::Fault {
    fault_of(&kernel(body), Grid::line(1, threads), words)
}

/// Runs a text that must fail, with all checks on.
pub(crate) fn fault_of(text: &str, grid: Grid, words: usize) -> crate::Fault {
    let options = Options { sanitize: true, ..Options::default() };
    let mut bench = Bench::new(options, text, 4 * words);
    bench.write(&vec![7; words]);
    match bench.run(grid) {
        Err(Error::Fault(fault)) => *fault,
        other => panic!("a fault was expected, not {other:?}"),
    }
}

/// Runs a body that must pass with all checks on, for several seeds; the words must always be the same.
pub(crate) fn clean(body: &str, threads: u32, data: &[u32]) -> Vec<u32> {
    let mut all = (0..8).map(|seed| {
        let options = Options { sanitize: true, seed, ..Options::default() };
        let mut bench = Bench::new(options, &kernel(body), 4 * data.len());
        bench.write(data);
        bench.run(Grid::line(1, threads)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        bench.words()
    });
    let first = all.next().unwrap();
    assert!(all.all(|words| words == first));
    first
}

#[test]
fn faults_have_a_class() {
    assert_eq!(FaultKind::Race.to_string(), "race");
}
