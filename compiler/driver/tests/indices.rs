//! Indices from data that lie outside of their axis end in an error that names node, axis, size and index: the same from the
//! evaluator and from compiled code. Negative ones count from the end.

use driver::Options;
use graph::Graph;
use import_onnx::Imported;
use runtime::{Engine, Host};
use std::time::Duration;
use tensor::Tensor;

fn read(text: &str) -> Graph {
    graph::parse(text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn compile(graph: &Graph) -> Result<Engine, driver::Error> {
    let imported = Imported { graph: graph.clone(), ..Imported::default() };
    let compiled = driver::compile_imported(imported, Duration::ZERO, &Options::default())?;
    Ok(Engine::from_artifact(compiled.artifact.into(), &Host::new(None)).unwrap())
}

fn ints(shape: &[usize], values: &[i64]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

fn floats(shape: &[usize]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), (0..shape.iter().product::<usize>()).map(|v| v as f32).collect())
}

fn truth(value: bool) -> Tensor {
    Tensor::from_bools(vec![], &[value])
}

/// How many looks at elements, and how many checks of shapes, the steps of a program contain.
fn looks(engine: &Engine) -> (usize, usize) {
    let program = &engine.artifact().variants[0].program;
    let steps = || program.blocks.iter().flatten();
    let larger = |message: &str| message.contains("need a larger axis");
    (
        steps().filter(|step| matches!(step, artifact::Step::Indices { .. })).count(),
        steps().filter(|step| matches!(step, artifact::Step::Check { message, .. } if larger(message))).count(),
    )
}

/// Good inputs give what the evaluator gives; bad ones end in this fault, in both.
#[track_caller]
fn check(text: &str, good: &[Tensor], bad: &[Tensor], fault: &str) {
    let graph = read(text);
    let engine = compile(&graph).unwrap();
    assert_eq!(engine.run(good).unwrap(), graph::evaluate(&graph, good).unwrap());
    let told = engine.run(bad).unwrap_err();
    assert!(matches!(told, runtime::Error::Check(_)), "{told:?}");
    assert!(told.to_string().contains(fault), "{told}; expected: {fault}");
    assert!(told.to_string().starts_with("t.graph:"), "{told}");
    let evaluated = graph::evaluate(&graph, bad).unwrap_err().to_string();
    assert!(evaluated.contains(fault), "{evaluated}; expected: {fault}");
    // The engine is still good.
    assert_eq!(engine.run(good).unwrap(), graph::evaluate(&graph, good).unwrap());
}

/// Operator with attributes, types of operands, good indices, bad ones, and where and what the first bad one is.
type Case = (&'static str, Vec<&'static str>, Tensor, Tensor, &'static str);

fn cases() -> Vec<Case> {
    let x = "f32[2,5]";
    vec![
        ("gather %a, %i {axis = 1}", vec![x], ints(&[3], &[0, -5, 4]), ints(&[3], &[0, -6, 9]), "-6 (element [1]|1|5"),
        ("gather %a, %i {axis = 0}", vec![x], ints(&[], &[-2]), ints(&[], &[2]), "2 (element []|0|2"),
        (
            "gather-elements %a, %i {axis = 0}",
            vec![x],
            ints(&[1, 2], &[-2, 1]),
            ints(&[1, 2], &[0, 2]),
            "2 (element [0, 1]|0|2",
        ),
        (
            "gather-nd %a, %i {batch_dims = 0}",
            vec![x],
            ints(&[2, 2], &[1, 4, -2, -5]),
            ints(&[2, 2], &[1, 4, 1, 5]),
            "5 (element [1, 1]|1|5",
        ),
        (
            "gather-nd %a, %i {batch_dims = 1}",
            vec![x],
            ints(&[2, 1], &[4, -5]),
            ints(&[2, 1], &[-6, 0]),
            "-6 (element [0, 0]|1|5",
        ),
        (
            "scatter-elements %a, %i, %u {axis = 1, kind = add}",
            vec![x, "f32[2,2]"],
            ints(&[2, 2], &[0, -5, 4, -1]),
            ints(&[2, 2], &[0, 0, 0, 5]),
            "5 (element [1, 1]|1|5",
        ),
        (
            "scatter-nd %a, %i, %u {kind = replace}",
            vec![x, "f32[2,5]"],
            ints(&[2, 1], &[-2, 1]),
            ints(&[2, 1], &[1, -3]),
            "-3 (element [1, 0]|0|2",
        ),
        (
            "scatter-nd %a, %i, %u {kind = max}",
            vec![x, "f32[1]"],
            ints(&[1, 2], &[-2, 4]),
            ints(&[1, 2], &[2, 4]),
            "2 (element [0, 0]|0|2",
        ),
    ]
}

/// The fault that a case's last field stands for.
fn fault(short: &str) -> String {
    let parts: Vec<&str> = short.split('|').collect();
    format!("index {} of the indices) lies outside of axis {}, which has size {}", parts[0], parts[1], parts[2])
}

fn shape_of(ty: &str) -> Vec<usize> {
    ty.trim_start_matches("f32[").trim_end_matches(']').split(',').map(|d| d.parse().unwrap()).collect()
}

fn inputs(types: &[&str], indices: &Tensor) -> Vec<Tensor> {
    let mut all: Vec<Tensor> = types.iter().map(|ty| floats(&shape_of(ty))).collect();
    all.insert(1, indices.clone());
    all
}

/// The parameters of a case's graph, whose indices are of this type.
fn params(types: &[&str], indices: &str) -> String {
    let updates = types.get(1).map(|ty| format!(", %u: {ty}")).unwrap_or_default();
    format!("%a: {}, %i: {indices}{updates}", types[0])
}

#[test]
fn every_operator_refuses_what_is_outside() {
    for (op, types, good, bad, short) in cases() {
        for dtype in ["i64", "i32"] {
            let (mut good, mut bad) = (good.clone(), bad.clone());
            if dtype == "i32" {
                let narrow = |t: &Tensor| {
                    Tensor::from_vec(t.shape().to_vec(), t.to_ints().into_iter().map(|v| v as i32).collect::<Vec<_>>())
                };
                (good, bad) = (narrow(&good), narrow(&bad));
            }
            let ty = format!("{dtype}{:?}", good.shape());
            let text = format!("graph @g({}) {{\n %y = {op}\n return %y }}", params(&types, &ty));
            check(&text, &inputs(&types, &good), &inputs(&types, &bad), &fault(short));
        }
    }
}

#[test]
fn computed_indices_are_looked_at_in_memory() {
    for (op, types, good, bad, short) in cases() {
        let ty = format!("i64{:?}", good.shape());
        let op = op.replace("%i", "%j");
        let text = format!("graph @g({}) {{\n %j = xor %i, %i0\n %y = {op}\n return %y }}", params(&types, &ty));
        let text = text.replacen(") {", &format!(", %i0: {ty}) {{"), 1);
        let all = |indices: &Tensor| {
            let mut all = inputs(&types, indices);
            all.push(ints(indices.shape(), &vec![0; indices.len()]));
            all
        };
        check(&text, &all(&good), &all(&bad), &fault(short));
    }
}

#[test]
fn a_branch_that_is_not_taken_is_not_looked_at() {
    for (op, types, good, bad, short) in cases() {
        let ty = format!("i64{:?}", good.shape());
        let params = params(&types, &ty);
        let names = if types.len() == 2 { "%a, %i, %u" } else { "%a, %i" };
        let plain = read(&format!("graph @g({params}) {{\n %y = {op}\n return %y }}"));
        let out = plain.ty(plain.outputs[0].value).to_string();
        let shape: Vec<usize> = plain.ty(plain.outputs[0].value).static_shape().unwrap();
        let text = format!(
            "graph @g(%c: bool[], {params}, %z: {out}) {{
               %y = if %c, {names}, %z {{symbols = []}} : {out} {{
                 graph @then({params}, %z: {out}) {{ %p = {op} return %p }}
                 graph @else({params}, %z: {out}) {{ %q = neg %z return %q }}
               }}
               return %y }}"
        );
        let all = |taken: bool, indices: &Tensor| {
            let mut all = inputs(&types, indices);
            all.insert(0, truth(taken));
            all.push(floats(&shape));
            all
        };
        check(&text, &all(true, &good), &all(true, &bad), &fault(short));
        let graph = read(&text);
        let other = all(false, &bad);
        assert_eq!(compile(&graph).unwrap().run(&other).unwrap(), graph::evaluate(&graph, &other).unwrap());
    }
}

