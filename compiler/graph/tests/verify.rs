//! Every rule of every form can fail, and whole graphs break none.

use graph::{Form, Graph, ValueId, parse, verify};

fn read(text: &str) -> Graph {
    parse(text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn rules(graph: &Graph, form: Form) -> Vec<&'static str> {
    verify(graph, form).iter().map(|v| v.rule).collect()
}

#[track_caller]
fn breaks(rule: &str, form: Form, text: &str) {
    assert_eq!(rules(&read(text), form), [rule]);
}

const FINE: &str = "graph @g(%c: bool[], %x: f32[N]) {
  %a = exp %x
  %y = if %c, %a {symbols = [M]} : f32[M] {
    graph @then(%p: f32[N]) { %q = concat %p, %p {axis = 0} return %q }
    graph @else(%p: f32[N]) { return %p }
  }
  return %y }";

#[test]
fn whole_graphs_break_no_rule() {
    for form in [Form::Imported, Form::Canonical, Form::Optimized] {
        assert_eq!(verify(&read(FINE), form), []);
    }
}

#[test]
fn definitions() {
    let mut graph = read(FINE);
    graph.nodes[1].outputs = graph.nodes[0].outputs.clone();
    graph.outputs[0].value = graph.nodes[0].outputs[0];
    assert_eq!(rules(&graph, Form::Imported), ["defined-once"]);
    let mut graph = read(FINE);
    graph.nodes[0].inputs[0] = ValueId(1000);
    assert_eq!(rules(&graph, Form::Imported), ["defined-before-use"]);
    let mut graph = read(FINE);
    graph.nodes.reverse();
    assert_eq!(rules(&graph, Form::Imported), ["defined-before-use"]);
    let mut graph = read(FINE);
    graph.outputs[0].value = ValueId(1000);
    assert_eq!(rules(&graph, Form::Imported), ["defined-before-use"]);
    let mut graph = read(FINE);
    graph.nodes[1].regions[1].outputs[0].value = ValueId(7);
    assert_eq!(rules(&graph, Form::Imported), ["defined-before-use"]);
}

#[test]
fn types() {
    let form = Form::Imported;
    breaks("types", form, "graph @g(%x: f32[2]) { %y = exp %x : f32[3] return %y }");
    breaks("types", form, "graph @g(%x: i64[2]) { %y = exp %x : i64[2] return %y }");
    breaks("types", form, "graph @g(%x: f32[2]) { %y, %z = exp %x : f32[2], f32[2] return %y }");
}

#[test]
fn regions() {
    let form = Form::Imported;
    breaks("regions", form, "graph @g(%x: f32[2]) { %y = exp %x : f32[2] { graph @r() { return } } return %y }");
    breaks(
        "regions",
        form,
        "graph @g(%c: f32[]) { if %c {symbols = []} { graph @a() { return } graph @b() { return } } return }",
    );
    breaks(
        "regions",
        form,
        "graph @g(%c: bool[]) { if %c {symbols = []} { graph @a() { return } graph @b(%x: f32[]) { return } } return }",
    );
    breaks(
        "regions",
        form,
        "graph @g(%c: bool[], %x: f32[2]) { %y = if %c, %x {symbols = []} : f32[3] { graph @a(%x: f32[2]) { return %x } graph @b(%x: f32[2]) { %y = concat %x, %x {axis = 0} %z = slice %y {starts = [0], sizes = [3], steps = [1]} return %z } } return %y }",
    );
    breaks(
        "regions",
        form,
        "graph @g(%n: i64[], %c: bool[]) { loop %c, %n {n_carried = 0, symbols = []} { graph @a(%i: i64[], %c: bool[]) { return %c } } return }",
    );
    breaks(
        "regions",
        form,
        "graph @g(%n: i64[], %c: bool[]) { loop %n, %c {n_carried = 0, symbols = []} { graph @a(%i: i64[], %c: bool[]) { return %i } } return }",
    );
}

#[test]
fn symbols() {
    let form = Form::Imported;
    breaks("symbols", form, "graph @g(%x: f32[N+1]) { return %x }");
    breaks("symbols", form, "graph @g() { %y = dims {values = [N]} return %y }");
    breaks("symbols", form, "graph @g(%x: f32[2]) { %y = broadcast %x {shape = [2]} : f32[N] return %y }");
    breaks(
        "symbols",
        form,
        "graph @g(%x: f32[2]) { %a = nonzero %x {count = C} %b = nonzero %x {count = C} return %a, %b }",
    );
}

#[test]
fn canonical() {
    for form in [Form::Canonical, Form::Optimized] {
        breaks("no-dead-nodes", form, "graph @g(%x: f32[2]) { %y = exp %x return %x }");
        breaks(
            "no-dead-nodes",
            form,
            "graph @g(%c: bool[], %x: f32[2]) { %y = if %c, %x {symbols = []} : f32[2] { graph @a(%x: f32[2]) { %d = exp %x return %x } graph @b(%x: f32[2]) { return %x } } return %y }",
        );
        for identity in [
            "reshape %x {shape = [2]}",
            "broadcast %x {shape = [2]}",
            "cast %x {to = f32, saturate = true}",
            "transpose %x {perm = [0]}",
            "slice %x {starts = [0], sizes = [2], steps = [1]}",
        ] {
            breaks("no-identity", form, &format!("graph @g(%x: f32[2]) {{ %y = {identity} return %y }}"));
        }
        let two = "%a = constant {value = f32[1] [1.0]} %b = constant {value = f32[1] [1.0]}";
        breaks("no-duplicates", form, &format!("graph @g() {{ {two} return %a, %b }}"));
        breaks("no-duplicates", form, "graph @g(%x: f32[2]) { %a = exp %x %b = exp %x return %a, %b }");
    }
    let random = "random {kind = normal, dtype = f32, shape = [2], a = 0.0, b = 1.0, seed = 1}";
    let graph = read(&format!("graph @g() {{ %a = {random} %b = {random} return %a, %b }}"));
    assert_eq!(verify(&graph, Form::Canonical), []);
}
