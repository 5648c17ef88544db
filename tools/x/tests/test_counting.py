"""What the counting in suites.py and ptxas.py makes of real reports."""

import tempfile
import unittest
from pathlib import Path

import ptx_page
import ptxas
import suites
import testing


class Counting(unittest.TestCase):
    def test_sums_all_occurrences(self):
        text = "test result: ok. 3 passed; 0 failed\ntest result: FAILED. 2 passed; 4 failed\n"
        self.assertEqual(suites.counts(r"(\d+) passed", text), 5)
        self.assertEqual(suites.counts(r"(\d+) failed", text), 4)

    def test_reads_the_summary_of_nextest(self):
        text = "   Summary [   0.1s] 11 tests run: 7 passed (1 slow), 3 failed, 1 timed out, 2 skipped\n  FAIL 9 passed\n"
        self.assertEqual(suites.nextest_counts(text), (7, 4))
        self.assertEqual(suites.nextest_counts("error: could not compile"), (0, 0))

    def test_spills_are_added_up(self):
        report = "    0 bytes stack frame, 16 bytes spill stores, 8 bytes spill loads\n"
        self.assertEqual(ptxas.spilled_bytes(report), 24)
        self.assertEqual(ptxas.spilled_bytes(report.replace("16", "0").replace(" 8 ", " 0 ")), 0)

    def test_stack_frames_are_added_up(self):
        report = "    0 bytes stack frame, 0 bytes spill stores\n    40 bytes stack frame, 8 bytes spill loads\n"
        self.assertEqual(ptxas.stack_bytes(report), 40)

    def test_reads_the_target_of_ptx(self):
        self.assertEqual(ptxas.target_of(".version 8.0\n.target sm_90a, debug\n"), "sm_90a")
        self.assertIsNone(ptxas.target_of("// .target sm_80\n"))


class Ptxas(unittest.TestCase):
    KERNEL = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k() { %s }\n"

    def assemble(self, body):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "k.ptx"
            path.write_text(self.KERNEL % body)
            return ptxas.assemble(ptxas.find_ptxas(), path)

    def test_good_ptx_passes(self):
        self.assertEqual(self.assemble("ret;"), ptxas.Assembled())

    def test_bad_ptx_fails(self):
        self.assertIn("ptxas says", self.assemble("no.such.instruction;").error)

    def test_stack_of_a_kernel_is_counted(self):
        body = """.local .align 4 .b8 a[64]; .reg .b64 %p, %q, %r; .reg .b32 %t, %v; mov.b64 %p, a;
            mov.u32 %t, %tid.x; mul.wide.u32 %q, %t, 4; add.s64 %q, %p, %q; st.local.u32 [%q], %t;
            mov.u32 %t, %ctaid.x; mul.wide.u32 %r, %t, 4; add.s64 %r, %p, %r; ld.local.u32 %v, [%r];
            st.global.u32 [%r], %v; ret;"""
        self.assertGreaterEqual(self.assemble(body).stack, 64)


class PtxTable(unittest.TestCase):
    def test_texts_of_several_models_count_once_in_the_last_line(self):
        facts = {"a": (None, ptxas.Assembled(stack=8)), "b": (None, ptxas.Assembled(error="no"))}
        rows = [ptxas.Row("one", ["a"] * 6), ptxas.Row("two", ["a", "b"] * 3, ["did not compile"])]
        lines = ptx_page.table(rows, facts).splitlines()[2:]
        self.assertEqual(lines[0], "| one | 1 | 1 | 0 | 0 | 8 |")
        self.assertEqual(lines[1], "| two | 1 | 2 | 2 | 0 | 8 |")
        self.assertEqual(lines[2], "| **all** | 2 | 2 | 2 | 0 | 8 |")

    def test_spills_and_errors_are_problems(self):
        facts = {"a": ("a.ptx", ptxas.Assembled(spills=4)), "b": ("b.ptx", ptxas.Assembled(error="b is wrong"))}
        wrong = ptxas.problems([ptxas.Row("m", ["a", "b"], ["m did not compile"])], facts)
        self.assertEqual(wrong, ["m did not compile", "b is wrong", "a.ptx: 4 bytes of spills"])


class Options(unittest.TestCase):
    def test_only_takes_known_steps(self):
        self.assertEqual(testing.parse(["--only", "lit", "--bless"]), (["lit"], {"bless": True}))
        with self.assertRaises(testing.Failed):
            testing.parse(["--only", "nothing"])


class Totals(unittest.TestCase):
    def test_a_step_that_cannot_run_is_one_failure(self):
        def broken(_options):
            raise testing.Failed("no")

        testing.STEPS["broken"] = broken
        self.addCleanup(testing.STEPS.pop, "broken")
        result, _ = testing.run_step("broken", {})
        self.assertEqual((result.passed, result.failed), (0, 1))


if __name__ == "__main__":
    unittest.main()
