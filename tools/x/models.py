"""Fetching and exporting the test models."""

import json
import sys

from shell import MODELS, ROOT, VENV_TORCH, Failed, python

sys.path.append(str(ROOT / "tools" / "models"))
import catalog  # noqa: E402  It lies beside the scripts that the virtual environment runs.


def entries():
    """The models of tools/models/manifest.json."""
    return json.loads((ROOT / "tools" / "models" / "manifest.json").read_text())["models"]


def prepare(names):
    """Everything for the models named, or for all of the tiers `test` and `models`."""
    known = {e["name"]: e for e in entries()}
    unknown = [n for n in names if n not in known]
    if unknown:
        raise Failed(f"no model {', '.join(unknown)}; known: {', '.join(known)}")
    names = names or [n for n, e in known.items() if e["tier"] != "extra"]
    fetched = [n for n in names if not known[n]["origin"].get("export")]
    exported = [n for n in names if known[n]["origin"].get("export")]
    exported = [n for n in exported if not (MODELS / n / "model.onnx").exists()]
    if fetched:
        python("tools/models/fetch.py", *fetched)
    if exported:
        python("tools/models/export.py", *exported, venv=VENV_TORCH)
    python("tools/models/oracle.py", *names)


def compile_flags(folder):
    """What a compile has to be told of the model in this folder."""
    return next((catalog.compile_flags(entry) for entry in entries() if entry["name"] == folder.name), [])
