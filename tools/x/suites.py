"""The test suites: how each is run and how its result is counted.

Every function gives (passed, failed, open, notes).
"""

import hashlib
import json
import os
import re
import subprocess

import ptxas
from shell import LLVM, MODELS, ROOT, SMALL_MODELS, TARGET, VENV, Failed, binary, have, last_lines, python, run

ONNX_LISTS = ROOT / "tests" / "conformance"
ONNX_SUITE = TARGET / "onnx-suite"


def counts(pattern, text):
    """The sum of a number over all its occurrences."""
    return sum(int(n) for n in re.findall(pattern, text))


def captured(command, **options):
    """Runs a program, shows its output as it is, and gives it back."""
    done = run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    print(done.stdout, end="", flush=True)
    return done


def rust(_options):
    """Unit, property and golden tests of the workspace, and the examples in its docs."""
    if have("cargo-nextest"):
        results = [nextest(), cargo_test("--doc")]
    else:
        results = [cargo_test("--lib", "--bins", "--tests"), cargo_test("--doc")]
    notes = []
    total_failed = 0
    for done, _, failed in results:
        if done.returncode != 0 and failed == 0:
            failed = 1
            notes.append(f"did not finish: {' '.join(map(str, done.args))}\n{last_lines(done.stdout)}")
        total_failed += failed
    return sum(passed for _, passed, _ in results), total_failed, 0, notes


def nextest():
    """`cargo nextest` with its numbers, which stand in its summary line. In release, so that LLVM's wrappers build once."""
    flags = ["--workspace", "--release", "--no-fail-fast", "--status-level", "fail", "--color", "never"]
    done = captured(["cargo", "nextest", "run", *flags])
    passed, failed = nextest_counts(done.stdout)
    return done, passed, failed


def nextest_counts(text):
    """(passed, failed) from the summary line of nextest."""
    summary = re.search(r"^ *Summary .*$", text, re.MULTILINE)
    line = summary.group(0) if summary else ""
    return counts(r"(\d+) passed", line), counts(r"(\d+) (?:failed|timed out|exec failed)", line)


def cargo_test(*which):
    """`cargo test` with its numbers."""
    done = captured(["cargo", "test", "--workspace", "--release", "--quiet", "--no-fail-fast", *which])
    line = r"test result: \w+\. %s"
    passed = counts(line % r"(\d+) passed", done.stdout)
    return done, passed, counts(line % r"\d+ passed; (\d+) failed", done.stdout)


def scripts(_options):
    """The unit tests of our own scripts."""
    env = dict(os.environ, PYTHONPATH=f"{ROOT}/tools/x:{ROOT}/tools/models:{ROOT}/tools/gpu", PYTHONDONTWRITEBYTECODE="1")
    done = captured([VENV / "bin" / "python", "-m", "unittest", "discover", "-s", "tools/x/tests"], env=env)
    total = counts(r"Ran (\d+) test", done.stdout)
    failed = counts(r"(?:failures|errors)=(\d+)", done.stdout)
    if done.returncode != 0 and failed == 0:
        raise Failed("the scripts' tests did not finish")
    return total - failed, failed, 0, []


def lit(_options):
    """LLVM's lit over tests/lit."""
    folder = ROOT / "tests" / "lit"
    if not folder.exists():
        raise Failed("tests/lit is missing")
    report = TARGET / "lit.json"
    report.unlink(missing_ok=True)
    path = f"{TARGET}/release:{LLVM}/bin:{os.environ['PATH']}"
    captured([VENV / "bin" / "lit", "-v", "--no-progress-bar", "--output", report, folder], env=dict(os.environ, PATH=path))
    if not report.exists():
        raise Failed("lit did not finish")
    codes = [test["code"] for test in json.loads(report.read_text())["tests"]]
    good = sum(code in ("PASS", "XFAIL", "FLAKYPASS") for code in codes)
    unsupported = sum(code in ("UNSUPPORTED", "SKIPPED", "EXCLUDED") for code in codes)
    return good, len(codes) - good - unsupported, unsupported, []


