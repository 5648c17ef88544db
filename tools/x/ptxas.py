"""Compiles models to PTX for every target and assembles each file with ptxas."""

import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess

import models as catalogued
from shell import VENV, Failed, binary, last_lines, run, say

TARGETS = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100"]


def find_ptxas():
    """The ptxas of the virtual environment."""
    found = sorted(VENV.glob("lib/python*/site-packages/nvidia/**/bin/ptxas"))
    if not found:
        raise Failed("no ptxas in .venv; run ./x setup")
    return found[0]


def spilled_bytes(report):
    """Bytes that kernels spill, out of what `ptxas -v` says."""
    return sum(int(n) for n in re.findall(r"(\d+) bytes spill (?:stores|loads)", report))


def target_of(text):
    """The architecture that a PTX file names."""
    found = re.search(r"^\.target\s+(sm_\w+)", text, re.MULTILINE)
    return found.group(1) if found else None


def assemble(program, path):
    """Assembles one file; gives None, or what is wrong."""
    target = target_of(path.read_text())
    if target is None:
        return f"{path}: no .target line"
    command = [str(program), "-v", f"-arch={target}", "-o", os.devnull, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    if done.returncode != 0:
        return f"{path}: ptxas says\n{last_lines(report, 5)}"
    spills = spilled_bytes(report)
    return f"{path}: {spills} bytes of spills" if spills else None


def compile_model(model, out):
    """Writes the PTX of one model under `out`; gives None, or what is wrong."""
    out.mkdir(parents=True)
    command = [binary("tenfold"), "compile", model, "-o", out / "model.tenfold", "--dump-dir", out]
    command += catalogued.compile_flags(model.parent)
    for target in TARGETS:
        command += ["--target", f"nvptx:{target}"]
    done = run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        return f"{model}: exit code {done.returncode}: {last_lines(done.stderr, 5)}"
    lacking = set(TARGETS) - {target_of(p.read_text()) for p in out.rglob("*.ptx")}
    return f"{model}: no PTX for {', '.join(sorted(lacking))}" if lacking else None


def distinct(files):
    """One path for each different content."""
    by_hash = {}
    for path in files:
        by_hash.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(by_hash.values())


def check(models, out):
    """Compiles and assembles everything; (passed, failed, open, notes)."""
    program = find_ptxas()
    shutil.rmtree(out, ignore_errors=True)
    compiled = [compile_model(model, out / model.parent.name) for model in models]
    files = distinct(sorted(out.rglob("*.ptx")))
    say(f"assembling {len(files)} PTX files")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        assembled = list(pool.map(lambda path: assemble(program, path), files))
    notes = [problem for problem in compiled + assembled if problem]
    return len(models) + len(files) - len(notes), len(notes), 0, notes
