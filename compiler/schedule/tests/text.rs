//! The printed form of plans: what it looks like, what may be changed by hand, and what is refused.

use schedule::{parse, plan, to_text};

const GRAPH: &str = "graph @g(%x: f32[N,8], %w: f32[8,4], %b: f32[4], %c: bool[]) {
  %bb = broadcast %b {shape = [N, 4]} : f32[N,4]
  %d = dot %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], out = f32} : f32[N,4]
  %s = add %d, %bb : f32[N,4]
  %y = tanh %s : f32[N,4]
  %e = exp %s : f32[N,4]
  %0 = concat %y, %e {axis = 1} : f32[N,8]
  %r = reshape %0 {shape = [8*N]} : f32[8*N]
  %n, %1 = topk %r {axis = 0, k = 1, largest = true} : f32[1], i64[1]
  bind %1 {symbols = [K]}
  %k = iota {dtype = i64, shape = [K], axis = 0} : i64[K]
  %q = if %c, %r {symbols = []} : f32[8*N] {
    graph @then(%p: f32[8*N]) {
      %0 = neg %p : f32[8*N]
      return %0
    }
    graph @else(%p: f32[8*N]) {
      return %p
    }
  }
  return %q, %k
}
";

const PLAN: &str = "plan {
  kernel { broadcast %bb, dot %d, add %s } anchor %d : %b, %x, %w -> %s
  kernel { tanh %y } : %s -> %0 [axis 1 from 0]
  kernel { exp %e } : %s -> %0 [axis 1 from 4]
  alias reshape %r
  host topk %n
  host bind @8
  kernel { iota %k } -> %k
  control if %q {
    region @then {
      kernel { neg %0 } : %p -> %0
    }
    region @else {
    }
  }
}
";

#[track_caller]
fn refused(from: &str, to: &str, place: &str, message: &str) {
    assert!(PLAN.contains(from), "{from}");
    let text = format!("{GRAPH}{}", PLAN.replacen(from, to, 1));
    let error = parse(&text, "p", &|_| None).unwrap_err();
    assert!(error.message.contains(message), "{error}");
    let line = GRAPH.lines().count();
    let (at, column) = place.split_once(':').unwrap();
    assert_eq!(error.loc.to_string(), format!("p:{}:{column}", line + at.parse::<usize>().unwrap()), "{error}");
}

#[test]
fn a_plan_of_all_kinds_prints_and_reads_back() {
    let graph = graph::parse(GRAPH, "g").unwrap();
    let text = to_text(&graph, &plan(&graph), Default::default());
    assert_eq!(text, format!("{GRAPH}{PLAN}"));
    let (_, again) = parse(&text, "p", &|_| None).unwrap();
    assert_eq!(again, plan(&graph));
}

