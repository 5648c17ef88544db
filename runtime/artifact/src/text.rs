//! The printed form of an artifact: what it is, its weights, and the program of each variant with memory and steps.
//!
//! ```text
//! artifact "g" : tenfold 0.1.0, numerics strict
//!   input "x" : f32[N]
//!   output "y" : f32[N]
//!   range N : 1.. assumed, "batch"
//!   weight w0 : f32, 4096 bytes, "conv1.weight"
//! variant "nvptx:sm_90a"
//!   kernel k0 tanh : PTX of 2311 bytes, 256 threads a block for 256 tasks
//!   buffer b0 : 4*N bytes, input 0
//!   buffer b1 : 4*N bytes, output 0
//!   view %0 : f32[N] = b0
//!   view %1 : f32[N] = b1
//!   launch k0 tanh(%0, %1) dims [N] tasks N // "/act/Tanh"
//! ```
//! It is made for reading, and nothing parses it. Numbers are those of the tables.

use crate::{Artifact, CodeId, DimId, Kernels, Place, Program, Variant};
use std::fmt::{self, Display, Formatter};

mod steps;

impl Display for Artifact {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let manifest = &self.manifest;
        writeln!(f, "artifact {:?} : {}, numerics {}", manifest.model, manifest.producer, manifest.numerics)?;
        for (what, ports) in [("input", &manifest.inputs), ("output", &manifest.outputs)] {
            for port in ports {
                writeln!(f, "  {what} {:?} : {}[{}]", port.name, port.dtype, port.shape.join(","))?;
            }
        }
        for range in &manifest.ranges {
            let assumed = if range.is_assumed { " assumed" } else { "" };
            writeln!(f, "  range {} : {}{assumed}, {:?}", range.symbol, range.range(), range.name)?;
        }
        for (at, weight) in self.weights.iter().enumerate() {
            write!(f, "  weight w{at} : {}, {} bytes", weight.dtype, weight.data.len())?;
            match &*weight.name {
                "" => writeln!(f)?,
                name => writeln!(f, ", {name:?}")?,
            }
        }
        self.variants.iter().try_for_each(|variant| print_variant(self, variant, f))
    }
}

fn print_variant(artifact: &Artifact, variant: &Variant, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "variant {:?}", variant.target)?;
    print_kernels(artifact, &variant.kernels, f)?;
    let program = &variant.program;
    for (at, buffer) in program.buffers.iter().enumerate() {
        writeln!(f, "  buffer b{at} : {} bytes, {}", dim(program, buffer.bytes), place(buffer.place))?;
    }
    for (at, view) in program.views.iter().enumerate() {
        let shape: Vec<&str> = view.shape.iter().map(|d| dim(program, *d)).collect();
        write!(f, "  view %{at} : {}[{}] = b{}", view.dtype, shape.join(","), view.buffer.0)?;
        match dim(program, view.offset) {
            "0" => writeln!(f)?,
            offset => writeln!(f, " from byte {offset}")?,
        }
    }
    for (what, ports) in [("input", &program.inputs), ("output", &program.outputs)] {
        for port in ports {
            writeln!(f, "  {what} {:?} = %{}", port.name, port.view.0)?;
        }
    }
    let printer = steps::Printer { program, kernels: &variant.kernels };
    printer.block(Program::ENTRY, "  ", f)
}

fn print_kernels(artifact: &Artifact, kernels: &Kernels, f: &mut Formatter<'_>) -> fmt::Result {
    let bytes = |code: CodeId| artifact.code.get(code.idx()).map_or(0, bytes::Bytes::len);
    match kernels {
        Kernels::Host { units, kernels } => {
            for (at, kernel) in kernels.iter().enumerate() {
                let Some(unit) = units.get(kernel.unit as usize) else { continue };
                write!(
                    f,
                    "  kernel k{at} {} : code of {} bytes, entry {}",
                    kernel.name,
                    bytes(unit.code),
                    kernel.entry
                )?;
                let imports: Vec<&str> = unit.imports.iter().map(|import| &*import.name).collect();
                if !imports.is_empty() {
                    write!(f, ", calls {}", imports.join(", "))?;
                }
                writeln!(f)?;
            }
        }
        Kernels::Ptx { units, kernels } => {
            for (at, kernel) in kernels.iter().enumerate() {
                let size = units.get(kernel.unit as usize).map_or(0, |code| bytes(*code));
                write!(f, "  kernel k{at} {} : PTX of {size} bytes", kernel.name)?;
                write!(f, ", {} threads a block for {} tasks", kernel.block, kernel.tasks_per_block)?;
                match kernel.shared {
                    0 => writeln!(f)?,
                    shared => writeln!(f, ", {shared} bytes of shared memory")?,
                }
            }
        }
    }
    Ok(())
}

/// An expression; what is printed need not be valid.
fn dim(program: &Program, id: DimId) -> &str {
    program.exprs.get(id.idx()).map_or("?", String::as_str)
}

fn place(place: Place) -> String {
    match place {
        Place::Arena => "arena".into(),
        Place::Weight(id) => format!("weight w{}", id.0),
        Place::Input(at) => format!("input {at}"),
        Place::Output(at) => format!("output {at}"),
    }
}