def tenfold_test(folders, report, seconds, device="host"):
    """`tenfold test`; gives {case name: passed} from its report."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    checks = ["--sanitize"] if device == "sim" else []
    command = [binary("tenfold"), "test", *folders, "--device", device, *checks, "--json", report]
    try:
        done = run(command, check=False, timeout=seconds, stdout=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failed(f"tenfold test took over {seconds} s") from None
    if not report.exists():
        raise Failed(f"tenfold test wrote no report, exit code {done.returncode}")
    return json.loads(report.read_text())["cases"]


def is_pass(case):
    """Whether a case of the report passed."""
    return case["status"] == "passed"


def model_folders(tiers=("test",)):
    """The folders of all models that the tests use: fetched ones and small ones."""
    import models

    fetched = [MODELS / e["name"] for e in models.entries() if e["tier"] in tiers]
    return fetched + sorted(p.parent for p in SMALL_MODELS.glob("*/model.onnx"))


def models(_options):
    """Trained and small models against what ONNX Runtime computed."""
    python("tools/models/fetch.py")
    python("tools/models/oracle.py")
    folders = model_folders()
    cases = tenfold_test(folders, TARGET / "models.json", 1200)
    bad = [case for case in cases if not is_pass(case)]
    notes = [f"{case['name']}: {case.get('reason', '')}" for case in bad]
    missing = max(0, len(folders) - len(cases))
    if missing:
        notes.append(f"{missing} of {len(folders)} models are not in the report")
    return len(cases) - len(bad), len(bad) + missing, 0, notes


def onnx(options):
    """ONNX's own cases: those that passed once must pass, the others are counted."""
    write_onnx_suite()
    totals, notes = [0, 0, 0], []
    for kind in sorted(path.name for path in ONNX_SUITE.iterdir() if path.is_dir()):
        passed, failed, still_open, lines = onnx_kind(kind, options["bless"])
        totals = [a + b for a, b in zip(totals, (passed, failed, still_open))]
        notes += lines
    passed, failed, lines = all_of("products with quantized weights", weight_only_folders(), "host")
    return totals[0] + passed, totals[1] + failed, totals[2], notes + lines


def weight_only_folders():
    """The cases of products with quantized weights, written anew."""
    root = TARGET / "weight-only"
    python("tools/models/weight_only.py", root)
    return sorted(path.parent for path in root.glob("*/model.onnx"))


def sim(options):
    """ONNX's own cases, the small models and the kernels of gpu-check on the PTX simulator with all checks. No subset."""
    write_onnx_suite()
    totals, notes = [0, 0, 0], []
    for kind in sorted(path.name for path in ONNX_SUITE.iterdir() if path.is_dir()):
        passed, failed, still_open, lines = onnx_kind(kind, options["bless"], "sim")
        totals = [a + b for a, b in zip(totals, (passed, failed, still_open))]
        notes += lines
    kernels = TARGET / "gpu-cases"
    python("tools/gpu/cases.py", kernels)
    groups = [(f"small {what}", sorted(p.parent for p in root.glob("*/model.onnx")))
              for what, root in (("models", SMALL_MODELS), ("kernels", kernels))]
    for what, folders in [*groups, ("products with quantized weights", weight_only_folders())]:
        passed, failed, lines = all_of(what, folders, "sim")
        totals[0], totals[1] = totals[0] + passed, totals[1] + failed
        notes += lines
    return *totals, notes


def all_of(what, folders, device):
    """Cases that must all pass on a device: (passed, failed, notes)."""
    cases = tenfold_test(folders, TARGET / f"{what.replace(' ', '-')}-{device}.json", 600, device)
    bad = [case for case in cases if not is_pass(case)]
    notes = [f"{case['name']}: {case.get('reason', '')}" for case in bad]
    n_passed = len(cases) - len(bad)
    return n_passed, len(folders) - n_passed, [*notes, f"{what}: {n_passed} of {len(folders)} pass"]


def write_onnx_suite():
    """Writes the cases, unless this script and these packages wrote them before."""
    sources = ["tools/models/onnx_suite.py", "tools/models/requirements.txt"]
    wanted = "".join(hashlib.sha256((ROOT / source).read_bytes()).hexdigest() for source in sources)
    marker = ONNX_SUITE / "complete"
    if not marker.exists() or marker.read_text() != wanted:
        python("tools/models/onnx_suite.py", ONNX_SUITE)
        marker.write_text(wanted)


def onnx_kind(kind, bless, device="host"):
    """One kind of cases on a device against its list of those that passed before."""
    suffix, step = ("", "onnx") if device == "host" else (f"-{device}", device)
    names = {path.name for path in (ONNX_SUITE / kind).iterdir()}
    cases = tenfold_test([ONNX_SUITE / kind], TARGET / f"onnx-{kind}{suffix}.json", 1200, device)
    passing = {case["name"] for case in cases if is_pass(case)} & names
    listing = ONNX_LISTS / f"onnx-{kind}{suffix}-passed.txt"
    listed = set(listing.read_text().split()) if listing.exists() else set()
    lost, new = sorted(listed - passing), sorted(passing - listed)
    notes = [f"{kind}{suffix}: {len(passing)} of {len(names)} cases pass ({len(listed)} must)"]
    notes += [f"{kind}: no longer passes: {name}" for name in lost]
    if new and bless:
        listing.write_text("".join(f"{name}\n" for name in sorted(listed | passing)))
        notes.append(f"{kind}: {len(new)} new cases written to {listing.relative_to(ROOT)}")
    elif new:
        notes.append(f"{kind}: {len(new)} new cases pass; keep them with ./x test --only {step} --bless")
    return len(passing), len(lost), len(names) - len(passing) - len(lost), notes


def ptx(_options):
    """The PTX of every model, for every target, assembled without spills."""
    return ptxas.check([folder / "model.onnx" for folder in model_folders()], TARGET / "ptx")
