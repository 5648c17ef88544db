"""`./x gpu-bundle` and `./x gpu-check`: the checks that need an NVIDIA GPU, on machines that may have nothing else."""

import shutil
import tarfile
from pathlib import Path

import suites
from shell import LLVM, ROOT, TARGET, Failed, binary, python, run, say

BUNDLE = TARGET / "gpu-check.tar.xz"
UNPACKED = TARGET / "gpu-check"
# Small enough to be carried, with weights that were trained.
MODELS = ("ppocr_cls", "magika", "silero_vad")


def bundle():
    """Writes the archive; the compiler must be built."""
    suites.write_onnx_suite()
    python("tools/models/fetch.py", *MODELS)
    python("tools/models/oracle.py", *MODELS)
    small = sorted(path.parent for path in suites.SMALL_MODELS.glob("*/model.onnx"))
    models = [suites.MODELS / name for name in MODELS] + small
    flags = [word for folder in models for word in ("--model", folder)]
    python(
        "tools/gpu/bundle.py", "--tenfold", binary("tenfold"), "--strip", LLVM / "bin" / "llvm-strip",
        "--cases", suites.ONNX_SUITE, "--lists", suites.ONNX_LISTS, *flags, "--out", BUNDLE)


def unpack(archive):
    """The bundle's folder, fresh."""
    if not archive.exists():
        raise Failed(f"no bundle {archive}: make it with ./x gpu-bundle, on any machine")
    shutil.rmtree(UNPACKED, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(TARGET, filter="data")


def find_python():
    """A Python with PyTorch."""
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found and run([found, "-c", "import torch, numpy"], check=False, capture_output=True).returncode == 0:
            return found
    raise Failed("gpu-check compares with PyTorch: no python3 here imports torch and numpy")


def check(arguments):
    """Runs the bundle on this machine's GPU; arguments are those of check.py."""
    words = list(arguments)
    archive = Path(words.pop(0)).resolve() if words and not words[0].startswith("-") else BUNDLE
    interpreter = find_python()
    TARGET.mkdir(exist_ok=True)
    unpack(archive)
    say(f"checking with {interpreter}")
    out = [] if "--out" in words else ["--out", ROOT / "docs" / "bench"]
    return run([interpreter, UNPACKED / "check.py", *out, *words], check=False).returncode
