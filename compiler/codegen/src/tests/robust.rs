//! Errors, determinism, threads.

use mlir::Session;

use super::host::add;
use super::{gpu, host_function};
use crate::{Error, HostTarget, PtxTarget, Source, compile_host, host_code, ptx};

#[test]
fn same_text_same_bytes() {
    let target = HostTarget::native();
    let first = host_code(&Session::new(), &add(), &target).unwrap();
    let session = Session::new();
    host_code(&session, &host_function("other", ""), &target).unwrap();
    let named = Source { name: "another name", text: &add() };
    assert_eq!(host_code(&session, named, &target).unwrap(), first);
    let target: PtxTarget = "sm_90a".parse().unwrap();
    let text = gpu::kernel("");
    assert_eq!(ptx(&session, &text, &target).unwrap(), ptx(&Session::new(), &text, &target).unwrap());
}

#[test]
fn threads_keep_the_order_and_the_bytes() {
    let texts: Vec<String> = (0..9).map(|i| add().replace("@add", &format!("@add{i}"))).collect();
    let sources: Vec<Source<'_>> = texts.iter().map(Source::from).collect();
    let target = HostTarget::level("x86-64-v3").unwrap();
    let one = compile_host(&sources, &target, 1, &|_| true).unwrap();
    let many = compile_host(&sources, &target, 3, &|_| true).unwrap();
    assert_eq!(one, many);
    for (i, code) in many.iter().enumerate() {
        assert!(code.entry(&format!("add{i}")).is_some());
    }
    assert!(compile_host(&[], &target, 4, &|_| true).unwrap().is_empty());
}

#[test]
fn a_caller_that_says_no_stops_the_rest() {
    let texts: Vec<String> = (0..9).map(|i| add().replace("@add", &format!("@add{i}"))).collect();
    let sources: Vec<Source<'_>> = texts.iter().map(Source::from).collect();
    let target = HostTarget::level("x86-64-v3").unwrap();
    let error = compile_host(&sources, &target, 1, &|done| done < 4).unwrap_err();
    assert!(matches!(error, Error::Stopped { done: 4, of: 9 }), "{error}");
    let error = compile_host(&sources, &target, 3, &|_| false).unwrap_err();
    assert!(matches!(error, Error::Stopped { done: 0, of: 9 }), "{error}");
}

#[test]
fn first_error_in_order_wins() {
    let good = add();
    let sources =
        [Source { name: "good", text: &good }, Source { name: "bad1", text: "%" }, Source { name: "bad2", text: "%" }];
    let error = compile_host(&sources, &HostTarget::native(), 2, &|_| true).unwrap_err();
    assert!(error.to_string().contains("bad1"), "{error}");
}

#[test]
fn unknown_external_is_named() {
    let text = "func.func private @mystery()\n".to_owned() + &host_function("k", "  func.call @mystery() : () -> ()");
    let error = host_code(&Session::new(), &text, &HostTarget::native()).unwrap_err();
    let Error::Symbol { symbol, .. } = &error else { panic!("{error}") };
    assert_eq!(symbol, "mystery");
}

#[test]
fn writable_data_is_refused() {
    let text = "llvm.mlir.global internal @counter(0 : i64) : i64\n".to_owned()
        + &host_function(
            "k",
            "  %g = llvm.mlir.addressof @counter : !llvm.ptr\n  \
             %v = llvm.load volatile %g : !llvm.ptr -> i64\n  llvm.store volatile %end, %g : i64, !llvm.ptr",
        );
    let error = host_code(&Session::new(), &text, &HostTarget::native()).unwrap_err();
    assert!(matches!(error, Error::Section { .. }), "{error}");
}

#[test]
fn bad_inline_assembly_is_an_error() {
    let text = host_function("k", "  llvm.inline_asm has_side_effects \"frobnicate %rax\", \"\" : () -> ()");
    let error = host_code(&Session::new(), &text, &HostTarget::native()).unwrap_err();
    assert!(matches!(error, Error::Llvm { .. } | Error::Fatal { .. }), "{error}");
    assert!(error.to_string().contains("frobnicate") || error.to_string().contains("mnemonic"), "{error}");
}

#[test]
fn unknown_host_is_an_error() {
    let target: HostTarget = "vax-unknown-linux-gnu/generic/".parse().unwrap();
    let error = host_code(&Session::new(), &add(), &target).unwrap_err();
    assert!(matches!(error, Error::Target { .. }), "{error}");
}
