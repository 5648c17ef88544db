"""What the counting in suites.py and ptxas.py makes of real reports."""

import tempfile
import unittest
from pathlib import Path

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
        self.assertIsNone(self.assemble("ret;"))

    def test_bad_ptx_fails(self):
        self.assertIn("ptxas says", self.assemble("no.such.instruction;"))


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
