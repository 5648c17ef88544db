//! Attention.

use crate::harness::*;
use codegen::{PtxTarget, Source};
use lower::Kernel;
use ptx_sim::Sim;
use runtime::Engine;
use std::sync::Arc;

/// An attention. `outer` are the batch axes, `mask` lines that make `%x` of `%f`, the scaled scores in `f32`.
fn attention(ty: &str, outer: &str, [m, n, d, e]: [&str; 4], inputs: [&str; 2], mask: &str, zero_rows: bool) -> Case {
    let n_outer = outer.split(',').count();
    let batch: Vec<String> = (0..n_outer).map(|axis| axis.to_string()).collect();
    let (batch, row, column) = (batch.join(", "), n_outer, n_outer + 1);
    let [key, more] = inputs;
    let full = format!("{outer}, {m}, {n}");
    // Keys lie along what is summed over, or along themselves.
    let (keys, contract) = match key {
        "" => (format!("%k: {ty}[{outer},{n},{d}]"), column),
        "turned" => (format!("%k: {ty}[{outer},{d},{n}]"), row),
        other => (other.to_string(), column),
    };
    let guarded =
        format!("%bad = isnan %r\n  %zero = broadcast %none {{shape = [{full}]}}\n  %p = select %bad, %zero, %r");
    let (guard, weights) = if zero_rows { (guarded.as_str(), "%p") } else { ("", "%r") };
    let shares = key.contains("[1,2,1");
    let text = format!(
        "graph @g(%q: {ty}[{outer},{m},{d}], {keys}, %v: {ty}[{outer},{n},{e}], %scale: f32[]{more}) {{
  %none = constant {{value = f32[] [0.0]}}
  {shared}
  %s = dot %q, {k} {{lhs_batch = [{batch}], rhs_batch = [{batch}], lhs_contract = [{column}], rhs_contract = [{contract}], out = {ty}}}
  %w = cast %s {{to = f32, saturate = false}}
  %sb = broadcast %scale {{shape = [{full}]}}
  %f = mul %w, %sb
  {mask}
  %m = reduce %x {{kind = max, axes = [{column}]}}
  %mr = reshape %m {{shape = [{outer}, {m}, 1]}}
  %mm = broadcast %mr {{shape = [{full}]}}
  %u = sub %x, %mm
  %e = exp %u
  %l = reduce %e {{kind = sum, axes = [{column}]}}
  %lr = reshape %l {{shape = [{outer}, {m}, 1]}}
  %ll = broadcast %lr {{shape = [{full}]}}
  %r = div %e, %ll
  {guard}
  %h = cast {weights} {{to = {ty}, saturate = false}}
  %o = dot %h, %v {{lhs_batch = [{batch}], rhs_batch = [{batch}], lhs_contract = [{column}], rhs_contract = [{row}], out = {ty}}}
  %t = add %o, %o
  return %t
}}",
        shared = if shares { format!("%kb = broadcast %k {{shape = [{outer}, {n}, {d}]}}") } else { String::new() },
        k = if shares { "%kb" } else { "%k" },
        mask = mask.replace("FULL", &full),
    );
    Case { text, tolerance: if ty == "f16" { 3e-3 } else { 2e-2 }, approximate: false }
}

const NO_MASK: &str = "%x = add %f, %f";
const ADDED: &str = "%mb = broadcast %mask {shape = [FULL]}\n  %x = add %f, %mb";