#[test]
fn bodies_of_loops_are_looked_at_in_each_trip() {
    let text = "graph @g(%most: i64[], %go: bool[], %x: f32[4], %at: i64[], %step: i64[]) {
      %last, %all = loop %most, %go, %at, %x, %step {n_carried = 1, symbols = [T]} : i64[], f32[T] {
        graph @body(%k: i64[], %c: bool[], %v: i64[], %x: f32[4], %step: i64[]) {
          %one = gather %x, %v {axis = 0}
          %next = add %v, %step
          return %c, %next, %one
        }
      }
      return %last, %all }";
    let inputs =
        |most: i64, at: i64| vec![ints(&[], &[most]), truth(true), floats(&[4]), ints(&[], &[at]), ints(&[], &[2])];
    check(
        text,
        &inputs(4, -4),
        &inputs(5, -4),
        "index 4 (element [] of the indices) lies outside of axis 0, which has size 4",
    );
    let engine = compile(&read(text)).unwrap();
    assert_eq!(engine.run(&inputs(0, 100)).unwrap()[1].len(), 0);
}

#[test]
fn constants_are_judged_when_compiling() {
    let text = "graph @g(%x: f32[2,5]) {\n %i = constant {value = i64[2] [0, 7]}\n %y = gather %x, %i {axis = 1}\n return %y }";
    let error = compile(&read(text)).err().unwrap();
    let driver::Error::Model { diagnostics, .. } = &error else { panic!("{error:?}") };
    assert_eq!(diagnostics[0].code, diag::Code::Index);
    assert_eq!(
        diagnostics[0].message,
        "gather: index 7 (element [1] of the indices) lies outside of axis 1, which has size 5"
    );
    // An axis whose size only a run tells.
    let text = text.replace("[2,5]", "[2,N]");
    let graph = read(&text);
    let engine = compile(&graph).unwrap();
    assert_eq!(looks(&engine), (0, 1));
    assert_eq!(engine.run(&[floats(&[2, 8])]).unwrap(), graph::evaluate(&graph, &[floats(&[2, 8])]).unwrap());
    let told = engine.run(&[floats(&[2, 7])]).unwrap_err().to_string();
    assert!(told.ends_with("gather: the indices need a larger axis 1 (8 must be at most 7)"), "{told}");
}

