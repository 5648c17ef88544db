//! The kernel of `examples/throughput.rs` computes what it should; how fast is no test.

#[test]
fn a_loop_of_multiplications_ends_with_its_sum() {
    let body = "mov.u32 %r1, 0; mov.u32 %r2, 0;
        $L: mad.lo.u32 %r2, %r2, 3, %t; add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 5; @%p1 bra $L;
        mul.wide.u32 %a1, %t, 4; add.s64 %a2, %d, %a1; st.global.u32 [%a2], %r2;";
    assert_eq!(super::results(body, 3, &[0; 3]), [0, 121, 242]);
}
