//! Statements to operations. One file for each family of instructions; what none of them knows is an error.

mod arith;
mod bits;
mod compare;
mod control;
mod convert;
mod copies;
mod floats;
mod halves;
mod matrix;
mod memory;
mod moves;
mod operands;
mod packed;
mod warp;
mod wgmma;
mod words;

use crate::code::{Code, Guard, Instruction, LaneMask, Op, Slot, Special};
use crate::error::Error;
use crate::row::MapFn;
use crate::text::{Array, Function, Operand, Space, Statement};
pub(crate) use floats::extreme;
use std::collections::BTreeMap;
use std::sync::Arc;
use words::Words;

/// Where a variable of the module or of a function lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    pub(crate) address: u64,
}

/// Symbols of a module, and what its shared variables take.
pub(crate) struct Symbols {
    pub(crate) known: BTreeMap<String, Symbol>,
    pub(crate) shared_bytes: u64,
    /// Dynamic shared variables with their alignment.
    pub(crate) dynamic: Vec<(String, u64)>,
}

/// Registers of a kernel at most, constants included: 256 bytes each for a warp.
const MOST_SLOTS: u32 = 1 << 16;

/// Local memory of a thread at most.
const MOST_LOCAL: u64 = 512 << 10;

/// Decodes one function.
pub(crate) fn decode(function: &Function, symbols: &Symbols, text: &Arc<str>) -> Result<Code, Error> {
    let mut decoder = Decoder::new(function, symbols);
    for statement in &function.body {
        decoder.starts.push(decoder.code.len());
        decoder.statement(statement)?;
    }
    decoder.starts.push(decoder.code.len());
    let last = function.body.last().map_or(1, |statement| statement.line);
    decoder.code.push(Instruction { op: Op::Exit, guard: None, line: last });
    decoder.resolve();
    if decoder.slots > MOST_SLOTS || decoder.local_bytes > MOST_LOCAL {
        let why = format!(
            "kernel `{}` has {} registers and {} bytes of local memory",
            function.name, decoder.slots, decoder.local_bytes
        );
        return Err(Error::Launch(format!("{why}, which is more than can be")));
    }
    Ok(Code {
        name: function.name.clone(),
        instructions: decoder.code,
        slots: decoder.slots,
        constants: decoder.constants.into_iter().map(|(value, slot)| (slot, value)).collect(),
        specials: decoder.specials.into_iter().map(|(special, slot)| (slot, special)).collect(),
        param_bytes: function.param_bytes,
        shared_bytes: decoder.shared_bytes,
        local_bytes: decoder.local_bytes,
        max_threads: function.max_threads,
        required_threads: function.required_threads,
        cluster: function.cluster,
        has_products: decoder.has_products,
        text: text.clone(),
    })
}

/// The state of decoding one function.
pub(crate) struct Decoder<'a> {
    function: &'a Function,
    symbols: BTreeMap<String, Symbol>,
    code: Vec<Instruction>,
    /// The first operation of each statement.
    starts: Vec<usize>,
    slots: u32,
    constants: BTreeMap<u64, Slot>,
    specials: BTreeMap<Special, Slot>,
    shared_bytes: u64,
    local_bytes: u64,
    guard: Option<Guard>,
    /// The carry of `add.cc`, when there is one.
    carry: Option<Slot>,
    /// Which round of the cluster's barrier a thread is in.
    cluster_round: Option<Slot>,
    has_products: bool,
}