/// The example of the page is what is printed today.
#[test]
fn the_page_tells_the_truth() {
    let page = include_str!("../../../docs/printed-forms.md");
    let example = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (graph, again) = parse(example, "page", &|_| None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(again, plan(&graph));
    assert_eq!(to_text(&graph, &again, Default::default()), example);
}

#[test]
fn a_grouping_can_be_changed_by_hand() {
    let split = PLAN.replace(
        "  kernel { broadcast %bb, dot %d, add %s } anchor %d : %b, %x, %w -> %s\n",
        "  kernel { dot %d } -> %d // the rest comes from memory\n  kernel { add %s, broadcast %bb } -> %s\n",
    );
    let (graph, plan) = parse(&format!("{GRAPH}{split}"), "p", &|_| None).unwrap();
    let text = to_text(&graph, &plan, Default::default());
    assert!(text.contains("kernel { dot %d } anchor %d : %x, %w -> %d\n"), "{text}");
    assert!(text.contains("kernel { broadcast %bb, add %s } : %b, %d -> %s\n"), "{text}");

    // Computed twice rather than stored.
    let text = "graph @g(%x: f32[N]) { %a = exp %x  %b = neg %a  %c = tanh %a  return %b, %c }
        plan { kernel { exp %a, neg %b } -> %b  kernel { exp %a, tanh %c } -> %c }";
    assert_eq!(parse(text, "p", &|_| None).unwrap().1.steps.len(), 2);
}

#[test]
fn faults_of_syntax_have_places() {
    refused("plan {", "plans {", "1:1", "expected `plan`");
    refused("kernel { tanh", "kernels { tanh", "3:3", "`kernels` is no step");
    refused("{ tanh %y }", "{ sinh %y }", "3:12", "this node is `tanh` and not `sinh`");
    refused("{ tanh %y }", "{ tanh %x }", "3:12", "no node makes this value");
    refused("{ tanh %y }", "{ tanh %z }", "3:17", "not defined");
    refused("bind @8", "bind @80", "7:8", "no node makes this value");
    refused("{ exp %e }", "{ exp %e, exp %e }", "4:20", "in the kernel already");
    refused("{ exp %e }", "{ }", "4:12", "expected an operator");
    refused("anchor %d", "anchor %s", "2:44", "not the anchor");
    refused(": %s -> %0 [axis 1 from 0]", ": %x -> %0 [axis 1 from 0]", "3:22", "the kernel reads %s");
    refused("[axis 1 from 0]", "[axis 1 from 0", "4:3", "expected `]`");
    refused("[axis 1 from 0]", "[axis 1 from +]", "3:46", "bad dimension");
    refused("region @then", "region @when", "10:5", "expected `region @then`");
    refused("host topk %n", "control topk %n {}", "6:11", "has no regions");
    refused("  }\n}\n", "  }\n", "16:1", "expected a step or `}`");
    refused("  }\n}\n", "  }\n}\n}", "17:1", "end of the text");
}

#[test]
fn illegal_groupings_are_refused_where_they_stand() {
    refused("  kernel { exp %e } : %s -> %0 [axis 1 from 4]\n", "", "4:3", "%0 is not in memory here");
    refused("  host topk %n\n", "", "6:3", "%1 is not in memory here");
    refused("  kernel { iota %k } -> %k\n", "", "15:1", "no step computes `iota %k`");
    refused(
        "  host bind @8\n  kernel { iota %k } -> %k",
        "  kernel { iota %k } -> %k\n  host bind @8",
        "7:3",
        "symbol `K` has no value here",
    );
    refused("alias reshape %r", "kernel { reshape %r } -> %r", "5:3", "cannot be in this kernel");
    refused("host topk %n", "kernel { topk %n } -> %n", "6:3", "cannot be in this kernel");
    refused("host topk %n", "alias topk %n", "6:3", "an alias is a reshape");
    refused("kernel { iota %k } -> %k", "host iota %k", "8:3", "needs a kernel");
    refused("kernel { iota %k } -> %k", "kernel { iota %k } -> %s", "8:3", "does not compute %s");
    refused("host topk %n", "host topk %n  host topk %n", "6:17", "computed already");
    refused("[axis 1 from 4]", "[axis 1 from 3]", "4:3", "not at this place");
    refused("[axis 1 from 4]", "[axis 0 from 4]", "4:3", "not at this place");
    refused("%0 [axis 1 from 4]", "%s [axis 1 from 4]", "4:3", "no concatenation");
    refused("kernel { neg %0 } : %p -> %0\n", "\n", "12:5", "no step computes `neg %0`");
    refused(
        "{ broadcast %bb, dot %d, add %s } anchor %d : %b, %x, %w -> %s",
        "{ broadcast %bb, dot %d, add %s, exp %e } -> %0 [axis 1 from 4]",
        "3:3",
        "%s is not in memory here",
    );
    refused("kernel { tanh %y } : %s", "kernel { tanh %y, exp %e } : %s", "3:3", "nothing in this kernel reads it");
}

const SELECTS: &str = "graph @g(%x: f32[V,8], %y: f32[8,V], %i: i64[N], %p: f32[M]) {
  %j = neg %i : i64[N]
  %s = gather %x, %j {axis = 0} : f32[N,8]
  %t = gather %y, %j {axis = 1} : f32[8,N]
  %c = iota {dtype = i64, shape = [M], axis = 0} : i64[M]
  %w = gather %x, %c {axis = 0} : f32[M,8]
  return %s, %t, %w
}
";

const LOOKS: &str = "plan {
  kernel { neg %j } : %i -> %j
  indices gather %s : %j within [V] axis 0
  kernel { gather %s } : %x, %j -> %s
  kernel { gather %t } : %y, %j -> %t
  indices gather %w : [0, M-1] within [V] axis 0 column 0
  kernel { iota %c, gather %w } : %x -> %w
}
";

#[test]
fn looks_at_indices_print_and_read_back() {
    let graph = graph::parse(SELECTS, "g").unwrap();
    let text = to_text(&graph, &plan(&graph), Default::default());
    assert_eq!(text, format!("{SELECTS}{LOOKS}"));
    assert_eq!(parse(&text, "p", &|_| None).unwrap().1, plan(&graph));
}

