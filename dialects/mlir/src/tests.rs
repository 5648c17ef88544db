use super::*;

const ADD: &str = r#"
func.func @add(%bufs: !llvm.ptr, %dims: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {
  %one = arith.constant 1 : i64
  %x = llvm.load %bufs : !llvm.ptr -> !llvm.ptr
  scf.for %i = %begin to %end step %one : i64 {
    %p = llvm.getelementptr %x[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %v = llvm.load %p : !llvm.ptr -> f32
    %w = arith.addf %v, %v : f32
    llvm.store %w, %p : f32, !llvm.ptr
  }
  return
}
"#;

#[test]
fn host_pipeline_leaves_only_llvm() {
    let session = Session::new();
    let mut module = session.parse("add", ADD).unwrap();
    module.lower(Part::Host).unwrap();
    module.verify().unwrap();
    let text = module.print();
    for left in ["scf.", "arith.", "func.func", "cf.br", "unrealized"] {
        assert!(!text.contains(left), "{left} left in\n{text}");
    }
}

#[test]
fn parse_error_names_text_line_and_column() {
    let session = Session::new();
    let error = session.parse("kernel_7", "module {\n  foo.bar\n}").err().unwrap();
    let first = &error.diagnostics()[0];
    assert_eq!(first.severity, Severity::Error);
    assert!(first.location.starts_with("kernel_7:2:"), "{}", first.location);
    assert!(error.to_string().contains("foo.bar"), "{error}");
}

#[test]
fn verifier_message_is_kept() {
    let session = Session::new();
    let text = "func.func @f(%a: f32, %b: f64) -> f32 {\n  \
                %c = \"arith.addf\"(%a, %b) : (f32, f64) -> f32\n  return %c : f32\n}";
    let error = session.parse("bad", text).err().unwrap();
    assert!(error.to_string().contains("requires the same type for all operands"), "{error}");
}

#[test]
fn old_messages_do_not_leak_into_new_errors() {
    let session = Session::new();
    let first = session.parse("a", "%").err().unwrap();
    let second = session.parse("b", "%").err().unwrap();
    assert_eq!(first.diagnostics().len(), second.diagnostics().len());
}

#[test]
fn unknown_pass_is_an_error() {
    let session = Session::new();
    let mut module = session.parse("add", ADD).unwrap();
    let error = module.run_pipeline("builtin.module(no-such-pass)").err().unwrap();
    assert!(matches!(error, MlirError::Pipeline { .. }), "{error}");
    assert!(error.to_string().contains("no-such-pass"), "{error}");
}

#[test]
fn failing_pass_says_why() {
    let session = Session::new();
    let text = "gpu.module @m { gpu.func @f(%a: f32) kernel {\n  \
                %0 = gpu.subgroup_reduce add %a : (f32) -> f32\n  gpu.return } }";
    let mut module = session.parse("t", text).unwrap();
    let error = module.lower(Part::Gpu).err().unwrap();
    assert!(matches!(error, MlirError::Pass { .. }), "{error}");
    assert!(error.to_string().contains("t:2:"), "{error}");
    assert!(error.to_string().contains("gpu.subgroup_reduce"), "{error}");
}

#[test]
fn nul_byte_is_refused() {
    let error = Session::new().parse("n", "module {\0}").err().unwrap();
    assert!(matches!(error, MlirError::NulByte { .. }));
}

#[test]
fn irdl_dialect_becomes_known() {
    let session = Session::new();
    assert!(session.parse("m", "module { \"toy.thing\"() : () -> () }").is_err());
    session.load_irdl("module { irdl.dialect @toy { irdl.operation @thing {} } }").unwrap();
    session.parse("m", "module { \"toy.thing\"() : () -> () }").unwrap();
    assert!(session.load_irdl("module { irdl.dialect @toy { irdl.operation @x { %0 = irdl.is 5 } } ").is_err());
}

#[test]
fn sessions_live_side_by_side_on_threads() {
    let prints: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let session = Session::new();
                    let mut module = session.parse("add", ADD).unwrap();
                    module.lower(Part::Host).unwrap();
                    module.print()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(prints.iter().all(|p| *p == prints[0]));
}
