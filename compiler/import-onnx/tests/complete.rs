//! Every operator of the standard is imported, or listed with the reason why not.

use std::collections::BTreeSet;

#[test]
fn every_operator_is_imported_or_listed() {
    let supported: BTreeSet<(&str, &str)> = import_onnx::supported().iter().map(|row| (row.domain, row.name)).collect();
    let listed: BTreeSet<(&str, &str)> = import_onnx::unsupported().iter().map(|row| (row.domain, row.name)).collect();
    let standard: BTreeSet<(&str, &str)> = import_onnx::standard().into_iter().collect();
    assert!(standard.len() > 220, "the list of operators is not whole");
    let missing: Vec<_> = standard.iter().filter(|op| !supported.contains(*op) && !listed.contains(*op)).collect();
    assert!(missing.is_empty(), "neither imported nor listed: {missing:?}");
    let both: Vec<_> = supported.intersection(&listed).collect();
    assert!(both.is_empty(), "imported, but listed as not: {both:?}");
    let strange: Vec<_> = listed.difference(&standard).collect();
    assert!(strange.is_empty(), "listed, but not in the standard: {strange:?}");
    // ONNX Runtime writes this operator of its own into the standard's domain.
    let own = |op: &(&str, &str)| op.0 == "ai.onnx" && op.1 != "SimplifiedLayerNormalization";
    let invented: Vec<_> = supported.iter().filter(|op| own(op) && !standard.contains(*op)).collect();
    assert!(invented.is_empty(), "imported, but not in the standard: {invented:?}");
}

#[test]
fn reasons_are_sentences() {
    for entry in import_onnx::unsupported() {
        assert!(entry.reason.len() > 10, "{} {}: {}", entry.domain, entry.name, entry.reason);
    }
}
