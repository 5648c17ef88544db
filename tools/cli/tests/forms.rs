//! Printed forms: what each phase writes is what the next reads, and nothing is lost on the way.

mod common;

use common::{failure, json, small, success, workplace};
use std::path::Path;

/// Dumps in the order of the phases, and the phase that reads each.
const DUMPS: [(&str, &str); 4] = [
    ("10-imported.graph", "canonicalize"),
    ("20-canonical.graph", "optimize"),
    ("30-optimized.graph", "schedule"),
    ("40-scheduled.plan", "lower"),
];

/// Control flow, a size that data decides, and a constant that texts elide.
const CONTROL: &str = r#"graph @g(%x: f32[N], %c: bool[]) {
  %w = constant {value = f32[70] [WEIGHTS]} : f32[70]
  %i = nonzero %x {count = K} : i64[1,K]
  %n = dims {values = [K]} : i64[1]
  %y = if %c, %x, %w {symbols = [M]} : f32[M] {
    graph @then(%p: f32[N], %q: f32[70]) {
      %0 = concat %p, %q {axis = 0} : f32[N+70]
      return %0
    }
    graph @else(%p: f32[N], %q: f32[70]) {
      %0 = exp %p : f32[N]
      return %0
    }
  }
  return %y, %n, %i
}
"#;

fn control() -> String {
    let weights: Vec<String> = (0..70).map(|i| format!("{:?}", f64::from(i) / 4.0)).collect();
    CONTROL.replace("WEIGHTS", &weights.join(", "))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// From every dump the same artifact is made, byte for byte; so its runs are the same, too.
#[track_caller]
fn all_dumps_give_the_artifact(at: &Path, compile: &[&str], first: usize) {
    success(at, &[compile, &["-o", "direct.tenfold", "--dump-dir", "d"]].concat());
    for (file, phase) in &DUMPS[first..] {
        let text = format!("d/{file}");
        success(at, &["compile", &text, "--from", phase, "-o", "again.tenfold"]);
        assert_eq!(read(&at.join("again.tenfold")), read(&at.join("direct.tenfold")), "--from {phase}");
    }
}

#[test]
fn models_go_through_every_form() {
    for name in ["resnet", "lstm", "llama_decode", "bert"] {
        let folder = tempfile::tempdir().unwrap();
        let model = small(name).join("model.onnx");
        all_dumps_give_the_artifact(folder.path(), &["compile", model.to_str().unwrap()], 0);
        assert!(folder.path().join("d/constants").read_dir().unwrap().count() > 0, "{name} has large constants");
    }
}

#[test]
fn control_flow_goes_through_every_form() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("g.graph"), control()).unwrap();
    all_dumps_give_the_artifact(folder.path(), &["compile", "g.graph", "--from", "canonicalize"], 1);
}

#[test]
fn what_one_phase_writes_the_next_reads() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "direct.tenfold"]);
    let steps = [("import", ""), ("canonicalize", "import"), ("optimize", "canonicalize"), ("schedule", "optimize")];
    for (phase, before) in steps {
        if before.is_empty() {
            success(at, &["compile", "m.onnx", "--to", phase, "-o", phase]);
        } else {
            success(at, &["compile", before, "--from", phase, "--to", phase, "-o", phase]);
        }
    }
    success(at, &["compile", "schedule", "--from", "lower", "-o", "again.tenfold"]);
    assert_eq!(read(&at.join("again.tenfold")), read(&at.join("direct.tenfold")));

    let targets = ["--target", "host:x86-64-v3", "--target", "nvptx:sm_80"];
    success(at, &[&["compile", "schedule", "--from", "lower", "--to", "lower", "-o", "lower"], &targets[..]].concat());
    let emitted = success(at, &["dump", "lower", "--from", "emit", "--to", "emit"]);
    assert_eq!(emitted, success(at, &[&["dump", "m.onnx", "--to", "emit"], &targets[..]].concat()));
    assert!(emitted.contains("# kernel ") && emitted.contains("\n// target nvptx:sm_80\n"), "{emitted}");
    let other = success(at, &["dump", "lower", "--from", "emit", "--to", "emit", "--target", "nvptx:sm_90a"]);
    failure(
        at,
        &["dump", "lower", "--from", "emit", "--to", "emit", "--target", "nvptx:sm_75"],
        3,
        "none of its kernels",
    );
    assert!(other.contains(".target sm_90a") && !other.contains("sm_80") && !other.contains("# kernel"), "{other}");
}

#[test]
fn a_dumped_kernel_is_read_alone() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold", "--dump-dir", "d", "--target", "nvptx:sm_75"]);
    let mut names: Vec<String> =
        at.join("d").read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let kernel = names.iter().find(|name| name.starts_with("50-")).unwrap();
    let ptx = names.iter().find(|name| name.starts_with("70-")).unwrap();
    let text = success(at, &["dump", &format!("d/{kernel}"), "--from", "emit", "--to", "emit"]);
    let direct = String::from_utf8(read(&at.join("d").join(ptx))).unwrap();
    assert!(text.contains(direct.trim()), "{text}");
}