impl<'a> Decoder<'a> {
    fn new(function: &'a Function, symbols: &Symbols) -> Self {
        let mut known = symbols.known.clone();
        let (mut shared, mut local) = (symbols.shared_bytes, 0);
        let mut dynamic = symbols.dynamic.clone();
        for param in &function.params {
            known.insert(param.name.clone(), Symbol { address: param.offset });
        }
        for Array { name, space, align, bytes, is_dynamic, .. } in &function.variables {
            let end = match space {
                Space::Shared if *is_dynamic => {
                    dynamic.push((name.clone(), *align));
                    continue;
                }
                Space::Local => &mut local,
                _ => &mut shared,
            };
            let address = end.next_multiple_of((*align).max(1));
            *end = address + bytes;
            known.insert(name.clone(), Symbol { address });
        }
        let align = dynamic.iter().map(|(_, align)| *align).max().unwrap_or(16).max(16);
        let base = shared.next_multiple_of(align);
        for (name, _) in dynamic {
            known.insert(name, Symbol { address: base });
        }
        Decoder {
            function,
            symbols: known,
            code: vec![],
            starts: vec![],
            slots: function.scopes.slots,
            constants: BTreeMap::new(),
            specials: BTreeMap::new(),
            shared_bytes: base,
            local_bytes: local,
            guard: None,
            carry: None,
            cluster_round: None,
            has_products: false,
        }
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), Error> {
        let mut view = View { statement, words: Words::new(&statement.name[1..]) };
        self.guard = match &statement.guard {
            None => None,
            Some((name, is_negated)) => {
                let register = self.function.scopes.find(statement.scope, name);
                let register = register.ok_or_else(|| view.unknown(format!("there is no register `{name}`")))?;
                Some(Guard { slot: register.slot, is_negated: *is_negated })
            }
        };
        self.family(&mut view)?;
        view.words.finish().map_err(|word| view.unknown(format!("modifier `.{word}`")))
    }

    fn family(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        match view.head() {
            "mov" | "cvta" | "selp" | "slct" | "isspacep" | "mapa" | "getctarank" | "prmt" => self.moves(view),
            "add" | "sub" | "mul" | "mad" | "div" | "rem" | "abs" | "neg" | "min" | "max" | "fma" | "addc" | "subc"
            | "madc" | "sad" | "mul24" | "mad24" => self.arithmetic(view),
            "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "ex2" | "lg2" | "tanh" | "copysign" | "testp" => {
                self.float_function(view)
            }
            "and" | "or" | "xor" | "not" | "cnot" | "lop3" | "shl" | "shr" | "shf" | "bfe" | "bfi" | "bfind"
            | "brev" | "popc" | "clz" | "bmsk" | "szext" | "fns" | "dp4a" | "dp2a" => self.bit_function(view),
            "setp" | "set" => self.comparison(view),
            "cvt" => self.conversion(view),
            "ld" | "ldu" | "st" | "atom" | "red" | "prefetch" | "prefetchu" | "discard" | "applypriority"
            | "createpolicy" => self.memory(view),
            "bra" | "brx" | "ret" | "exit" | "trap" | "brkpt" | "nanosleep" | "pmevent" | "" | "griddepcontrol"
            | "setmaxnreg" | "membar" | "fence" => self.control(view),
            "bar" | "barrier" | "shfl" | "vote" | "match" | "redux" | "elect" | "activemask" => self.warp(view),
            "cp" | "mbarrier" => self.copies(view),
            "wgmma" => self.wgmma(view),
            "ldmatrix" | "stmatrix" | "mma" | "movmatrix" => self.matrix(view),
            _ => Err(view.unknown("instruction")),
        }
    }

    /// Gives branches, which hold the index of a statement, the index of an operation.
    fn resolve(&mut self) {
        for instruction in &mut self.code {
            match &mut instruction.op {
                Op::Branch(target) => *target = self.starts[*target],
                Op::BranchIndexed { targets, .. } => {
                    targets.iter_mut().for_each(|target| *target = self.starts[*target]);
                }
                _ => {}
            }
        }
    }

    /// Adds an operation under the statement's guard.
    fn push(&mut self, view: &View<'_>, op: Op) {
        self.code.push(Instruction { op, guard: self.guard, line: view.statement.line });
    }

    /// Adds a function of up to four registers.
    fn push_map(&mut self, view: &View<'_>, f: MapFn, to: Slot, from: &[Slot]) {
        let mut slots = [from.first().copied().unwrap_or(to); 4];
        slots[..from.len()].copy_from_slice(from);
        self.push(view, Op::Map { f, to, from: slots });
    }

    /// A new register that no text names.
    fn temporary(&mut self) -> Slot {
        self.slots += 1;
        self.slots - 1
    }

    /// The register of a constant.
    fn constant(&mut self, value: u64) -> Slot {
        if let Some(slot) = self.constants.get(&value) {
            return *slot;
        }
        let slot = self.temporary();
        self.constants.insert(value, slot);
        slot
    }

    fn carry(&mut self) -> Slot {
        let slot = self.carry.unwrap_or_else(|| self.temporary());
        self.carry = Some(slot);
        slot
    }

    fn cluster_round(&mut self) -> Slot {
        let slot = self.cluster_round.unwrap_or_else(|| self.temporary());
        self.cluster_round = Some(slot);
        slot
    }

    fn special(&mut self, special: Special) -> Slot {
        if let Some(slot) = self.specials.get(&special) {
            return *slot;
        }
        let slot = self.temporary();
        self.specials.insert(special, slot);
        slot
    }
}