#[test]
fn constants_in_a_branch_are_judged_where_it_is_taken() {
    let text = "graph @g(%c: bool[], %x: f32[5]) {
      %y = if %c, %x {symbols = []} : f32[1] {
        graph @then(%x: f32[5]) { %i = constant {value = i64[1] [5]} %p = gather %x, %i {axis = 0} return %p }
        graph @else(%x: f32[5]) { %i = constant {value = i64[1] [4]} %p = gather %x, %i {axis = 0} return %p }
      }
      return %y }";
    let engine = compile(&read(text)).unwrap();
    assert_eq!(engine.run(&[truth(false), floats(&[5])]).unwrap()[0], Tensor::from_vec(vec![1], vec![4.0f32]));
    let told = engine.run(&[truth(true), floats(&[5])]).unwrap_err().to_string();
    assert!(told.contains("gather: the indices need a larger axis 0 (6 must be at most 5)"), "{told}");
}

#[test]
fn what_is_proven_is_not_looked_at() {
    let zero = "%zero = constant {value = i64[] [0]} %z = broadcast %zero {shape = [3]}";
    let last = "%last = dims {values = [N-1]} %l0 = reshape %last {shape = []} %l = broadcast %l0 {shape = [3]}";
    let four = "%f0 = constant {value = i64[] [4]} %f = broadcast %f0 {shape = [3]}";
    let twice =
        "%a = gather %y, %p {axis = 0} %e = gather %y, %p {axis = 0} %j = iota {dtype = i64, shape = [3,N], axis = 1}";
    let size = "%size = dims {values = [N]} %s0 = reshape %size {shape = []} %s = broadcast %s0 {shape = [3]}";
    for (indices, expected) in [
        ("%j = arg-reduce %y {kind = max, axis = 1, last = false}".to_string(), (0, 0)),
        ("%v, %j = topk %x {axis = 0, k = 2, largest = true}".to_string(), (0, 0)),
        ("%j = iota {dtype = i64, shape = [3,N], axis = 1}".to_string(), (0, 0)),
        ("%n = nonzero %x {count = C} %j = reshape %n {shape = [C]}".to_string(), (0, 0)),
        (format!("{size} %j = mod %i, %s"), (0, 1)),
        // Clamped to -1 where the axis is empty, which is checked.
        (format!("{zero} {last} %m = max %i, %z %j = min %m, %l"), (0, 1)),
        // From the end, as exporters write it; only for what is known to be at least `-N`.
        (
            format!("{zero} {four} %k = rem %i, %f %n = lt %k, %z %w = add %k, %f %p = select %n, %w, %k {twice}"),
            (0, 0),
        ),
        (format!("{zero} {size} %n = lt %i, %z %w = add %i, %s %j = select %n, %w, %i"), (1, 0)),
        // One end alone is no proof.
        (format!("{last} %j = min %i, %l"), (1, 0)),
        (format!("{zero} %j = max %i, %z"), (1, 0)),
        // What only shapes decide.
        ("%j = iota {dtype = i64, shape = [M], axis = 0}".to_string(), (0, 1)),
        // The same indices twice, and the same under another shape, for one axis.
        (
            "%a = gather %x, %i {axis = 0} %j = reshape %i {shape = [3,1]} %e = gather %y, %i {axis = 1}".to_string(),
            (1, 0),
        ),
        ("%b = cast %i {to = i32, saturate = false} %j = cast %b {to = i64, saturate = false}".to_string(), (1, 0)),
    ] {
        let extra = if indices.contains("%a =") { ", %a, %e" } else { "" };
        let text = format!(
            "graph @g(%x: f32[N], %y: f32[4,N], %i: i64[3], %k0: f32[M]) {{ {indices}
               %r = gather %x, %j {{axis = 0}} return %r{extra} }}"
        );
        let engine = compile(&read(&text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(looks(&engine), expected, "{text}");
    }
}
