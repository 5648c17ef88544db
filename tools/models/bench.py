#!/usr/bin/env python3
"""Compares Tenfold with ONNX Runtime on the host, model by model.

Every model runs on its first test set. Rounds alternate between ONNX Runtime
and Tenfold with 1 and 2 threads, so that all see the same machine; each number
is the median over the rounds' medians. Prints a table and, where all models
ran, writes docs/bench/host.md.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import catalog
import onnx
import onnxruntime as ort
from onnx import numpy_helper

TENFOLD = catalog.ROOT / "target" / "release" / "tenfold"
REPORT = catalog.ROOT / "docs" / "bench" / "host.md"
THREADS = (1, 2)
SECONDS_PER_TURN = 0.7


def read_inputs(entry):
    """The first test set: {name: (array, file)} in the order of the model's inputs."""
    feed = {}
    for path in sorted((catalog.folder(entry) / "test_data_set_0").glob("input_*.pb")):
        tensor = onnx.TensorProto.FromString(path.read_bytes())
        feed[tensor.name] = (numpy_helper.to_array(tensor), path)
    return feed


def ort_session(entry, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads must not take the machine from whoever has the next turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(str(catalog.model_path(entry)), options, providers=["CPUExecutionProvider"])


def ort_turn(session, feed):
    """Median milliseconds of one turn."""
    arrays = {name: array for name, (array, _) in feed.items()}
    session.run(None, arrays)
    times, end = [], time.perf_counter() + SECONDS_PER_TURN
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, arrays)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


# Linux counts the memory of the process that started a program as the program's
# own peak, so a small interpreter stands in between.
SMALL_PARENT = """
import json, os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_maxrss / 1024], file)
"""


def measured(command):
    """Runs a program: (standard output, seconds, peak memory in MB)."""
    words = [str(word) for word in command]
    with tempfile.NamedTemporaryFile("r") as facts:
        parent = [sys.executable, "-I", "-S", "-c", SMALL_PARENT, facts.name, *words]
        out = subprocess.run(parent, stdout=subprocess.PIPE, check=True).stdout
        code, seconds, peak = json.load(facts)
    if code != 0:
        raise RuntimeError(f"exit code {code}: {' '.join(words)}")
    return out, seconds, peak


def tenfold_turn(artifact, feed, threads):
    """(median milliseconds, peak memory in MB) of one turn."""
    command = [TENFOLD, "bench", artifact, "--json", "--threads", threads]
    for name, (_, path) in feed.items():
        command += ["--input", f"{name}={path}"]
    out, _, peak = measured(command)
    return json.loads(out)["latency_ms"]["median"], peak


def ort_peak(entry):
    """Peak memory in MB of a process that loads and runs the model with ONNX Runtime."""
    return measured([sys.executable, __file__, "--only-run", entry["name"]])[2]


def bench_tenfold(entry, feed, artifact):
    """Compiles without and with a filled cache; (seconds, peak memory in MB, seconds with the cache)."""
    command = [TENFOLD, "compile", catalog.model_path(entry), "-o", artifact, *catalog.compile_flags(entry)]
    _, seconds, peak = measured([*command, "--no-cache"])
    with tempfile.TemporaryDirectory() as cache:
        measured([*command, "--cache-dir", cache])
        _, warm, _ = measured([*command, "--cache-dir", cache])
    tenfold_turn(artifact, feed, THREADS[-1])
    return seconds, peak, warm


def bench_model(entry, rounds):
    """All numbers of one model."""
    feed = read_inputs(entry)
    sessions = {n: ort_session(entry, n) for n in THREADS}
    times = {(who, n): [] for who in ("ort", "tenfold") for n in THREADS}
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder) / "model.tenfold"
        compile_seconds, compile_peak, warm_seconds = bench_tenfold(entry, feed, artifact)
        run_peak = 0.0
        for _ in range(rounds):
            for n in THREADS:
                times["ort", n].append(ort_turn(sessions[n], feed))
                milliseconds, peak = tenfold_turn(artifact, feed, n)
                times["tenfold", n].append(milliseconds)
                run_peak = max(run_peak, peak)
    row = {f"{who}_{n}": statistics.median(values) for (who, n), values in times.items()}
    shapes = ", ".join("x".join(map(str, a.shape)) or "scalar" for a, _ in feed.values())
    return row | {
        "name": entry["name"], "shapes": shapes, "compile_s": compile_seconds,
        "warm_s": warm_seconds, "compile_mb": compile_peak, "run_mb": run_peak, "ort_mb": ort_peak(entry),
    }


def machine():
    """What the numbers were measured on."""
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    name = names[0] if names else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {kib / 2**20:.0f} GiB"


def table(rows):
    """The markdown table."""
    lines = [
        "| model | inputs | ORT 1 thread, ms | ORT 2, ms | Tenfold 1, ms | Tenfold 2, ms | Tenfold / ORT at 2 "
        "| compile, s | with a cache, s | compile peak, MB | run peak, MB | ORT peak, MB |",
        "|---|---|" + "--:|" * 10,
    ]
    for r in rows:
        lines.append(
            f"| {r['name']} | {r['shapes']} | {r['ort_1']:.2f} | {r['ort_2']:.2f} | {r['tenfold_1']:.2f} "
            f"| {r['tenfold_2']:.2f} | {r['tenfold_2'] / r['ort_2']:.2f} | {r['compile_s']:.1f} | {r['warm_s']:.1f} "
            f"| {r['compile_mb']:.0f} | {r['run_mb']:.0f} | {r['ort_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def page(rows, rounds):
    """docs/bench/host.md."""
    return (
        "# Host: Tenfold and ONNX Runtime\n\n"
        f"Written by `./x bench` on {datetime.date.today().isoformat()}.\n"
        f"Machine: {machine()}. ONNX Runtime {ort.__version__}, {platform.system()}.\n\n"
        f"Latency is the median of {rounds} alternating turns, each the median of at least three runs.\n"
        "Compile time is from the file to the artifact, by the command line, without a cache and with all kernels in one; "
        "peaks are of whole processes.\n\n"
        + table(rows)
    )


def run_once(name):
    """Loads and runs one model, for its peak memory."""
    entry = catalog.select([name], [])[0]
    ort_session(entry, THREADS[-1]).run(None, {n: a for n, (a, _) in read_inputs(entry).items()})


def bench_all(entries, rounds):
    """The rows of the models that ran, and the names of the others."""
    rows, broken = [], []
    for entry in entries:
        try:
            rows.append(bench_model(entry, rounds))
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
        except (RuntimeError, KeyError, ValueError) as problem:
            broken.append(entry["name"])
            print(f"{entry['name']}: {problem}", file=sys.stderr, flush=True)
    return rows, broken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all, and then docs/bench/host.md is written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only-run", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only_run:
        run_once(args.only_run)
        return
    rows, broken = bench_all(catalog.select(args.names, ["test", "models"]), args.rounds)
    print(table(rows), end="")
    if broken:
        raise SystemExit(f"not measured: {', '.join(broken)}")
    if not args.names:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(page(rows, args.rounds))


if __name__ == "__main__":
    main()
