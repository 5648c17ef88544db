//! The passes by name.

use crate::{Arguments, Failure, kernels, verify};
use codegen::PtxTarget;
use graph::{Form, Graph};
use lower::Target;
use rewrite::{Budget, Cost};
use std::fmt;
use std::str::FromStr;

/// A pass over a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Verify(Form),
    Canonicalize,
    Optimize,
    Schedule,
    LowerHost,
    LowerGpu(PtxTarget),
    CodegenHost,
    Ptx(PtxTarget),
    Dialect,
    Linalg,
}

/// What a pass makes.
pub(crate) enum Done {
    Graph(Graph),
    Text(String),
}

const FORMS: [(&str, Form); 3] =
    [("imported", Form::Imported), ("canonical", Form::Canonical), ("optimized", Form::Optimized)];

impl FromStr for Pass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, parameter) = text.split_once('=').unwrap_or((text, ""));
        let target = || PtxTarget::all().iter().find(|target| target.name() == parameter).copied();
        let form = || FORMS.iter().find(|(name, _)| *name == parameter).map(|(_, form)| *form);
        let pass = match (name, parameter) {
            ("verify", _) => form().map(Pass::Verify),
            ("ptx", _) => target().map(Pass::Ptx),
            ("canonicalize", "") => Some(Pass::Canonicalize),
            ("optimize", "") => Some(Pass::Optimize),
            ("schedule", "") => Some(Pass::Schedule),
            ("lower-host", "") => Some(Pass::LowerHost),
            ("lower-gpu", "") => "sm_80".parse().ok().map(Pass::LowerGpu),
            ("lower-gpu", _) => target().map(Pass::LowerGpu),
            ("codegen-host", "") => Some(Pass::CodegenHost),
            ("dialect", "") => Some(Pass::Dialect),
            ("linalg", "") => Some(Pass::Linalg),
            _ => None,
        };
        pass.ok_or_else(|| format!("no pass `{text}`"))
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pass::Verify(form) => {
                write!(f, "verify={}", FORMS.iter().find(|(_, known)| known == form).map_or("", |(name, _)| *name))
            }
            Pass::Ptx(target) => write!(f, "ptx={}", target.name()),
            Pass::Canonicalize => f.write_str("canonicalize"),
            Pass::Optimize => f.write_str("optimize"),
            Pass::Schedule => f.write_str("schedule"),
            Pass::LowerHost => f.write_str("lower-host"),
            Pass::LowerGpu(target) => write!(f, "lower-gpu={}", target.name()),
            Pass::CodegenHost => f.write_str("codegen-host"),
            Pass::Dialect => f.write_str("dialect"),
            Pass::Linalg => f.write_str("linalg"),
        }
    }
}

/// How kernels are written for a GPU.
fn gpu(target: &PtxTarget, arguments: &Arguments) -> Target {
    Target::Gpu(lower::Gpu {
        chip: lower::Chip { sm: target.sm(), exact: target.name().ends_with('a'), ptx: target.ptx_version() },
        approximate: arguments.numerics.allows(rewrite::Exactness::APPROXIMATE),
        rerounds: arguments.numerics.allows(rewrite::Exactness::REROUNDS),
        schedule: None,
    })
}

/// Runs one pass.
pub(crate) fn run(pass: &Pass, graph: Graph, arguments: &Arguments) -> Result<Done, Failure> {
    let fail = |message: String| Failure::Pass { pass: pass.to_string(), message };
    let host = Target::Host { lanes: (arguments.host.vector_bytes() / 4) as u32 };
    let text = match pass {
        Pass::Verify(form) => return checked(graph, *form),
        Pass::Canonicalize => return checked(rewrite::canonicalize_under(graph, arguments.numerics), Form::Canonical),
        Pass::Optimize => {
            let optimized = rewrite::optimize(graph, arguments.numerics, &Cost::host(2), &Budget::default());
            return checked(optimized.map_err(|e| fail(e.to_string()))?.0, Form::Optimized);
        }
        Pass::Schedule => Ok(schedule::to_text(&graph, &schedule::plan(&graph), arguments.text())),
        Pass::LowerHost => kernels::lowered(&graph, host).map(|kernels| kernels::to_text(&kernels)),
        Pass::LowerGpu(target) => {
            kernels::lowered(&graph, gpu(target, arguments)).map(|kernels| kernels::to_text(&kernels))
        }
        Pass::CodegenHost => kernels::lowered(&graph, host)
            .and_then(|kernels| kernels::host_code(&kernels, &arguments.host, arguments.stage)),
        Pass::Ptx(target) => kernels::lowered(&graph, gpu(target, arguments))
            .and_then(|kernels| kernels::ptx(&kernels, target, arguments.stage)),
        Pass::Dialect => dialect(&graph, arguments.locs),
        Pass::Linalg => linalg(&graph),
    };
    text.map(Done::Text).map_err(fail)
}

fn checked(graph: Graph, form: Form) -> Result<Done, Failure> {
    verify(&graph, form)?;
    Ok(Done::Graph(graph))
}

/// The graph in the `tenfold` dialect, as MLIR prints it; with locations as we do.
fn dialect(graph: &Graph, locs: bool) -> Result<String, String> {
    let session = mlir::Session::new();
    let text = tenfold_dialect::to_mlir(graph);
    tenfold_dialect::load(&session).map_err(|e| e.to_string())?;
    let module = session.parse("graph", &text).map_err(|e| e.to_string())?;
    Ok(if locs { text } else { module.print() })
}

/// The graph as linalg on tensors, accepted by MLIR.
fn linalg(graph: &Graph) -> Result<String, String> {
    let text =
        tenfold_dialect::to_linalg(graph, &tenfold_dialect::linalg::Linalg::default()).map_err(|e| e.to_string())?;
    mlir::Session::new().parse("graph", &text).map_err(|e| e.to_string())?;
    Ok(text)
}