fn attentions() -> Vec<Case> {
    let causal = |m: u32, n: u32| {
        format!(
            "%i = iota {{dtype = i64, shape = [{m}, {n}], axis = 0}}
  %j = iota {{dtype = i64, shape = [{m}, {n}], axis = 1}}
  %c = lt %j, %i
  %cb = broadcast %c {{shape = [FULL]}}
  %low = constant {{value = f32[] [-inf]}}
  %lb = broadcast %low {{shape = [FULL]}}
  %x = select %cb, %f, %lb"
        )
    };
    let cap = "%t1 = tanh %f\n  %x = mul %t1, %sb";
    vec![
        attention("f16", "1, 2", ["70", "75", "64", "64"], ["", ", %mask: f32[70,75]"], ADDED, false),
        attention("bf16", "2", ["130", "64", "128", "128"], ["", ""], NO_MASK, false),
        // The first row has no column that it may see.
        attention("f16", "2", ["67", "67", "32", "32"], ["", ""], &causal(67, 67), true),
        attention("f16", "1, 2, 2", ["40", "100", "32", "64"], ["%k: f16[1,2,1,100,32]", ""], NO_MASK, true),
        attention("f16", "1", ["65", "33", "80", "40"], ["", ""], cap, false),
        attention("bf16", "1", ["64", "50", "256", "256"], ["", ""], NO_MASK, false),
        attention("f16", "1", ["64", "72", "36", "36"], ["turned", ""], NO_MASK, false),
        attention("bf16", "1", ["9", "3", "34", "34"], ["", ""], NO_MASK, true),
    ]
}

