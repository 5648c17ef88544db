#!/usr/bin/env python3
"""Everything that needs an NVIDIA GPU: are the kernels right, and how fast are they?

Runs from the folder of an unpacked bundle (`./x gpu-bundle`), with a driver and a Python that has NumPy and PyTorch.
Writes <gpu>.md and <gpu>.json.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers
import problems
import report

HERE = Path(__file__).resolve().parent
STEPS = ("cases", "models", "small", "large", "times")
# Twice the second-level cache of the largest chips, twice over.
COLD_BYTES = 512 << 20
RUNS = 30


def say(text):
    print(f"gpu-check: {text}", file=sys.stderr, flush=True)


class Bench:
    """The program under test and the folder that it is in."""

    def __init__(self, options, scratch):
        self.tenfold = HERE / "tenfold"
        self.device = options.device
        self.deadline = time.monotonic() + options.minutes * 60
        self.scratch = scratch

    def left(self):
        """Seconds until the end."""
        return self.deadline - time.monotonic()

    def run(self, *words):
        """Runs `tenfold`; gives (exit code, output, errors). Too late is a failure too."""
        command = [str(word) for word in (self.tenfold, *words)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=max(self.left(), 1))
        except subprocess.TimeoutExpired:
            return -1, "", "out of time"
        return done.returncode, done.stdout, done.stderr.strip()

    def test(self, folders, must=None):
        """`tenfold test`; counts what had to pass and did not."""
        out = self.scratch / "cases.json"
        out.unlink(missing_ok=True)
        code, _, errors = self.run("test", *folders, "--device", self.device, "--limit", 120, "--json", out)
        if not out.exists():
            return {"error": f"exit code {code}: {errors[-2000:]}"}
        cases = json.loads(out.read_text())["cases"]
        passed = {case["name"] for case in cases if case["status"] == "passed"}
        wanted = {case["name"] for case in cases} if must is None else must
        reasons = {case["name"]: case.get("reason", "") for case in cases}
        lost = [{"name": name, "reason": reasons.get(name, "not run")} for name in sorted(wanted - passed)]
        return {"passed": len(passed), "all": len(cases), "must": len(wanted), "lost": lost}


def check_cases(bench):
    """ONNX's own cases: those that pass on the simulator."""
    found = {}
    for kind in sorted(path for path in (HERE / "cases").iterdir()):
        must = set((HERE / "lists" / f"onnx-{kind.name}-sim-passed.txt").read_text().split())
        found[kind.name] = bench.test([kind], must)
    return found


def check_models(bench):
    """Trained and small models, against ONNX Runtime."""
    return {"models": bench.test(sorted((HERE / "models").iterdir()))}


def check_small(bench):
    """Problems with edges, against ONNX Runtime."""
    return {"small problems": bench.test(sorted((HERE / "small").iterdir()))}


def difference(numpy, got, expected):
    """The largest difference, as a part of the expected values' size."""
    scale = float(numpy.sqrt(numpy.mean(expected.astype(numpy.float64) ** 2))) or 1.0
    return float(numpy.max(numpy.abs(got - expected) / (numpy.abs(expected) + scale)))


def check_large(bench):
    """The problems that are timed, against PyTorch."""
    import numpy
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return {"large problems": [check_one(bench, numpy, torch, problem) for problem in problems.LARGE]}


