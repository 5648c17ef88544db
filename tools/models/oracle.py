#!/usr/bin/env python3
"""Writes what ONNX Runtime computes for every test model.

For each model of the manifest that is present, and each of its test sets:
models/<name>/test_data_set_<n>/input_<i>.pb and output_<i>.pb, ONNX's layout,
and models/<name>/case.json with the tolerance that `tenfold test` applies.
Nothing is done where the model, its sets and these scripts are unchanged.
"""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import catalog
import inputs
import meanings
import onnxruntime as ort
from onnx import numpy_helper


# What two correct programs may differ by on a whole model of float32 values.
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def session_for(path):
    """A session of one thread, so that sums are always taken in the same order."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write_values(folder, prefix, names, values):
    """Writes values in the order of `names`."""
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        data = numpy_helper.from_array(value, name).SerializeToString(deterministic=True)
        (folder / f"{prefix}_{index}.pb").write_bytes(data)


def write_set(folder, session, test_set, feed):
    """Runs one set of inputs and writes both sides, if they mean what the set says."""
    in_names = [i.name for i in session.get_inputs()]
    out_names = [o.name for o in session.get_outputs()]
    results = session.run(out_names, feed)
    meanings.check(test_set, results, session)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_values(folder, "input", in_names, [feed[name] for name in in_names])
    write_values(folder, "output", out_names, results)


def write_tolerance(folder):
    """Writes case.json."""
    (folder / "case.json").write_text(json.dumps(TOLERANCE) + "\n")


def stamp_of(entry):
    """What the written sets depend on."""
    facts = catalog.model_path(entry).stat()
    scripts = [Path(module.__file__) for module in (sys.modules[__name__], inputs, meanings, *inputs.SOURCES)]
    scripts += sorted(catalog.FIXTURES.glob("*.*")) + sorted(catalog.REAL.glob("*.*"))
    digest = hashlib.sha256()
    for script in scripts:
        digest.update(script.read_bytes())
    mark = [entry["sets"], facts.st_size, facts.st_mtime_ns, ort.__version__, digest.hexdigest()]
    return json.dumps(mark)


def write_sets(entry):
    """Writes all sets of one model; tells whether there was anything to do."""
    stamp = catalog.folder(entry) / "oracle.stamp"
    wanted = stamp_of(entry)
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    session = session_for(catalog.model_path(entry))
    folders = [catalog.folder(entry) / f"test_data_set_{index}" for index in range(len(entry["sets"]))]
    for old in set(catalog.folder(entry).glob("test_data_set_*")) - set(folders):
        shutil.rmtree(old)
    for index, test_set in enumerate(entry["sets"]):
        feed = inputs.build(entry["name"], index, test_set, session)
        try:
            write_set(folders[index], session, test_set, feed)
        except ValueError as problem:
            raise SystemExit(f"{entry['name']}, set {index}: {problem}") from None
    write_tolerance(catalog.folder(entry))
    stamp.write_text(wanted)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all models that are present")
    args = parser.parse_args()
    for entry in catalog.select(args.names, ["test", "models", "extra"]):
        if catalog.model_path(entry).exists() and write_sets(entry):
            print(f"{entry['name']}: {len(entry['sets'])} test sets", file=sys.stderr)


if __name__ == "__main__":
    main()
