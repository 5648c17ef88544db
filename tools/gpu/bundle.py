#!/usr/bin/env python3
"""Packs what `check.py` needs into one archive that runs on a machine with a driver, Python and PyTorch only.

Holds the stripped compiler, ONNX's cases and their lists, trained and small models, and the problems' ONNX files.
Needs the packages of tools/models/requirements.txt.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cases

HERE = Path(__file__).resolve().parent
SCRIPTS = ("check.py", "peers.py", "problems.py", "report.py")
# Beyond this the archive is a burden to carry.
LIMIT = 60 << 20


def assemble(options, folder):
    """Puts everything into a folder."""
    for script in SCRIPTS:
        shutil.copy(HERE / script, folder / script)
    shutil.copy(options.tenfold, folder / "tenfold")
    subprocess.run([options.strip, folder / "tenfold"], check=True)
    for kind in sorted(path for path in options.cases.iterdir() if path.is_dir()):
        shutil.copytree(kind, folder / "cases" / kind.name)
    (folder / "lists").mkdir()
    for listing in sorted(options.lists.glob("onnx-*-sim-passed.txt")):
        shutil.copy(listing, folder / "lists" / listing.name)
    for model in options.models:
        shutil.copytree(model, folder / "models" / model.name)
    cases.write_large(folder / "large")
    cases.write_small(folder / "small")


def pack(folder, out):
    """Writes the archive aside and renames it."""
    aside = out.with_suffix(".part")
    with tarfile.open(aside, "w:xz", preset=6) as archive:
        archive.add(folder, "gpu-check", filter=anonymous)
    aside.replace(out)


def anonymous(member):
    """Without names and times of this machine."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tenfold", type=Path, required=True, help="the compiler, linked statically")
    parser.add_argument("--strip", default="strip", help="the program that strips it")
    parser.add_argument("--cases", type=Path, required=True, help="ONNX's cases, a folder for each kind")
    parser.add_argument("--lists", type=Path, required=True, help="the lists of cases that pass on the simulator")
    parser.add_argument("--model", dest="models", type=Path, action="append", default=[], help="a model's folder")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        assemble(options, Path(scratch))
        pack(Path(scratch), options.out)
    size = options.out.stat().st_size
    print(f"{options.out}: {size / (1 << 20):.1f} MiB", file=sys.stderr)
    return 1 if size > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