def check_one(bench, numpy, torch, problem):
    """One problem against PyTorch on the same values."""
    if bench.left() < 60:
        return {"name": problem.name, "error": "out of time"}
    inputs = peers.random_inputs(torch, problem)
    expected = peers.expressions(torch)[problem.family](*inputs).float().cpu().numpy()
    arguments = []
    for name, tensor in zip(problem.inputs(), inputs):
        file = bench.scratch / f"{name}.npy"
        numpy.save(file, tensor.float().cpu().numpy())
        arguments += ["--input", f"{name}={file}"]
    del inputs
    out = bench.scratch / "out.npz"
    out.unlink(missing_ok=True)
    model = HERE / "large" / problem.slug / "model.onnx"
    code, _, errors = bench.run("run", model, *arguments, "--device", bench.device, "--outputs", out)
    if code != 0:
        return {"name": problem.name, "error": f"exit code {code}: {errors[-1000:]}"}
    got = numpy.load(out)["y"].astype(numpy.float32)
    found = difference(numpy, got, expected) if got.shape == expected.shape else float("inf")
    return {"name": problem.name, "difference": found, "right": found <= problems.TOLERANCE[problem.dtype]}


def ours(bench, problem):
    """Microseconds of our kernels, and which they are."""
    model = HERE / "large" / problem.slug / "model.onnx"
    flags = ["--runs", RUNS, "--cold", COLD_BYTES, "--json"]
    code, text, errors = bench.run("bench", model, "--device", bench.device, *flags)
    if code != 0:
        return {"error": f"exit code {code}: {errors[-1000:]}"}
    found = json.loads(text)
    return {"us": found["device_ms"]["median"] * 1e3, "compile_ms": found["compile_ms"], "kernels": found["kernels"]}


def guarded(function, *arguments):
    """A peer that fails is a row that says so, not the end."""
    try:
        return {"us": function(*arguments)}
    except Exception as error:  # any failure of a peer's own code
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}


def measure_times(bench):
    """Our times beside the peers' and the chip's limits."""
    import torch

    clock = peers.Clock(torch, COLD_BYTES)
    rows = []
    for problem in problems.LARGE:
        if bench.left() < 30:
            rows.append({"name": problem.name, "error": "out of time"})
            continue
        row = {"name": problem.name, "tenfold": ours(bench, problem)}
        inputs = peers.random_inputs(torch, problem)
        row["torch"] = guarded(peers.eager, torch, clock, problem, inputs)
        row["torch.compile"] = guarded(peers.compiled, torch, clock, problem, inputs)
        row["XLA"] = guarded(peers.xla, torch, problem, inputs)
        rows.append(row)
        say(f"{problem.name}: " + ", ".join(
            f"{who} {row[who]['us']:.1f} us" for who in report.WHO if "us" in row[who]))
    return {"limits": peers.limits(torch, clock), "rows": rows}


def environment(bench):
    """What this machine is."""
    code, text, errors = bench.run("doctor", "--json")
    found = {"doctor": json.loads(text) if code == 0 else errors, "date": datetime.date.today().isoformat()}
    for package in ("torch", "triton", "jax", "numpy"):
        try:
            found[package] = __import__(package).__version__
        except ImportError:
            found[package] = None
    if found["torch"] and bench.device.startswith("cuda"):
        import torch

        found["gpu"] = torch.cuda.get_device_name()
    return found


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("."), help="the folder for <gpu>.md and <gpu>.json")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or sim:sm_NN for a rehearsal of the checks")
    parser.add_argument("--minutes", type=float, default=20, help="what is not done by then is reported as not done")
    parser.add_argument("--only", action="append", choices=STEPS, help="only this step; may be repeated")
    return parser.parse_args()


def check(options, scratch):
    """Runs the steps, and writes what is found after each; gives everything."""
    bench = Bench(options, scratch)
    found = {"environment": environment(bench), "steps": {}}
    functions = dict(zip(STEPS, (check_cases, check_models, check_small, check_large, measure_times)))
    for step in options.only or STEPS:
        say(step)
        start = time.monotonic()
        found["steps"][step] = {**functions[step](bench), "seconds": time.monotonic() - start}
        report.write(found, options.out)
    say(f"wrote {report.write(found, options.out)}")
    return found


def main():
    options = parse()
    # JAX would take most of the memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        found = check(options, Path(scratch))
    return 1 if report.failures(found) else 0


if __name__ == "__main__":
    sys.exit(main())
