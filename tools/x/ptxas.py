"""Compiles models to PTX for every target and assembles each different file with ptxas."""

import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

import models as catalogued
from shell import SMALL_MODELS, VENV, Failed, binary, last_lines, run, say

TARGETS = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100"]
N_PARALLEL = 2


@dataclass
class Assembled:
    """What ptxas says of one file: `error` is its message, the rest counts bytes of all kernels in it."""

    error: str | None = None
    spills: int = 0
    stack: int = 0


@dataclass
class Row:
    """What became of one model; `files` holds the digest of each of its PTX files."""

    name: str
    files: list = field(default_factory=list)
    problems: list = field(default_factory=list)


def find_ptxas():
    """The ptxas of the virtual environment."""
    found = sorted(VENV.glob("lib/python*/site-packages/nvidia/**/bin/ptxas"))
    if not found:
        raise Failed("no ptxas in .venv; run ./x setup")
    return found[0]


def ptxas_version():
    """The line of `ptxas --version` that names the release."""
    text = subprocess.run([str(find_ptxas()), "--version"], capture_output=True, text=True, check=True).stdout
    return next(line for line in text.splitlines() if "release" in line)


def spilled_bytes(report):
    """Bytes that kernels spill, out of what `ptxas -v` says."""
    return sum(int(n) for n in re.findall(r"(\d+) bytes spill (?:stores|loads)", report))


def stack_bytes(report):
    """Bytes of stack frames, out of what `ptxas -v` says."""
    return sum(int(n) for n in re.findall(r"(\d+) bytes stack frame", report))


def target_of(text):
    """The architecture that a PTX file names."""
    found = re.search(r"^\.target\s+(sm_\w+)", text, re.MULTILINE)
    return found.group(1) if found else None


def assemble(program, path):
    """Assembles one file."""
    target = target_of(path.read_text())
    if target is None:
        return Assembled(error=f"{path}: no .target line")
    command = [str(program), "-v", f"-arch={target}", "-o", os.devnull, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    if done.returncode != 0:
        return Assembled(error=f"{path}: ptxas says\n{last_lines(report, 5)}")
    return Assembled(spills=spilled_bytes(report), stack=stack_bytes(report))


def compile_model(model, out):
    """Writes the PTX of one model under `out`; gives None, or what is wrong."""
    out.mkdir(parents=True)
    artifact = out / "model.tenfold"
    command = [binary("tenfold"), "compile", model, "-o", artifact, "--dump-dir", out, "--dump-elided"]
    command += catalogued.compile_flags(model.parent)
    for target in TARGETS:
        command += ["--target", f"nvptx:{target}"]
    done = run(command, check=False, capture_output=True, text=True)
    artifact.unlink(missing_ok=True)  # The weights of all models are gigabytes.
    if done.returncode != 0:
        return f"{model}: exit code {done.returncode}: {last_lines(done.stderr, 5)}"
    lacking = set(TARGETS) - {target_of(p.read_text()) for p in out.rglob("*.ptx")}
    return f"{model}: no PTX for {', '.join(sorted(lacking))}" if lacking else None


def name_of(model):
    """A model's folder; the small ones bear the names of large ones."""
    folder = model.parent
    return f"small {folder.name}" if folder.parent == SMALL_MODELS else folder.name


def collect(model, out, by_digest):
    """Compiles one model; notes each new content in `by_digest`."""
    row = Row(name_of(model))
    folder = out / row.name.replace(" ", "-")
    problem = compile_model(model, folder)
    if problem:
        row.problems.append(problem)
    for path in sorted(folder.rglob("*.ptx")):
        digest = hashlib.sha256(path.read_bytes()).digest()
        by_digest.setdefault(digest, path)
        row.files.append(digest)
    return row


def survey(models, out):
    """Compiles and assembles everything: (a row for each model, {digest: (path, Assembled)})."""
    program = find_ptxas()
    shutil.rmtree(out, ignore_errors=True)
    by_digest = {}
    rows = [collect(model, out, by_digest) for model in models]
    say(f"assembling {len(by_digest)} PTX files")
    with concurrent.futures.ThreadPoolExecutor(N_PARALLEL) as pool:
        assembled = list(pool.map(lambda path: assemble(program, path), by_digest.values()))
    facts = zip(by_digest.values(), assembled, strict=True)
    return rows, dict(zip(by_digest, facts, strict=True))


def problems(rows, facts):
    """One line for each model that did not compile and each file that is wrong or spills."""
    notes = [problem for row in rows for problem in row.problems]
    notes += [done.error for _, done in facts.values() if done.error]
    return notes + [f"{path}: {done.spills} bytes of spills" for path, done in facts.values() if done.spills]


def check(models, out):
    """Compiles and assembles everything; (passed, failed, open, notes)."""
    rows, facts = survey(models, out)
    notes = problems(rows, facts)
    return len(rows) + len(facts) - len(notes), len(notes), 0, notes
