#!/usr/bin/env python3
"""Exports the architectures of the manifest to ONNX with torch's exporter.

Needs the packages of requirements-torch.txt. Writes models/<name>/model.onnx
(with model.onnx.data beside it where the weights are external). Weights are
seeded, so the same versions write the same numbers.
"""

import argparse
import os
import shutil
import sys
import time

import architectures
import catalog
import fetch
import torch


def write_onnx(export, path, opset=20):
    """Exports aside, then renames, so that no half-written model is left."""
    aside = path.parent / "part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    with torch.no_grad():
        torch.onnx.export(
            export.model.eval(), export.args, str(aside / path.name), dynamo=True, opset_version=opset,
            input_names=export.inputs, output_names=export.outputs, dynamic_shapes=export.dynamic,
            external_data=export.external, verbose=False,
        )
    for file in sorted(aside.iterdir()):
        os.replace(file, path.parent / file.name)
    aside.rmdir()


def export_one(entry):
    """Exports one entry of the manifest."""
    start = time.monotonic()
    if "package" in entry["origin"]:
        fetch.fetch([entry])
    torch.manual_seed(0)
    write_onnx(architectures.ALL[entry["name"]](), catalog.model_path(entry))
    print(f"{entry['name']}: exported in {time.monotonic() - start:.0f} s", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all exported models")
    parser.add_argument("--force", action="store_true", help="export again what is there")
    args = parser.parse_args()
    for entry in catalog.select(args.names, ["models"]):
        if entry["origin"].get("export") and (args.force or not catalog.model_path(entry).exists()):
            export_one(entry)


if __name__ == "__main__":
    main()
