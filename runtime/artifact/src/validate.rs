//! Checks that every index of an artifact is in range and that every table makes sense.
//!
//! What depends on the values of symbols (sizes of views, bounds of offsets) is checked by the runtime.

use crate::{Artifact, CodeId, Error, Kernels, Manifest, Place, Port, Signature, Variant};
use tensor::{Dim, Symbol};

mod program;

type Check = Result<(), String>;

/// Longer expressions are refused: nothing that a compiler writes comes near.
const MAX_EXPR: usize = 1 << 16;

fn ensure(fact: bool, message: impl FnOnce() -> String) -> Check {
    if fact { Ok(()) } else { Err(message()) }
}

fn in_range(what: &str, idx: usize, len: usize) -> Check {
    ensure(idx < len, || format!("{what} {idx} does not exist, there are {len}"))
}

/// Checks the whole artifact.
pub(crate) fn artifact(artifact: &Artifact) -> Result<(), Error> {
    let signatures = artifact.manifest.inputs.iter().chain(&artifact.manifest.outputs);
    signatures.map(signature).collect::<Result<Vec<()>, _>>().map_err(Error::Invalid)?;
    ranges(&artifact.manifest).map_err(Error::Invalid)?;
    for found in &artifact.variants {
        variant(artifact, found).map_err(|why| Error::Invalid(format!("variant `{}`: {why}", found.target)))?;
    }
    Ok(())
}

fn ranges(manifest: &Manifest) -> Check {
    for found in &manifest.ranges {
        let is_extent = manifest.inputs.iter().any(|input| input.shape.contains(&found.symbol));
        ensure(is_symbol(&found.symbol) && is_extent, || {
            format!("no input has the extent `{}`, which has a range", found.symbol)
        })?;
        let is_range = found.low >= 0 && found.high.is_none_or(|high| high >= found.low);
        ensure(is_range, || format!("`{}` has the range {}", found.symbol, found.range()))?;
    }
    Ok(())
}

fn signature(port: &Signature) -> Check {
    for extent in &port.shape {
        expression(extent)?;
    }
    Ok(())
}

fn expression(text: &str) -> Result<Dim, String> {
    ensure(text.len() <= MAX_EXPR, || format!("an expression of {} characters", text.len()))?;
    text.parse().map_err(|e: tensor::DimSyntaxError| e.to_string())
}

fn variant(artifact: &Artifact, variant: &Variant) -> Check {
    kernels(artifact, variant)?;
    let program = &variant.program;
    program::program(artifact, variant)?;
    ports("input", &artifact.manifest.inputs, &program.inputs, variant, Place::Input)?;
    ports("output", &artifact.manifest.outputs, &program.outputs, variant, Place::Output)
}

fn ports(what: &str, signatures: &[Signature], ports: &[Port], variant: &Variant, place: fn(u32) -> Place) -> Check {
    ensure(signatures.len() == ports.len(), || {
        format!("{} {what}s, but the manifest says {}", ports.len(), signatures.len())
    })?;
    for (idx, (signature, port)) in signatures.iter().zip(ports).enumerate() {
        let view = &variant.program.views[port.view.idx()];
        let same =
            port.name == signature.name && view.dtype == signature.dtype && view.shape.len() == signature.shape.len();
        ensure(same, || format!("{what} `{}` differs from `{signature}` of the manifest", port.name))?;
        let buffer = &variant.program.buffers[view.buffer.idx()];
        let at_start = variant.program.exprs[view.offset.idx()] == "0";
        ensure(at_start && buffer.place == place(idx as u32), || {
            format!("{what} `{}` is not the start of a buffer of its own", port.name)
        })?;
    }
    Ok(())
}

fn kernels(artifact: &Artifact, variant: &Variant) -> Check {
    let code = |id: &CodeId| {
        let found = artifact.code.get(id.idx());
        found.ok_or_else(|| format!("code {} does not exist, there are {}", id.0, artifact.code.len()))
    };
    match &variant.kernels {
        Kernels::Host { units, kernels } => {
            ensure(variant.target.starts_with("host:"), || "host kernels for another target".into())?;
            for unit in units {
                let len = code(&unit.code)?.len();
                for import in &unit.imports {
                    let slot = import.slot as usize;
                    ensure(slot.is_multiple_of(8) && slot + 8 <= len, || {
                        format!("import `{}` has no slot", import.name)
                    })?;
                }
            }
            for kernel in kernels {
                in_range("unit", kernel.unit as usize, units.len())?;
                let len = code(&units[kernel.unit as usize].code)?.len();
                in_range("entry", kernel.entry as usize, len)?;
            }
        }
        Kernels::Ptx { units, kernels } => {
            ensure(variant.target.starts_with("nvptx:"), || "PTX kernels for another target".into())?;
            for unit in units {
                let text = std::str::from_utf8(code(unit)?).map_err(|_| "PTX that is not text".to_string())?;
                ensure(!text.contains('\0'), || "PTX with a zero byte".into())?;
            }
            for kernel in kernels {
                in_range("unit", kernel.unit as usize, units.len())?;
                let name_ok = !kernel.entry.is_empty() && !kernel.entry.contains('\0');
                ensure(name_ok, || "a kernel without an entry".into())?;
                let block_ok = (1..=1024).contains(&kernel.block) && kernel.tasks_per_block > 0;
                ensure(block_ok, || format!("kernel `{}` has a bad block size", kernel.name))?;
            }
        }
    }
    Ok(())
}

/// Whether a name is one that a dimension expression can mention.
fn is_symbol(name: &str) -> bool {
    Symbol::new(name).name() == name
}