/// The kernel of every schedule of each, checked; gives how many there were.
fn check_attentions(target: &str, sm: u32, cases: Vec<Case>, ideal: bool, word: &str) -> usize {
    let target: PtxTarget = target.parse().unwrap();
    let session = mlir::Session::new();
    let mut n_checked = 0;
    for case in cases {
        let graph = graph::parse(&case.text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{}", case.text));
        let kernels: Vec<Kernel> = (0..).map_while(|place| kernel(&graph, gpu(&target, false, place))).collect();
        assert!(!kernels.is_empty(), "{}", case.text);
        for (place, kernel) in kernels.iter().enumerate().filter(|(_, kernel)| kernel.template.contains(word)) {
            assert!(kernel.template.starts_with("attention"), "{}", kernel.template);
            check_kernel(&session, &target, (sm, place), (&graph, kernel), &case, ideal);
            n_checked += 1;
        }
    }
    n_checked
}

#[test]
fn attention_computes_what_the_evaluator_does_on_sm_80() {
    assert_eq!(check_attentions("sm_80", 80, attentions(), false, "mma"), 8);
}

#[test]
fn attention_computes_what_the_evaluator_does_on_sm_90a() {
    assert!(check_attentions("sm_90a", 90, attentions(), false, "") > 20);
}

/// The operands of an attention the other way round in memory: rows, keys and values along what the products sum over.
fn turned(ty: &str, [m, n, d, e]: [&str; 4]) -> Case {
    let sizes = [m, n, d, e];
    let case = attention(ty, "1, 2", sizes, ["turned", ""], NO_MASK, false);
    let text = case
        .text
        .replace(&format!("%q: {ty}[1, 2,{m},{d}]"), &format!("%q: {ty}[1, 2,{d},{m}]"))
        .replace(
            "%s = dot %q, %k {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3]",
            "%s = dot %q, %k {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [2]",
        )
        .replace(&format!("%v: {ty}[1, 2,{n},{e}]"), &format!("%v: {ty}[1, 2,{e},{n}]"))
        .replace(
            "%o = dot %h, %v {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [2]",
            "%o = dot %h, %v {lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [3]",
        );
    Case { text, ..case }
}

/// More tiles of columns than there are stages, edges, depths of every class, and operands in all directions.
fn group_attentions() -> Vec<Case> {
    vec![
        attention("f16", "1, 2", ["150", "328", "64", "64"], ["", ", %mask: f32[150,328]"], ADDED, false),
        attention("bf16", "2", ["200", "520", "128", "128"], ["", ""], NO_MASK, false),
        attention("f16", "1, 2, 2", ["70", "260", "40", "72"], ["%k: f16[1,2,1,260,40]", ""], NO_MASK, true),
        attention("bf16", "1", ["130", "300", "192", "96"], ["", ""], NO_MASK, false),
        attention("f16", "1", ["64", "200", "256", "256"], ["", ""], NO_MASK, false),
        turned("bf16", ["72", "264", "48", "80"]),
        turned("f16", ["136", "136", "128", "128"]),
    ]
}

#[test]
fn attention_by_warpgroups_computes_what_the_evaluator_does() {
    let n = check_attentions("sm_90a", 90, group_attentions(), false, "wgmma");
    assert!(n >= 15, "{n}");
}

/// Sizes that a run brings, and no columns at all.
#[test]
fn attention_by_warpgroups_takes_unknown_sizes() {
    let cases = vec![
        attention("f16", "B, 2", ["M", "N", "64", "64"], ["", ", %mask: f32[M,N]"], ADDED, true),
        attention("bf16", "2", ["M", "N", "128", "96"], ["", ""], NO_MASK, true),
        attention("f16", "1", ["M", "Z", "64", "128"], ["", ""], NO_MASK, true),
        attention("f16", "1", ["70", "0", "64", "64"], ["", ""], NO_MASK, true),
    ];
    let n = check_attentions("sm_90a", 90, cases, false, "wgmma");
    assert!(n >= 10, "{n}");
}

#[test]
fn attention_has_no_bank_conflicts() {
    let check = |ty, batch, sizes| {
        let case = attention(ty, batch, sizes, ["", ""], NO_MASK, false);
        assert_eq!(check_attentions("sm_80", 80, vec![case], true, "mma"), 1);
    };
    check("f16", "1", ["128", "128", "64", "64"]);
    check("bf16", "1", ["64", "128", "128", "128"]);
    let whole = attention("bf16", "1", ["192", "256", "128", "128"], ["", ""], NO_MASK, false);
    assert_eq!(check_attentions("sm_90a", 90, vec![whole], true, "wgmma"), 3);
}

/// The text without the `n`th instruction that contains a word, if there are so many. A wait for a phase becomes one for nothing.
fn without(ptx: &str, word: &str, n: usize) -> Option<String> {
    let (start, _) = ptx.match_indices(word).nth(n)?;
    let end = start + ptx[start..].find(';')?;
    let instead = if word.contains("try_wait") {
        // The first operand is the predicate that the loop around it looks at.
        let result = ptx[start..end].split_whitespace().nth(1)?.trim_end_matches(',');
        format!("setp.eq.u32 {result}, 0, 0")
    } else {
        String::new()
    };
    Some(format!("{}{instead}{}", &ptx[..start], &ptx[end..]))
}

/// What holds the warpgroups of an attention together is needed, each piece of it: the simulator finds what is missing.
#[test]
fn attention_without_a_fence_an_arrival_or_a_wait_is_found() {
    let target: PtxTarget = "sm_90a".parse().unwrap();
    let case = attention("bf16", "1", ["128", "700", "64", "64"], ["", ""], NO_MASK, false);
    let graph = graph::parse(&case.text, "t.graph").unwrap();
    let kernels = (0..).map_while(|place| kernel(&graph, gpu(&target, false, place)));
    let kernel = kernels.into_iter().find(|kernel| kernel.template.contains("2 consumers")).expect("there is one");
    let ptx = codegen::ptx(&mlir::Session::new(), Source { name: "k", text: &kernel.text }, &target).unwrap();
    let expected = graph::evaluate(&graph, &inputs(&graph)).unwrap();
    let fault = |ptx: &str, seed: u64| {
        let sim = Sim::new(90, ptx_sim::Options { sanitize: true, seed, ..Default::default() });
        let engine = Engine::from_artifact(Arc::new(artifact(&graph, &kernel, &target, ptx)), &sim).unwrap();
        match engine.run(&inputs(&graph)) {
            Err(error) => Some(error.to_string().to_lowercase()),
            Ok(got) => (difference(&got[0], &expected[0]) > case.tolerance).then(|| "another result".into()),
        }
    };
    // What is missing shows in some orders of events and not in others.
    let fault = |ptx: &str| (1..=40).find_map(|seed| fault(ptx, seed));
    assert_eq!(fault(&ptx), None);
    // Word, how often it is there, how often the simulator must find that it is gone, and what it says then.
    let all: [(&str, usize, usize, &[&str]); 7] = [
        ("fence.mbarrier_init", 1, 1, &["fence.mbarrier_init"]),
        ("mbarrier.arrive.expect_tx", 5, 5, &["deadlock"]),
        ("mbarrier.arrive.shared", 3, 3, &["deadlock"]),
        ("mbarrier.try_wait", 9, 9, &["use before the wait", "race", "arrivals at an mbarrier", "no mbarrier"]),
        ("wgmma.fence", 3, 3, &["wgmma.fence"]),
        ("wgmma.wait_group", 4, 4, &["not waited for"]),
        ("wgmma.commit_group", 4, 4, &["not waited for"]),
    ];
    for (word, times, found, says) in all {
        assert_eq!(ptx.matches(word).count(), times, "{word}");
        let faults: Vec<String> =
            (0..times).map(|n| fault(&without(&ptx, word, n).unwrap()).unwrap_or_default()).collect();
        assert_eq!(faults.iter().filter(|fault| !fault.is_empty()).count(), found, "{word}: {faults:#?}");
        assert!(
            faults.iter().filter(|fault| !fault.is_empty()).all(|fault| says.iter().any(|word| fault.contains(word))),
            "{word}: {faults:#?}"
        );
    }
}

/// What hides scores by positions, as lines that make `%x` of `%f`. `condition` makes `%c`, which holds where a score counts.
fn masked(condition: &str, way: &str) -> String {
    // What nobody uses would be a kernel of its own.
    let rows = if condition.contains("%i") { "%i = iota {dtype = i64, shape = [FULL], axis = ROW}" } else { "" };
    format!(
        "{rows}
  %j = iota {{dtype = i64, shape = [FULL], axis = COLUMN}}
  {condition}
  %low = constant {{value = f32[] [LOW]}}
  %lb = broadcast %low {{shape = [FULL]}}
  {way}"
    )
}

const CHOSEN: &str = "%x = select %c, %f, %lb";
const NOT_CHOSEN: &str = "%d = not %c\n  %x = select %d, %lb, %f";
const SUMMED: &str = "%nothing = constant {value = f32[] [0.0]}
  %nb = broadcast %nothing {shape = [FULL]}
  %e0 = select %c, %nb, %lb\n  %x = add %e0, %f";
const CAUSAL: &str = "%c = le %j, %i";
/// Later keys than queries, as with a past.
const BEHIND: &str = "%past = constant {value = i64[] [61]}
  %pb = broadcast %past {shape = [FULL]}
  %ip = add %i, %pb
  %c = ge %ip, %j";
const WINDOW: &str = "%wide = constant {value = i64[] [40]}
  %wb = broadcast %wide {shape = [FULL]}
  %far = sub %i, %j
  %zero0 = constant {value = i64[] [0]}
  %zb = broadcast %zero0 {shape = [FULL]}
  %near = lt %far, %wb
  %after = ge %far, %zb
  %c = and %near, %after";
/// Lengths of the matrices of a batch, which are data.
const LENGTHS: &str = "%len = reshape %lengths {shape = [2, 1, 1]}
  %lnb = broadcast %len {shape = [FULL]}
  %c = lt %j, %lnb";

/// An attention with such a mask.
fn hidden([m, n]: [&str; 2], outer: &str, condition: &str, way: &str, low: &str, zero_rows: bool) -> Case {
    let n_outer = outer.split(',').count();
    let mask = masked(condition, way).replace("LOW", low);
    let mask = mask.replace("ROW", &n_outer.to_string()).replace("COLUMN", &(n_outer + 1).to_string());
    let more = if condition.contains("%lengths") { ", %lengths: i64[2]" } else { "" };
    attention("f16", outer, [m, n, "64", "64"], ["", more], &mask, zero_rows)
}

fn hiding() -> Vec<Case> {
    vec![
        hidden(["130", "150"], "2", CAUSAL, CHOSEN, "-inf", false),
        hidden(["130", "191"], "1", BEHIND, NOT_CHOSEN, "-inf", false),
        hidden(["200", "200"], "1", WINDOW, SUMMED, "-inf", false),
        // Sizes that a run brings, and more rows than columns.
        hidden(["N", "M"], "B", CAUSAL, CHOSEN, "-inf", false),
        // Rows behind the last key that is near enough see nothing, and all weights are equal.
        hidden(["200", "70"], "1", WINDOW, CHOSEN, "-3.0e38", false),
        // Lengths are -8 to 8: one of them is below zero, and rows without a weight are zeros.
        hidden(["70", "130"], "2", LENGTHS, CHOSEN, "-inf", true),
    ]
}

#[test]
fn hidden_columns_do_not_count() {
    assert_eq!(check_attentions("sm_80", 80, hiding(), false, "mma"), 6);
    assert!(check_attentions("sm_90a", 90, hiding(), false, "wgmma") >= 12);
}

/// Megabytes that the last run of an engine read.
fn read(case: &Case, target: &str, word: &str) -> f64 {
    let target: PtxTarget = target.parse().unwrap();
    let graph = graph::parse(&case.text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{}", case.text));
    let mut kernels = (0..).map_while(|place| kernel(&graph, gpu(&target, false, place)));
    let kernel = kernels.find(|kernel| kernel.template.contains(word)).expect("there is one");
    let ptx = codegen::ptx(&mlir::Session::new(), Source { name: "k", text: &kernel.text }, &target).unwrap();
    let sim = Sim::new(target.sm(), ptx_sim::Options { sanitize: true, ..Default::default() });
    let engine = Engine::from_artifact(Arc::new(artifact(&graph, &kernel, &target, &ptx)), &sim).unwrap();
    engine.run(&inputs(&graph)).unwrap();
    let line = engine.device_report().pop().unwrap();
    let read = line.split(", ").find_map(|part| part.strip_suffix(" MB read")).unwrap_or_else(|| panic!("{line}"));
    read.parse().unwrap()
}

/// Of keys and values only the tiles are read that some row of the block sees: 64 rows by 64 columns, or by 128.
#[test]
fn tiles_that_are_hidden_are_not_read() {
    let case = |condition, low| hidden(["512", "512"], "1", condition, CHOSEN, low, false);
    let all = attention("f16", "1", ["512", "512", "64", "64"], ["", ""], NO_MASK, false);
    // On `sm_80` the scale is read for each tile, by 128 threads.
    let targets = [("sm_80", "mma", 64, 128 * 4), ("sm_90a", "64x128, depths 64 and 64, 1 consumer", 128, 0)];
    for (target, word, columns, scale) in targets {
        let tile = f64::from(columns * 2 * 64 * 2 + scale) / 1e6;
        let whole = read(&all, target, word);
        let rows = 512 / 64;
        let spared = |seen: fn(u32, u32, u32) -> bool| {
            let of_row =
                |row: u32| (0..512 / columns).filter(|at| !seen(row * 64, at * columns, (at + 1) * columns)).count();
            (0..rows).map(of_row).sum::<usize>() as f64 * tile
        };
        let check = |condition, low, spared: f64| {
            let found = whole - read(&case(condition, low), target, word);
            assert!(spared >= 0.0 && (found - spared).abs() < 0.002, "{target}: {condition}: {found}, not {spared}");
        };
        check(CAUSAL, "-inf", spared(|row, column, _| column < row + 64));
        check(WINDOW, "-inf", spared(|row, column, end| column < row + 64 && end + 39 > row));
        check(CAUSAL, "-1.0e9", 0.0);
    }
}
