"""What gpu-check computes around its measurements; the measurements need a GPU."""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import cases
import check
import numpy as np
import onnx
import peers
import problems
import report


def found(**steps):
    return {"environment": {"date": "2026-01-01"}, "steps": steps}


class Problems(unittest.TestCase):
    def test_names_and_slugs_are_unique(self):
        for table in (problems.LARGE, problems.SMALL):
            self.assertEqual(len({problem.slug for problem in table}), len(table))

    def test_models_are_valid_and_give_the_stated_shape(self):
        for problem in (*problems.LARGE, *problems.SMALL):
            model = problems.model(problem)
            onnx.checker.check_model(model, full_check=True)
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
            shape = tuple(d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim)
            self.assertEqual(shape, problem.result(), problem.name)

    def test_every_family_is_timed_checked_and_has_peers(self):
        torch = SimpleNamespace(nn=SimpleNamespace(functional=None))
        for table in (problems.LARGE, problems.SMALL):
            self.assertEqual({problem.family for problem in table}, set(problems.FAMILIES))
        self.assertEqual(set(peers.expressions(torch)), set(problems.FAMILIES))

    def test_work_is_counted(self):
        product = problems.of("matmul", "bf16", m=2, n=3, k=5)
        self.assertEqual((product.flops(), product.moved()), (60, 2 * (10 + 15 + 6)))
        causal = problems.of("attention, causal", "bf16", b=1, h=1, s=4, d=2)
        self.assertEqual(causal.flops(), 4 * 4 * 4 * 2 // 2)

    def test_products_of_few_rows_are_bound_by_memory(self):
        self.assertEqual(problems.of("matmul", "bf16", m=1, n=8, k=8).limit(), "copy")
        self.assertEqual(problems.of("matmul", "bf16", m=64, n=8, k=8).limit(), "matmul")


class Cases(unittest.TestCase):
    def test_every_operator_rounds_its_result(self):
        problem = problems.of("swiglu", "f16", m=4, n=4, k=4)
        inputs = cases.random_inputs(problem, np.random.default_rng(3))
        a, g, u = (value.astype(np.float32) for value in inputs.values())
        rounded = lambda value: value.astype(np.float16).astype(np.float32)  # noqa: E731
        p, q = rounded(a @ g), rounded(a @ u)
        expected = rounded(rounded(p * rounded(1 / (1 + np.exp(-p)))) * q)
        np.testing.assert_allclose(cases.expected(problems.model(problem), inputs), expected, rtol=2e-3)


class Report(unittest.TestCase):
    def test_what_was_not_run_is_said_for_every_problem(self):
        page = report.page(found())
        self.assertIn("Not yet run", page)
        for problem in problems.LARGE:
            self.assertIn(f"| {problem.name} | not yet run |", page)

    def test_the_page_of_no_gpu_is_kept_until_there_is_one(self):
        bench = Path(__file__).parents[3] / "docs" / "bench"
        chips = list(bench.glob("nvidia-*.md"))
        kept = (bench / "gpu.md").read_text() if (bench / "gpu.md").exists() else None
        self.assertEqual(kept, None if chips else report.page(found()), "python3 tools/gpu/report.py > docs/bench/gpu.md")

    def test_ratios_and_limits(self):
        problem = problems.LARGE[0]
        limits = {"copy": 1e12, "bf16": problem.flops() / 10e-6, "f16": 1e12, "f32": 1e12}
        row = {"name": problem.name, "tenfold": {"us": 20.0}, "torch": {"us": 15.0}, "XLA": {"error": "none"}}
        page = report.page(found(times={"limits": limits, "rows": [row], "seconds": 1}))
        self.assertIn(f"| {problem.name} | 20.0 | 15.0 | not yet run | failed | 10.0 | 0.50 | 0.75 |", page)

    def test_every_kind_of_failure_is_listed(self):
        wrong = report.failures(found(
            cases={"node": {"passed": 1, "all": 3, "must": 2, "lost": [{"name": "a", "reason": "b"}]}, "seconds": 1},
            models={"models": {"error": "no driver"}, "seconds": 1},
            large={"large problems": [{"name": "c", "difference": 1.0, "right": False}], "seconds": 1},
            times={"limits": {}, "rows": [{"name": "d", "error": "out of time"}], "seconds": 1},
        ))
        self.assertEqual(wrong, ["node: a: b", "models: no driver", "c: 1.0", "time of d: out of time"])

    def test_files_are_named_after_the_chip(self):
        result = found()
        result["environment"]["gpu"] = "NVIDIA H100 80GB HBM3"
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(report.write(result, Path(folder)).name, "nvidia-h100-80gb-hbm3.md")
            self.assertTrue((Path(folder) / "nvidia-h100-80gb-hbm3.json").exists())


class Check(unittest.TestCase):
    def test_differences_are_measured_against_the_size_of_values(self):
        expected = np.array([1.0, -1.0, 0.0])
        self.assertEqual(check.difference(np, expected, expected), 0)
        small = check.difference(np, expected + 1e-3, expected)
        self.assertGreater(small, 4e-4)
        self.assertLess(small, 2e-3)
        self.assertTrue(np.isnan(check.difference(np, np.array([np.nan, 0, 0]), expected)))


if __name__ == "__main__":
    unittest.main()
