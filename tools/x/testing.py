"""`./x test`: every step in order, one table, the totals.

A step returns a `Result`. A step that cannot run counts as one failure, and
the steps after it still run, except that nothing runs without a build.
"""

import sys
import time
import traceback
from dataclasses import dataclass, field

import suites
from setup import setup
from shell import Failed, cargo, say


@dataclass
class Result:
    """What one step found; `open` counts known gaps, which are no failures."""

    passed: int
    failed: int
    open: int = 0
    notes: list = field(default_factory=list)


def build(_options):
    """The programs that the later steps call, optimised."""
    cargo("build", "--release", "--workspace", "--quiet")
    return Result(1, 0)


def from_counts(function):
    """A step out of a function that gives (passed, failed, open, notes)."""
    return lambda options: Result(*function(options))


# In order. Steps need the build; the build needs the setup.
STEPS = {
    "build": build,
    "rust": from_counts(suites.rust),
    "python": from_counts(suites.scripts),
    "lit": from_counts(suites.lit),
    "models": from_counts(suites.models),
    "onnx": from_counts(suites.onnx),
    "sim": from_counts(suites.sim),
    "ptx": from_counts(suites.ptx),
}


def run_step(name, options):
    """Runs one step; a failure to run is one failed test."""
    say(f"test: {name}")
    start = time.monotonic()
    try:
        result = STEPS[name](options)
    except Failed as failure:
        result = Result(0, 1, notes=[str(failure)])
    except Exception:  # whatever breaks, the summary must say so
        result = Result(0, 1, notes=[traceback.format_exc()])
    return result, time.monotonic() - start


def run_steps(names, options):
    """Runs the steps; without a build nothing else is tried."""
    rows = []
    for name in names:
        result, seconds = run_step(name, options)
        rows.append((name, result, seconds))
        for note in result.notes:
            print(f"{name}: {note}", flush=True)
        if name == "build" and result.failed:
            break
    return rows


def print_table(rows):
    """The summary, and the totals as the last line."""
    print(f"\n{'step':<10}{'passed':>8}{'failed':>8}{'not yet':>9}{'seconds':>9}")
    for name, result, seconds in rows:
        print(f"{name:<10}{result.passed:>8}{result.failed:>8}{result.open:>9}{seconds:>9.0f}")
    passed = sum(result.passed for _, result, _ in rows)
    failed = sum(result.failed for _, result, _ in rows)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return failed


def parse(arguments):
    """`--bless` and any number of `--only STEP`."""
    only, bless, rest = [], False, list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--bless":
            bless = True
        elif word == "--only" and rest and rest[0] in STEPS:
            only.append(rest.pop(0))
        else:
            raise Failed(f"test takes --bless and --only STEP, with STEP one of {', '.join(STEPS)}")
    return only, {"bless": bless}


def main(arguments):
    """Runs all steps, or the named ones; 1 if anything failed."""
    only, options = parse(arguments)
    setup()
    names = [n for n in STEPS if not only or n in only]
    failed = print_table(run_steps(names, options))
    sys.stdout.flush()
    return 1 if failed else 0
