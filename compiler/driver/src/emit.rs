//! Kernels to code, by way of the cache.

use crate::assemble::pack;
use crate::files::dump;
use crate::{CacheUse, Error, Options, Phase, Target, cache};
use artifact::Artifact;
use codegen::Source;

/// An error of code generation: time that was up, or a bug of ours.
pub(crate) fn emit_error(error: codegen::Error, options: &Options) -> Error {
    match error {
        codegen::Error::Stopped { done, of } => options.late(Phase::Emit, done, of),
        other => Error::bug("emit", other),
    }
}

/// Compiles the kernels of one target, and adds their code to the artifact.
pub(crate) fn emit(
    target: &Target,
    kernels: &[lower::Kernel],
    options: &Options,
    used: &mut CacheUse,
    artifact: &mut Artifact,
) -> Result<artifact::Kernels, Error> {
    let sources: Vec<Source> = kernels.iter().map(|k| Source { name: &k.name, text: &k.text }).collect();
    let folder = options.dump_dir.as_deref();
    let (cache, threads) = (options.cache.as_ref(), options.threads);
    let go_on = |done: usize, of: usize| options.go_on(Phase::Emit, done, of).is_ok();
    let fail = |e| emit_error(e, options);
    match target {
        Target::Host(host) => {
            let compile =
                |missing: &[Source]| codegen::compile_host(missing, host, threads, &|n| go_on(n, missing.len()));
            let codes = cache::through(cache, used, target, &sources, compile).map_err(fail)?;
            pack::host_kernels(kernels, codes, artifact)
        }
        Target::Nvptx(ptx) => {
            let compile =
                |missing: &[Source]| codegen::compile_ptx(missing, ptx, threads, &|n| go_on(n, missing.len()));
            let texts = cache::through(cache, used, target, &sources, compile).map_err(fail)?;
            for (at, (kernel, text)) in kernels.iter().zip(&texts).enumerate() {
                dump(folder, &format!("70-{}-{at:03}-{}.ptx", target.short_name(), kernel.name), text)?;
            }
            Ok(pack::ptx_kernels(kernels, texts, artifact))
        }
    }
}
