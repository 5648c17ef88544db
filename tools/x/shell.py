"""Paths, and running other programs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "target"
VENV = ROOT / ".venv"
VENV_TORCH = ROOT / ".venv-torch"
MODELS = ROOT / "models"
SMALL_MODELS = ROOT / "tests" / "models" / "small"
LLVM = Path("/usr/lib/llvm-22")


class Failed(Exception):
    """A step ended; the message says what to do."""


def say(text):
    """One line of progress on standard error."""
    print(f"x: {text}", file=sys.stderr, flush=True)


def run(command, check=True, **options):
    """Runs a program in the repository's root."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, cwd=options.pop("cwd", ROOT), check=False, **options)
    except FileNotFoundError:
        raise Failed(f"no program {command[0]}") from None
    if check and done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {' '.join(command)}")
    return done


def python(script, *arguments, venv=VENV):
    """Runs one of our scripts in a virtual environment."""
    return run([venv / "bin" / "python", ROOT / script, *arguments])


def have(program):
    """Whether a program is on the path."""
    return shutil.which(program) is not None


def cargo(*arguments, **options):
    """Runs cargo, with LLVM's programs on the path."""
    env = dict(os.environ, PATH=f"{os.environ['PATH']}:{LLVM}/bin")
    return run(["cargo", *arguments], env=env, **options)


def binary(name):
    """A program that `cargo build --release` made."""
    return TARGET / "release" / name


def last_lines(text, n=15):
    """The end of a long output."""
    return "\n".join(text.rstrip().splitlines()[-n:])