#[test]
fn looks_at_indices_cannot_be_changed_or_left_out() {
    let refused = |from: &str, to: &str, place: &str, message: &str| {
        assert!(LOOKS.contains(from), "{from}");
        let error = parse(&format!("{SELECTS}{}", LOOKS.replacen(from, to, 1)), "p", &|_| None).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        let (line, column) = place.split_once(':').unwrap();
        let line = SELECTS.lines().count() + line.parse::<usize>().unwrap();
        assert_eq!(error.loc.to_string(), format!("p:{line}:{column}"), "{error}");
    };
    let look = "  indices gather %s : %j within [V] axis 0\n";
    let unseen = "selects by indices that no step before has looked at";
    refused(look, "", "3:3", unseen);
    refused("  indices gather %w : [0, M-1] within [V] axis 0 column 0\n", "", "6:3", unseen);
    refused("  kernel { neg %j } : %i -> %j\n", "", "2:3", "%j is not in memory here");
    let first = "  kernel { neg %j } : %i -> %j\n  indices gather %s : %j within [V] axis 0\n";
    let swapped = "  indices gather %s : %j within [V] axis 0\n  kernel { neg %j } : %i -> %j\n";
    refused(first, swapped, "2:3", "%j is not in memory here");
    refused(look, &look.repeat(2), "4:3", "no node asks");
    for (from, to) in
        [("%j within", "%i within"), ("[V] axis 0", "[V+1] axis 0"), ("[V] axis 0", "[V] axis 1"), ("[V]", "[V, 8]")]
    {
        refused(from, to, "3:3", "no node asks for this look");
    }
    refused("[0, M-1]", "[0, M-2]", "6:3", "no node asks for this look");
    refused("column 0", "column 1", "6:3", "no node asks for this look");
    refused("[0, M-1]", "[0]", "6:23", "the least and the largest index, and one size");
    refused("within [V] axis", "in [V] axis", "3:26", "expected `within`");
    refused("axis 0\n", "\n", "4:3", "expected `axis`");
    refused("axis 0\n", "axis\n", "4:3", "expected a number");
    refused("column 0", "", "7:3", "expected `column`");
    refused("indices gather %s :", "indices gather %s", "3:21", "expected `:`");
}

const SOFTMAX: &str = "graph @g(%x: f32[N,8]) {
  %m = reduce %x {kind = max, axes = [1]} : f32[N]
  %k = reshape %m {shape = [N, 1]} : f32[N,1]
  %b = broadcast %k {shape = [N, 8]} : f32[N,8]
  %s = sub %x, %b : f32[N,8]
  %e = exp %s : f32[N,8]
  %t = reduce %e {kind = sum, axes = [1]} : f32[N]
  %l = reshape %t {shape = [N, 1]} : f32[N,1]
  %c = broadcast %l {shape = [N, 8]} : f32[N,8]
  %y = div %e, %c : f32[N,8]
  return %y
}
";

const ROWS: &str = "plan {
  kernel { reduce %m, reshape %k, broadcast %b, sub %s, exp %e, reduce %t, reshape %l, broadcast %c, div %y } rows %m, %t : %x -> %y
}
";

#[test]
fn kernels_of_rows_print_and_read_back() {
    let graph = graph::parse(SOFTMAX, "g").unwrap();
    let text = to_text(&graph, &plan(&graph), Default::default());
    assert_eq!(text, format!("{SOFTMAX}{ROWS}"));
    let read = |rows: &str| parse(&format!("{SOFTMAX}{rows}"), "p", &|_| None).map(|(_, plan)| plan);
    assert_eq!(read(ROWS).unwrap(), plan(&graph));
    assert_eq!(read(&ROWS.replace(" rows %m, %t : %x", "")).unwrap(), plan(&graph));
    let apart = "plan {
        kernel { reduce %m } -> %m
        kernel { reshape %k, broadcast %b, sub %s, exp %e, reduce %t, reshape %l, broadcast %c, div %y } rows %t : %m, %x -> %y
    }";
    assert_eq!(read(apart).unwrap().steps.len(), 2);
    let refused = |from: &str, to: &str, message: &str| {
        assert!(ROWS.contains(from), "{from}");
        let error = read(&ROWS.replace(from, to)).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    };
    for other in ["rows %m", "rows %t, %m", "rows %m, %e", "rows %m, %t, %t", "rows %x, %t"] {
        refused("rows %m, %t", other, "these are not the rows");
    }
    refused("rows %m, %t", "anchor %m", "not the anchor");
    refused("rows %m, %t", "rows", "expected `%`");
    refused("reduce %m, ", "", "these are not the rows");
}

#[test]
fn a_kernel_has_one_anchor() {
    let dot = "{lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], out = f32}";
    let graph =
        format!("graph @g(%x: f32[4,4]) {{ %a = dot %x, %x {dot} %e = exp %x %b = dot %a, %e {dot} return %b }}");
    let text = format!("{graph} plan {{ kernel {{ exp %e }} -> %e kernel {{ dot %a, dot %b }} -> %b }}");
    assert!(parse(&text, "p", &|_| None).unwrap_err().message.contains("at most one anchor"));
    let text = format!("{graph} plan {{ kernel {{ dot %a }} -> %a kernel {{ exp %e, dot %b }} -> %b }}");
    assert!(parse(&text, "p", &|_| None).unwrap_err().message.contains("`exp %e` cannot be in this kernel: "));
}

#[test]
fn damaged_texts_never_panic() {
    for (graph, plan) in [(GRAPH, PLAN), (SELECTS, LOOKS), (SOFTMAX, ROWS)] {
        let chars: Vec<char> = graph.chars().chain(plan.chars()).collect();
        for at in graph.chars().count()..chars.len() - 1 {
            let cut: String = chars[..at].iter().collect();
            assert!(parse(&cut, "t", &|_| None).is_err());
            for c in ['%', '{', '}', ']', '"', '9', '-', '@', 'é'] {
                let mut damaged = chars.clone();
                damaged[at] = c;
                let _ = parse(&damaged.iter().collect::<String>(), "t", &|_| None);
            }
        }
    }
}