/// A statement with the modifiers that are not used yet.
pub(crate) struct View<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) words: Words<'a>,
}

impl<'a> View<'a> {
    /// The first part of the mnemonic.
    pub(crate) fn head(&self) -> &'a str {
        &self.statement.name[0]
    }

    /// The error of what is not known about it.
    pub(crate) fn unknown(&self, why: impl Into<String>) -> Error {
        Error::Unknown { line: self.statement.line, instruction: self.statement.name.join("."), why: why.into() }
    }

    /// An operand.
    pub(crate) fn operand(&self, at: usize) -> Result<&'a Operand, Error> {
        self.statement.operands.get(at).ok_or_else(|| self.unknown(format!("operand {} is missing", at + 1)))
    }

    /// How many operands there are.
    pub(crate) fn count(&self) -> usize {
        self.statement.operands.len()
    }

    /// Fails unless there are so many operands.
    pub(crate) fn exactly(&self, n: usize) -> Result<(), Error> {
        if self.count() == n {
            return Ok(());
        }
        Err(self.unknown(format!("{} operands instead of {n}", self.count())))
    }
}

/// The special register of a name without its `%`.
fn special_named(name: &str) -> Option<Special> {
    let (stem, axis) = match name.rsplit_once('.') {
        Some((stem, "x")) => (stem, 0),
        Some((stem, "y")) => (stem, 1),
        Some((stem, "z")) => (stem, 2),
        Some(_) => return None,
        None => (name, 3),
    };
    Some(match (stem, axis) {
        ("tid", 0..3) => Special::Tid(axis),
        ("ntid", 0..3) => Special::Ntid(axis),
        ("ctaid", 0..3) => Special::Ctaid(axis),
        ("nctaid", 0..3) => Special::Nctaid(axis),
        ("clusterid", 0..3) => Special::ClusterId(axis),
        ("nclusterid", 0..3) => Special::NclusterId(axis),
        ("cluster_ctaid", 0..3) => Special::ClusterCtaid(axis),
        ("cluster_nctaid", 0..3) => Special::ClusterNctaid(axis),
        ("cluster_ctarank", 3) => Special::ClusterCtarank,
        ("cluster_nctarank", 3) => Special::ClusterNctarank,
        ("is_explicit_cluster", 3) => Special::IsExplicitCluster,
        ("laneid", 3) => Special::LaneId,
        ("warpid", 3) => Special::WarpId,
        ("nwarpid", 3) => Special::NwarpId,
        ("lanemask_eq", 3) => Special::LaneMask(LaneMask::Equal),
        ("lanemask_le", 3) => Special::LaneMask(LaneMask::AtMost),
        ("lanemask_lt", 3) => Special::LaneMask(LaneMask::Below),
        ("lanemask_ge", 3) => Special::LaneMask(LaneMask::AtLeast),
        ("lanemask_gt", 3) => Special::LaneMask(LaneMask::Above),
        ("smid" | "gridid", 3) => Special::Zero,
        ("nsmid", 3) => Special::One,
        ("dynamic_smem_size", 3) => Special::DynamicSharedSize,
        ("total_smem_size", 3) => Special::TotalSharedSize,
        _ => return None,
    })
}
