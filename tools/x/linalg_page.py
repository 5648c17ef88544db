"""The table of `./x bench linalg`: our kernels beside linalg's through MLIR's own passes, and docs/bench/linalg.md."""

import datetime
import os
import subprocess
from pathlib import Path

from shell import ROOT, TARGET, cargo, run

PAGE = ROOT / "docs" / "bench" / "linalg.md"
GRAPHS = Path("tools") / "linalg" / "graphs"


def machine():
    """The processor's name, how many, and memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    kib = int(next(l for l in Path("/proc/meminfo").read_text().splitlines() if l.startswith("MemTotal")).split()[1])
    return f"{names[0] if names else 'unknown'}, {os.cpu_count()} cores, {kib / 2**20:.0f} GiB"


def page(table):
    """The whole page."""
    return (
        "# Our kernels and linalg's\n\n"
        f"Written by `./x bench linalg` on {datetime.date.today().isoformat()}.\n"
        f"Machine: {machine()}. One thread.\n\n"
        "Each graph is optimized once and compiled twice: by our road, and as linalg (`tenfold dump --as linalg`) by MLIR's own passes:\n"
        "elementwise fusion, then either plain loops for LLVM's vectorizer, or a script of the `transform` dialect that tiles, fuses and\n"
        "vectorizes (`tools/linalg/src/scripts.rs`, with sizes chosen by hand for these graphs); the faster one counts.\n"
        "Both end in the same LLVM at `-O3` with the same features, run in the same runtime, and compute functions by the same polynomials.\n"
        "Times are in turns: the least of 20 runs in each of 21 turns, and of those the median. Compile time is from the graph to machine code,\n"
        "once, and noisy. Results of both are compared before anything is timed.\n\n" + table
    )


def report():
    """Builds, times, prints and writes the page."""
    cargo("build", "--release", "--quiet", "-p", "linalg-road")
    done = run([TARGET / "release" / "linalg-bench", GRAPHS], text=True, stdout=subprocess.PIPE)
    print(done.stdout, end="", flush=True)
    PAGE.write_text(page(done.stdout))
