#!/usr/bin/env python3
"""Writes the test cases of the installed `onnx` package as folders.

The package builds its node cases in memory; here they become files in ONNX's
classic layout, which `tenfold test` reads:

    OUT/<kind>/<case>/model.onnx
    OUT/<kind>/<case>/test_data_set_<n>/input_<i>.pb, output_<i>.pb
    OUT/<kind>/<case>/case.json      {"name", "kind", "rtol", "atol", "onnx"}

Kinds: node, simple, pytorch-converted, pytorch-operator. The same package
version always writes the same bytes.
"""

import argparse
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator"]


def to_proto(value, name, value_type):
    """Turns one in-memory value into the proto that the layout stores."""
    if isinstance(value, (onnx.TensorProto, onnx.SequenceProto, onnx.OptionalProto)):
        return value
    kind = value_type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(list(value), name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, name)
    return numpy_helper.from_array(np.asarray(value), name)


def write_values(folder, prefix, values, infos):
    """Writes `values` as PREFIX_0.pb, PREFIX_1.pb ... with the names of `infos`."""
    for index, (value, info) in enumerate(zip(values, infos, strict=True)):
        proto = to_proto(value, info.name, info.type)
        (folder / f"{prefix}_{index}.pb").write_bytes(proto.SerializeToString(deterministic=True))


def write_in_memory(case, folder):
    """Writes a case whose model and data live in memory."""
    (folder / "model.onnx").write_bytes(case.model.SerializeToString(deterministic=True))
    for index, (inputs, outputs) in enumerate(case.data_sets or []):
        data = folder / f"test_data_set_{index}"
        data.mkdir()
        graph = case.model.graph
        write_values(data, "input", inputs, list(graph.input)[: len(inputs)])
        write_values(data, "output", outputs, graph.output)


def write_from_folder(case, folder):
    """Copies a case that the package ships as files."""
    source = Path(case.model_dir)
    shutil.copyfile(source / "model.onnx", folder / "model.onnx")
    for data in sorted(source.glob("test_data_set_*")):
        shutil.copytree(data, folder / data.name)


def write_case(case, folder):
    """Writes one case, whatever its origin."""
    folder.mkdir(parents=True)
    if case.model is not None:
        write_in_memory(case, folder)
    else:
        write_from_folder(case, folder)
    facts = {
        "name": case.name,
        "kind": case.kind,
        "rtol": case.rtol,
        "atol": case.atol,
        "onnx": onnx.__version__,
    }
    (folder / "case.json").write_text(json.dumps(facts) + "\n")


def write_suite(out, kinds):
    """Writes all cases of `kinds` and returns how many there are of each."""
    warnings.simplefilter("ignore", RuntimeWarning)  # the cases divide by zero on purpose
    counts = {}
    for kind in kinds:
        np.random.seed(0)
        if (out / kind).exists():
            shutil.rmtree(out / kind)
        cases = load_model_tests(kind=kind)
        for case in cases:
            write_case(case, out / kind / case.name)
        counts[kind] = len(cases)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write, e.g. target/onnx-suite")
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: all")
    args = parser.parse_args()
    counts = write_suite(args.out, args.kind or KINDS)
    print(", ".join(f"{kind} {n}" for kind, n in counts.items()), "total", sum(counts.values()))


if __name__ == "__main__":
    main()
