//! `tenfold doctor`: what was found on this machine, and why a device is not used.

use crate::args::DeviceArgs;
use crate::cache::State;
use crate::verbs::cache::OFF;
use crate::{Failure, output};
use clap::Args;
use cuda::Cuda;
use driver::Target;
use serde_json::{Value, json};
use tenfold_run::DeviceSpec;
use tenfold_run::device::SIM_CAPABILITY;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// Print for a machine
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A GPU that can be used, or the reason why not.
type Gpu = Result<cuda::Info, String>;

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let gpus = gpus();
    if verb.json {
        output::line(to_json(&gpus));
    } else {
        print(&gpus);
    }
    if let DeviceSpec::Cuda(ordinal) = verb.device.spec()? {
        Cuda::new(ordinal)?;
    }
    Ok(())
}

fn gpus() -> Vec<Gpu> {
    match Cuda::count() {
        Ok(n) => {
            (0..n).map(|ordinal| Cuda::new(ordinal).map(|gpu| gpu.info().clone()).map_err(|e| e.to_string())).collect()
        }
        Err(e) => vec![Err(e.to_string())],
    }
}

fn llvm() -> String {
    let (major, minor, patch) = driver::llvm_version();
    format!("{major}.{minor}.{patch}")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn target_of(info: &cuda::Info) -> Option<String> {
    Target::for_gpu(info.capability).map(|target| target.name())
}

/// What `--device` takes for each GPU that the simulator plays.
fn sim_devices() -> Vec<String> {
    let names = Target::names();
    names.iter().filter_map(|name| Some(format!("sim:{}", name.strip_prefix("nvptx:")?))).collect()
}

fn print(gpus: &[Gpu]) {
    output::line(format!(
        "tenfold      {}, artifacts of format version {}",
        env!("CARGO_PKG_VERSION"),
        artifact::FORMAT_VERSION
    ));
    output::line(format!("LLVM         {} (linked in)", llvm()));
    output::line(format!("opset        up to {}", import_onnx::NEWEST_OPSET));
    output::line(format!("host         {} cores, {}", cores(), Target::host().name()));
    for gpu in gpus {
        match gpu {
            Ok(info) => output::line(format!(
                "cuda:{}       {}, compute capability {}.{}, {:.1} GiB, driver for CUDA {}.{}, {}",
                info.ordinal,
                info.name,
                info.capability / 10,
                info.capability % 10,
                info.memory as f64 / f64::from(1 << 30),
                info.driver / 1000,
                info.driver % 1000 / 10,
                target_of(info).map_or("but nothing can be compiled for it".into(), |name| format!(
                    "used by --device cuda:{} as {name}",
                    info.ordinal
                )),
            )),
            Err(why) => output::line(format!("cuda         not used: {why}")),
        }
    }
    if gpus.is_empty() {
        output::line("cuda         not used: the driver works, but there is no GPU");
    }
    output::line(format!(
        "sim          PTX on the processor: --device sim, or sim:sm_NN for another GPU than sm_{SIM_CAPABILITY}; run has --sanitize",
    ));
    let cache = State::of(None).map_or(OFF.into(), |state| state.text());
    output::line(format!("cache        {cache}"));
    output::line(format!("targets      {}", Target::names().join(" ")));
}

fn to_json(gpus: &[Gpu]) -> Value {
    let gpu = |gpu: &Gpu| match gpu {
        Ok(info) => json!({
            "ordinal": info.ordinal, "name": info.name, "capability": info.capability, "memory": info.memory,
            "driver": info.driver, "target": target_of(info),
        }),
        Err(why) => json!({"problem": why}),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "format": artifact::FORMAT_VERSION,
        "llvm": llvm(),
        "newest_opset": import_onnx::NEWEST_OPSET,
        "host": {"cores": cores(), "target": Target::host().name()},
        "gpus": gpus.iter().map(gpu).collect::<Vec<_>>(),
        "sim": {"plays": format!("sm_{SIM_CAPABILITY}"), "devices": sim_devices()},
        "cache": State::of(None).map(|state| state.json()),
        "targets": Target::names(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_simulated_device_can_be_asked_for() {
        for device in sim_devices() {
            assert!(matches!(device.parse(), Ok(DeviceSpec::Sim { .. })), "{device}");
        }
    }
}
