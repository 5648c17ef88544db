#!/usr/bin/env python3
"""Writes the problems as files: ONNX models, and for those with edges what is right.

Needs the packages of tools/models/requirements.txt.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import problems


def write_large(folder):
    """The problems that are timed."""
    for problem in problems.LARGE:
        path = folder / problem.slug
        path.mkdir(parents=True)
        onnx.save(problems.model(problem), path / "model.onnx")


def write_small(folder):
    """The problems with edges as cases in ONNX's test layout; ONNX Runtime or the standard's own code says what is right."""
    for number, problem in enumerate(problems.SMALL):
        model = problems.model(problem)
        sets = folder / problem.slug / "test_data_set_0"
        sets.mkdir(parents=True)
        onnx.save(model, sets.parent / "model.onnx")
        inputs = random_inputs(problem, numpy.random.default_rng(number))
        for at, (name, value) in enumerate(inputs.items()):
            (sets / f"input_{at}.pb").write_bytes(tensor(value, name).SerializeToString())
        (sets / "output_0.pb").write_bytes(tensor(expected(model, inputs), "y").SerializeToString())
        tolerance = problems.TOLERANCE[problem.dtype]
        (sets.parent / "case.json").write_text(json.dumps({"rtol": tolerance, "atol": tolerance}))


def random_inputs(problem, rng):
    """Normally distributed values of the problem's type."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, problems.ONNX_TYPES[problem.dtype]))
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in problem.inputs().items()}


def expected(model, inputs):
    """The result when every operator computes in `f32` and rounds its result to the type."""
    dtype = next(iter(inputs.values())).dtype
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    values = {**constants, **inputs}
    for node in model.graph.node:
        operands = {name: widened(values[name], dtype) for name in node.input}
        values[node.output[0]] = one_node(node, operands).astype(dtype)
    return values["y"]


def widened(value, dtype):
    """As `f32` if it is of the problem's type; indices stay."""
    return value.astype(numpy.float32) if value.dtype == dtype else value


def one_node(node, operands):
    """What ONNX Runtime makes of one operator in `f32`."""
    types = {name: onnx.helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in operands.items()}
    inputs = [onnx.helper.make_tensor_value_info(name, types[name], value.shape) for name, value in operands.items()]
    output = onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([node], "node", inputs, [output])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", problems.OPSET)], ir_version=11)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, operands)[0]


def tensor(value, name):
    """As the standard's protobuf."""
    return onnx.numpy_helper.from_array(value, name)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: cases.py FOLDER; writes the problems with edges there")
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    write_small(folder)


if __name__ == "__main__":
    main()
