#!/usr/bin/env python3
"""Writes cases of products with quantized weights: weight_only.py FOLDER.

Every case is a folder in ONNX's layout with what ONNX Runtime computed. The attributes of
`MatMulNBits` and of `DequantizeLinear` before a product are covered in all kinds, with sizes
on and off the borders of blocks. `tenfold test FOLDER` runs them.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import oracle
import weight_only_llama
from onnx import TensorProto, helper, numpy_helper

FLOAT = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16}
NUMPY = {"f32": np.float32, "f16": np.float16}
# ONNX Runtime rounds products of f16 in places of its own.
TOLERANCE = {"f32": {"rtol": 1e-3, "atol": 1e-4}, "f16": {"rtol": 2e-2, "atol": 2e-2}}
CODES = {"int4": (4, -8), "uint4": (4, 0), "int8": (8, -128), "uint8": (8, 0)}


def packed(codes, bits):
    """Codes along the last axis as bytes, lowest bits first; the last byte is filled up with zeros."""
    per = 8 // bits
    fill = -codes.shape[-1] % per
    codes = np.concatenate([codes, np.zeros((*codes.shape[:-1], fill), codes.dtype)], -1)
    parts = codes.reshape(*codes.shape[:-1], -1, per).astype(np.uint16) & (2**bits - 1)
    return (parts << (np.arange(per) * bits)).sum(-1).astype(np.uint8)


class Case:
    """A model that grows node by node, its inputs, and the numbers that they are made of."""

    def __init__(self, name, dtype="f32"):
        self.name, self.dtype, self.tolerance = name, dtype, TOLERANCE[dtype]
        self.random = np.random.default_rng(sum(name.encode()))
        self.nodes, self.weights, self.inputs, self.feeds, self.sets = [], [], [], {}, None

    def floats(self, *shape):
        return self.random.standard_normal(shape).astype(NUMPY[self.dtype])

    def weight(self, name, value, data_type=None, shape=None):
        if data_type is None:
            tensor = numpy_helper.from_array(value, name)
        else:
            tensor = helper.make_tensor(name, data_type, shape, value.tobytes(), raw=True)
        self.weights.append(tensor)
        return name

    def input(self, name, value, dims=None):
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims or value.shape))
        self.feeds[name] = value
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        return output

    def write(self, root, opset=21):
        output = helper.make_tensor_value_info("y", FLOAT[self.dtype], None)
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [output], self.weights)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        folder = root / self.name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        session = session_for(folder / "model.onnx")
        for at, feed in enumerate(self.sets or [self.feeds]):
            oracle.write_set(folder / f"test_data_set_{at}", session, {}, feed)
        (folder / "case.json").write_text(json.dumps(self.tolerance) + "\n")


def session_for(path):
    """A session that takes nodes as they are: optimized ones round the left side to bytes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def quantities(case, n, k, bits, block, zero):
    """Codes [n, blocks, block], scales [n, blocks], and zero points as `zero` says."""
    blocks = -(-k // block)
    codes = case.random.integers(0, 2**bits, (n, blocks, block))
    scales = (case.random.random((n, blocks)) * 0.02 + 0.01).astype(NUMPY[case.dtype])
    if zero == "packed":
        return codes, scales, packed(case.random.integers(0, 2**bits, (n, blocks)), bits)
    if zero == "float":
        return codes, scales, (case.random.random((n, blocks)) * (2**bits - 1)).astype(NUMPY[case.dtype])
    return codes, scales, None


def nbits(rows, n, k, bits=4, block=32, zero=None, dtype="f32", bias=False, order=False, dynamic=False, level=0):
    """One `MatMulNBits`; `rows` are the leading sizes of its left operand."""
    words = [f"{bits}bit", f"block{block}", "x".join(map(str, rows)), f"{n}x{k}", zero and f"{zero}-zero", dtype]
    words += [bias and "bias", order and "order", dynamic and "dynamic", level and f"level{level}"]
    case = Case("nbits_" + "_".join(word for word in words if word), dtype)
    codes, scales, zeros = quantities(case, n, k, bits, block, zero)
    dims = [f"d{at}" for at in range(len(rows))] + [k] if dynamic else None
    names = [case.input("x", case.floats(*rows, k), dims), case.weight("w", packed(codes, bits)), case.weight("s", scales)]
    names.append(case.weight("z", zeros) if zeros is not None else "")
    names.append(case.weight("g", case.random.integers(0, codes.shape[1], k).astype(np.int32)) if order else "")
    names.append(case.weight("b", case.floats(n)) if bias else "")
    attributes = {"N": n, "K": k, "bits": bits, "block_size": block, "accuracy_level": level}
    if level == 4:
        case.tolerance = {"rtol": 2e-2, "atol": 3e-2}
    case.node("MatMulNBits", names, "y", "com.microsoft", **attributes)
    return case


def linear(kind, form, rows, n, k, block=32, zero=False, dtype="f32", dynamic=False):
    """A constant through `DequantizeLinear` into a product: `form` is matmul, transposed or gemm.

    Without blocks, `block` 0, every column has its scale.
    """
    words = [kind, form, f"block{block}" if block else "columns", str(rows), f"{n}x{k}", zero and "zero", dtype, dynamic and "dynamic"]
    case = Case("linear_" + "_".join(word for word in words if word), dtype)
    bits, low = CODES[kind]
    shape, axis = ((k, n), 0) if form == "matmul" else ((n, k), 1)
    grid = list(shape)
    grid[axis] = -(-shape[axis] // block) if block else 1
    if not block:
        grid, axis = [n], 1 - axis
    data_type = getattr(TensorProto, kind.upper())

    def integers(name, shape):
        codes = case.random.integers(low, low + 2**bits, shape)
        raw = packed(codes.reshape(-1), bits)
        return case.weight(name, raw, data_type, shape)

    names = [integers("w", shape), case.weight("s", (case.random.random(grid) * 0.02 + 0.01).astype(NUMPY[dtype]))]
    names += [integers("z", grid)] if zero else []
    blocks = {"block_size": block} if block else {}
    case.node("DequantizeLinear", names, "d", axis=axis, **blocks)
    x = case.input("x", case.floats(rows, k), ["rows", k] if dynamic else None)
    if form == "gemm":
        case.node("Gemm", [x, "d", case.weight("b", case.floats(n))], "y", transB=1)
    else:
        right = case.node("Transpose", ["d"], "t", perm=[1, 0]) if form == "transposed" else "d"
        case.node("MatMul", [x, right], "y")
    return case


def cases():
    """All cases. Weights of less than 64 KiB would be decoded when compiling, so nearly all have more."""
    for bits in (2, 4, 8):
        for block in (16, 32, 64, 128, 256):
            yield nbits([1], 160, 512, bits, block)
        # ONNX Runtime has no floats as zero points of 8 bits on processors.
        for zero in (None, "packed", "float")[: 2 if bits == 8 else 3]:
            yield nbits([2, 3], 390, 192, bits, 32, zero, bias=zero is None)
            yield nbits([33], 390, 192, bits, 64, zero, dynamic=True)
            # The last block is not full, and neither is the last byte of the zero points.
            yield nbits([4], 901, 80, bits, 32, zero)
        yield nbits([1], 320, 256, bits, 32, "packed", dtype="f16")
        yield nbits([20], 320, 256, bits, 32, dtype="f16", bias=True)
        yield nbits([3], 533, 128, bits, 32, "packed", dynamic=True, bias=True)
        yield nbits([2], 7, 96, bits, 32, "packed")
    for level in (1, 4):
        # Level 4 permits to round the left side to bytes, which ONNX Runtime does and Tenfold does not.
        yield nbits([2], 700, 96, 4, 32, level=level)
    yield nbits([5], 1100, 64, 4, 16, order=True)
    # With an order, ONNX Runtime on processors takes no notice of packed zero points.
    yield nbits([2], 900, 80, 4, 32, order=True)
    yield nbits([1, 1], 1100, 64, 4, 64, "packed", dynamic=True)
    yield nbits([7, 1, 3], 257, 256, 4, 128, "packed", bias=True, dynamic=True)
    for kind in CODES:
        for form in ("matmul", "transposed", "gemm"):
            yield linear(kind, form, 3, 548, 128, 32, zero=form != "gemm")
        yield linear(kind, "matmul", 40, 548, 128, 64, dynamic=True)
        yield linear(kind, "gemm", 1, 750, 96, 16, zero=True)
        yield linear(kind, "matmul", 9, 730, 96, 48, dtype="f16")
        yield linear(kind, "matmul", 3, 548, 128, 0, zero=True, dynamic=True)
        yield linear(kind, "gemm", 20, 730, 96, 0)
    # A block that is not full stays what it was.
    yield linear("int4", "matmul", 2, 1700, 40, 32)
    yield weight_only_llama.case(Case, packed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    for case in cases():
        try:
            case.write(options.folder)
        except Exception as error:
            raise SystemExit(f"{case.name}: {error}") from error


if __name__ == "__main__":
    main()