#[test]
fn a_grouping_that_was_changed_by_hand_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let graph = "graph @g(%x: f32[N]) {\n  %a = exp %x : f32[N]\n  %y = neg %a : f32[N]\n  return %y\n}\n";
    let plans = [
        ("one", "plan { kernel { exp %a, neg %y } -> %y }"),
        ("two", "plan { kernel { exp %a } -> %a  kernel { neg %y } -> %y }"),
    ];
    for (name, plan) in plans {
        std::fs::write(at.join(name), format!("{graph}{plan}")).unwrap();
        let artifact = format!("{name}.tenfold");
        success(at, &["compile", name, "--from", "lower", "-o", &artifact]);
        success(at, &["run", &artifact, "--random-inputs", "1", "--dim", "N=5", "--outputs", &format!("{name}.npz")]);
    }
    assert_eq!(read(&at.join("one.npz")), read(&at.join("two.npz")));
    let launches = |name: &str| success(at, &["inspect", name]).matches("  launch ").count();
    assert_eq!((launches("one.tenfold"), launches("two.tenfold")), (1, 2));
    std::fs::write(at.join("bad"), format!("{graph}plan {{\n  kernel {{ neg %y }} -> %y\n}}")).unwrap();
    let expected = "bad:7:3";
    failure(at, &["compile", "bad", "--from", "lower", "-o", "bad.tenfold"], 3, expected);
    failure(at, &["compile", "bad", "--from", "lower", "-o", "bad.tenfold"], 3, "%a is not in memory here");
}

#[test]
fn frozen_inputs_stay_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "graph @g(%x: f32[3], %k: i64[1]) {\n  %y = neg %x : f32[3]\n  return %y\n}\nfrozen {\n  \"k\" = i64[1] [2]\n}\n";
    std::fs::write(at.join("g.graph"), text).unwrap();
    all_dumps_give_the_artifact_of_frozen(at);
    std::fs::write(at.join("bad.graph"), text.replace("\"k\"", "\"z\"")).unwrap();
    failure(at, &["compile", "bad.graph", "--from", "canonicalize", "-o", "b.tenfold"], 3, "bad.graph:6:3");
}

#[test]
fn ranges_stay_ranges() {
    let folder = workplace();
    let at = folder.path();
    all_dumps_give_the_artifact(at, &["compile", "m.onnx", "--dim", "batch=2..6"], 0);
    let graph = String::from_utf8(read(&at.join("d/30-optimized.graph"))).unwrap();
    assert!(graph.ends_with("ranges {\n  batch = 2..6\n}\n"), "{graph}");
    let compile =
        |dim: &'static str| ["compile", "d/40-scheduled.plan", "--from", "lower", "-o", "n.tenfold", "--dim", dim];
    success(at, &compile("batch=3..4"));
    assert!(success(at, &["inspect", "n.tenfold"]).contains("  range batch : 3..4, \"batch\"\n"));
    failure(at, &compile("batch=1..4"), 3, "cannot be in 1..4: the graph was made for batch in 2..6");
    failure(at, &compile("batch=2.."), 3, "cannot be in 2..: ");
    failure(at, &compile("batch=3"), 3, "cannot be given a number");

    let text =
        "graph @g(%x: f32[N]) {\n  %y = exp %x : f32[N]\n  return %y\n}\nranges {\n  N = 1.. assumed of \"a b\"\n}\n";
    std::fs::write(at.join("g.graph"), text).unwrap();
    all_dumps_give_the_artifact(at, &["compile", "g.graph", "--from", "canonicalize"], 1);
    assert!(success(at, &["inspect", "again.tenfold"]).contains("  range N : 1.. assumed, \"a b\"\n"));
    let wider = ["compile", "g.graph", "--from", "canonicalize", "-o", "o.tenfold", "--dim", "N=0..4"];
    failure(at, &wider, 3, "the graph was made for a b in 1.. (assumed)");
    let bad = [
        ("1.. assumed", "2.. assumed", "only `1..` is ever assumed"),
        ("1.. assumed", "5..2", "ends before it begins"),
        ("1.. assumed", "1 assumed", "expected `..`"),
        ("N = ", "N = 1..2 N = ", "has a range already"),
        ("N = ", "= ", "expected a symbol or `}`"),
        ("  N = 1.. assumed", "  M = 1..2", "no input has the extent `M`"),
    ];
    for (from, to, message) in bad {
        std::fs::write(at.join("bad.graph"), text.replace(from, to)).unwrap();
        failure(at, &["compile", "bad.graph", "--from", "canonicalize", "-o", "o.tenfold"], 3, message);
    }
}

