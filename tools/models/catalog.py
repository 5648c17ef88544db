"""The list of test models (manifest.json) and where their files lie.

A model belongs to a tier: `test` models come ready from PyPI and are part of
`./x test`; `models` are exported by torch (`./x models`, `./x bench`); `extra`
are fetched only when named.
"""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT / "models"
FIXTURES = ROOT / "tests" / "models"
REAL = HERE / "real"


def load():
    """All entries of the manifest, in its order."""
    return json.loads((HERE / "manifest.json").read_text())["models"]


def select(names, tiers):
    """The entries called `names`, or those of `tiers` where no name is given."""
    entries = load()
    known = {entry["name"] for entry in entries}
    unknown = sorted(set(names) - known)
    if unknown:
        raise SystemExit(f"unknown model {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return [e for e in entries if (e["name"] in names if names else e["tier"] in tiers)]


def folder(entry):
    """The folder of one model in ONNX's test layout."""
    return MODELS / entry["name"]


def model_path(entry):
    """The ONNX file of one model."""
    return folder(entry) / "model.onnx"


def compile_flags(entry):
    """What a compile has to be told of a model; paths in the manifest are relative to the model's folder."""
    def with_folder(flag):
        name, _, file = flag.partition("=")
        return f"{name}={folder(entry) / file}" if file and (folder(entry) / file).exists() else flag

    return [with_folder(flag) for flag in entry.get("compile", [])]
