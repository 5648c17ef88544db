"""LLVM's lit for Tenfold: `.venv/bin/lit tests/lit`, with `tenfold` and `tenfold-opt` on the path or in target/release."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lit.formats

here = Path(__file__).resolve().parent
root = here.parent.parent

config.name = "tenfold"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".graph", ".onnxtxt", ".test"]
config.test_source_root = str(here)
config.test_exec_root = str(root / "target" / "lit")


def llvm_bin():
    """The folder of FileCheck and `not`."""
    for name in ("llvm-config-22", "llvm-config"):
        found = shutil.which(name)
        if found:
            folder = subprocess.run([found, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
            if (Path(folder) / "FileCheck").exists():
                return folder
    return "/usr/lib/llvm-22/bin"


folders = [os.environ.get("PATH", ""), str(root / "target" / "release"), llvm_bin()]
config.environment["PATH"] = os.pathsep.join(folders)
# A test compiles what it tests.
config.environment["TENFOLD_CACHE_DIR"] = ""
for tool in ("tenfold", "tenfold-opt", "FileCheck", "mlir-opt", "not"):
    if not shutil.which(tool, path=config.environment["PATH"]):
        lit_config.fatal(f"no {tool} on the path: ./x setup and cargo build --release")

# Models are written in ONNX's own text form.
config.substitutions.append(("%onnx", f"{sys.executable} {here / 'onnx_text.py'}"))
# NVIDIA's assembler and disassembler of the test set-up; they need no GPU.
for tool in ("ptxas", "nvdisasm"):
    found = sorted(root.glob(f".venv/lib/python3*/site-packages/nvidia/cu*/bin/{tool}"))
    if found:
        config.available_features.add(tool)
        config.substitutions.append((f"%{tool}", str(found[0])))