fn all_dumps_give_the_artifact_of_frozen(at: &Path) {
    success(at, &["compile", "g.graph", "--from", "canonicalize", "-o", "a.tenfold", "--dump-dir", "d"]);
    for (file, phase) in &DUMPS[1..] {
        success(at, &["compile", &format!("d/{file}"), "--from", phase, "-o", "b.tenfold"]);
        assert_eq!(read(&at.join("a.tenfold")), read(&at.join("b.tenfold")), "--from {phase}");
    }
    let steps = success(at, &["inspect", "b.tenfold"]);
    assert!(steps.contains("  expect %") && steps.contains("`k`"), "{steps}");
}

#[test]
fn constants_lie_beside_the_text_or_in_it() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "--to", "optimize", "-o", "g.graph"]);
    success(at, &["compile", "g.graph", "--from", "schedule", "-o", "a.tenfold"]);
    let whole = success(at, &["dump", "m.onnx", "--to", "optimize", "--locs", "--constants"]);
    std::fs::write(at.join("w.graph"), whole).unwrap();
    success(at, &["compile", "w.graph", "--from", "schedule", "-o", "b.tenfold"]);
    assert_eq!(read(&at.join("a.tenfold")), read(&at.join("b.tenfold")));

    let compile = ["compile", "g.graph", "--from", "schedule", "-o", "c.tenfold"];
    let first = at.join("constants").read_dir().unwrap().next().unwrap().unwrap().path();
    let mut bytes = read(&first);
    bytes[0] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    failure(at, &compile, 3, "is not in the text");
    std::fs::remove_dir_all(at.join("constants")).unwrap();
    failure(at, &compile, 3, "`--constants`");
    success(at, &["compile", "m.onnx", "-o", "m.tenfold", "--dump-dir", "d", "--dump-elided"]);
    assert!(at.join("d/30-optimized.graph").exists() && !at.join("d/constants").exists());
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "--to", "schedule", "-o", "p.plan"]);
    success(at, &["compile", "m.onnx", "--to", "lower", "-o", "k.mlir"]);
    let compile = |from: &'static str| ["compile", "k.mlir", "--from", from, "-o", "o.tenfold"];
    failure(at, &compile("emit"), 2, "does not say how they are launched");
    failure(at, &compile("pack"), 2, "no text holds both");
    failure(at, &["dump", "p.plan", "--from", "lower", "--to", "optimize"], 2, "only goes down");
    failure(at, &["dump", "p.plan", "--from", "schedule", "--to", "lower"], 3, "takes a graph without a plan");
    failure(at, &["dump", "m.onnx", "--to", "lower", "--json"], 2, "--json is for");
    failure(at, &["dump", "k.mlir", "--from", "emit", "--to", "emit", "--dim", "N=1..2"], 2, "--dim is for");
    let freeze = ["compile", "p.plan", "--from", "lower", "--freeze", "x=x.npy", "-o", "o.tenfold"];
    failure(at, &freeze, 2, "--freeze is for");
    failure(
        at,
        &["dump", "k.mlir", "--from", "emit", "--to", "emit", "--target", "nvptx:sm_80"],
        3,
        "none of its kernels",
    );
    std::fs::write(at.join("bad.mlir"), "// target nvptx:sm_80\n// kernel bad\nfunc.func @kernel( {}\n").unwrap();
    failure(at, &["dump", "bad.mlir", "--from", "emit", "--to", "emit"], 3, "bad.mlir: ");
    std::fs::write(at.join("none.mlir"), "// nothing\n").unwrap();
    failure(at, &["dump", "none.mlir", "--from", "emit", "--to", "emit"], 3, "there is no kernel in it");
    std::fs::write(at.join("dead.graph"), "graph @g(%x: f32[2]) { %y = exp %x  return %x }").unwrap();
    failure(at, &["dump", "dead.graph", "--from", "schedule", "--to", "schedule"], 3, "no-dead-nodes");
    success(at, &["dump", "dead.graph", "--from", "canonicalize", "--to", "schedule"]);
}

#[test]
fn artifacts_are_printed() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    let text = success(at, &["inspect", "m.tenfold"]);
    assert_eq!(text, success(at, &["dump", "m.onnx", "--to", "pack"]));
    for part in
        ["artifact \"", "  input \"x\" : f32[", "  weight w0 : ", "variant \"host:", "  kernel k0 ", "  launch k0 "]
    {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let answer = json(&success(at, &["inspect", "m.tenfold", "--json"]));
    assert_eq!(answer, json(&success(at, &["dump", "m.onnx", "--to", "pack", "--json"])));
    assert_eq!(answer["manifest"]["inputs"][0]["name"], "x");
    assert_eq!(answer["weights"].as_array().unwrap().len(), text.matches("  weight w").count());
    failure(at, &["inspect", "m.onnx"], 3, "not a tenfold artifact");
}
