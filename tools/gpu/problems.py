"""The kernels that `gpu-check` looks at: what each computes, its operations and bytes, and in which sizes.

A family is one expression; a problem is a family with a type and sizes. `LARGE` is timed, `SMALL` has edges on all
sides and is checked on the simulator too. Needs no packages but for `model`, which builds the ONNX file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

BYTES = {"bf16": 2, "f16": 2, "f32": 4}
ONNX_TYPES = {"bf16": "BFLOAT16", "f16": "FLOAT16", "f32": "FLOAT"}
OPSET = 23
# What one rounding to the type, and one more on the way, may do to a value.
TOLERANCE = {"bf16": 2**-7, "f16": 2**-10, "f32": 2**-14}


@dataclass(frozen=True)
class Family:
    """One expression: input shapes, result shape, operations, ONNX nodes."""

    name: str
    # Sizes to {input: shape}, in order.
    inputs: Callable
    # Sizes to the shape of the result.
    result: Callable
    # Sizes to floating-point operations; 0 where bytes decide.
    flops: Callable
    # ONNX nodes as (operator, inputs, outputs, attributes); the result is `y`.
    nodes: tuple
    # The physical limit: `matmul` (tensor cores) or `copy` (memory).
    limit: str
    # {name: (numbers, is integer)}: constants that the nodes use.
    constants: dict = field(default_factory=dict)


def matmul(name, *after, extra=None):
    """`a[m,k] * b[k,n]` and what follows it."""
    first = ("MatMul", ["a", "b"], ["p" if after else "y"], {})
    return Family(
        name,
        lambda s: {"a": (s["m"], s["k"]), "b": (s["k"], s["n"]), **(extra(s) if extra else {})},
        lambda s: (s["m"], s["n"]),
        lambda s: 2 * s["m"] * s["n"] * s["k"],
        (first, *after),
        "matmul",
    )


def swiglu():
    """`silu(a * g) * (a * u)`: the gate of a Llama's feed-forward block."""
    nodes = (
        ("MatMul", ["a", "g"], ["p"], {}), ("MatMul", ["a", "u"], ["q"], {}), ("Sigmoid", ["p"], ["s"], {}),
        ("Mul", ["p", "s"], ["t"], {}), ("Mul", ["t", "q"], ["y"], {}),
    )
    inputs = lambda s: {"a": (s["m"], s["k"]), "g": (s["k"], s["n"]), "u": (s["k"], s["n"])}  # noqa: E731
    return Family(
        "swiglu", inputs, lambda s: (s["m"], s["n"]), lambda s: 4 * s["m"] * s["n"] * s["k"], nodes, "matmul")


def attention(name, causal):
    """Scaled dot-product attention over `[batch, heads, length, head size]`."""
    node = ("Attention", ["q", "k", "v"], ["y"], {"is_causal": int(causal)})
    shape = lambda s: (s["b"], s["h"], s["s"], s["d"])  # noqa: E731
    # A causal mask leaves half of the products.
    flops = lambda s: 4 * s["b"] * s["h"] * s["s"] * s["s"] * s["d"] // (2 if causal else 1)  # noqa: E731
    return Family(name, lambda s: dict.fromkeys("qkv", shape(s)), shape, flops, (node,), "matmul")


def rows(name, nodes, *vectors):
    """Something on every row of `x[rows, n]`, with vectors of a row's length."""
    inputs = lambda s: {"x": (s["rows"], s["n"]), **{v: (s["n"],) for v in vectors}}  # noqa: E731
    return Family(name, inputs, lambda s: (s["rows"], s["n"]), lambda s: 0, nodes, "copy")


def pointwise(name, nodes, *inputs):
    """Element by element over `[rows, n]`."""
    shape = lambda s: (s["rows"], s["n"])  # noqa: E731
    return Family(name, lambda s: dict.fromkeys(inputs, shape(s)), shape, lambda s: 0, nodes, "copy")


def convolution():
    """A 3x3 convolution with bias and ReLU over NCHW, padded to the same size."""
    nodes = (("Conv", ["x", "w", "b"], ["c"], {"pads": [1, 1, 1, 1]}), ("Relu", ["c"], ["y"], {}))
    inputs = lambda s: {  # noqa: E731
        "x": (s["b"], s["c"], s["h"], s["h"]), "w": (s["f"], s["c"], 3, 3), "b": (s["f"],)}
    flops = lambda s: 2 * 9 * s["b"] * s["c"] * s["f"] * s["h"] * s["h"]  # noqa: E731
    return Family("conv3x3+bias+relu", inputs, lambda s: (s["b"], s["f"], s["h"], s["h"]), flops, nodes, "matmul")


def reduction():
    """Sums of rows."""
    node = ("ReduceSum", ["x", "last"], ["y"], {"keepdims": 0})
    inputs = lambda s: {"x": (s["rows"], s["n"])}  # noqa: E731
    return Family(
        "row sums", inputs, lambda s: (s["rows"],), lambda s: 0, (node,), "copy", {"last": ([-1], True)})


def transpose():
    """The other order of both axes."""
    node = ("Transpose", ["x"], ["y"], {"perm": [1, 0]})
    inputs = lambda s: {"x": (s["rows"], s["n"])}  # noqa: E731
    return Family("transpose", inputs, lambda s: (s["n"], s["rows"]), lambda s: 0, (node,), "copy")


BIAS_GELU = (("Add", ["p", "c"], ["z"], {}), ("Gelu", ["z"], ["y"], {}))

FAMILIES = {
    family.name: family
    for family in (
        matmul("matmul"),
        matmul("matmul+bias+gelu", *BIAS_GELU, extra=lambda s: {"c": (s["n"],)}),
        swiglu(),
        attention("attention", causal=False),
        attention("attention, causal", causal=True),
        convolution(),
        rows("softmax", (("Softmax", ["x"], ["y"], {"axis": -1}),)),
        rows("layer norm", (("LayerNormalization", ["x", "g", "c"], ["y"], {"axis": -1}),), "g", "c"),
        rows("RMS norm", (("RMSNormalization", ["x", "g"], ["y"], {"axis": -1}),), "g"),
        pointwise("gelu", (("Gelu", ["x"], ["y"], {}),), "x"),
        pointwise("add", (("Add", ["x", "z"], ["y"], {}),), "x", "z"),
        reduction(),
        transpose(),
    )
}


@dataclass(frozen=True)
class Problem:
    """A family with a type and sizes."""

    family: str
    dtype: str
    sizes: tuple

    @property
    def name(self):
        return f"{self.family} {self.dtype} " + " ".join(f"{key}={size}" for key, size in self.sizes)

    @property
    def slug(self):
        return "".join(c if c.isalnum() else "-" for c in self.name)

    def inputs(self):
        """Shapes by name."""
        return FAMILIES[self.family].inputs(dict(self.sizes))

    def result(self):
        """The result's shape."""
        return FAMILIES[self.family].result(dict(self.sizes))

    def flops(self):
        """Floating-point operations that count."""
        return FAMILIES[self.family].flops(dict(self.sizes))

    def moved(self):
        """Bytes of all inputs and the result, each once."""
        return BYTES[self.dtype] * sum(count(shape) for shape in (*self.inputs().values(), self.result()))

    def limit(self):
        """Which of the chip's limits binds: products of one row are bound by memory."""
        family = FAMILIES[self.family]
        return "copy" if dict(self.sizes).get("m", 16) < 16 else family.limit


def count(shape):
    """Elements of a shape."""
    total = 1
    for extent in shape:
        total *= extent
    return total


def of(family, dtype, **sizes):
    """A problem."""
    return Problem(family, dtype, tuple(sizes.items()))


LARGE = [
    *(of("matmul", "bf16", m=n, n=n, k=n) for n in (1024, 2048, 4096, 8192)),
    of("matmul", "f16", m=4096, n=4096, k=4096),
    of("matmul", "f32", m=2048, n=2048, k=2048),
    of("matmul", "bf16", m=4096, n=11008, k=4096),
    of("matmul+bias+gelu", "bf16", m=4096, n=4096, k=4096),
    of("matmul+bias+gelu", "bf16", m=8192, n=8192, k=8192),
    of("swiglu", "bf16", m=4096, n=11008, k=4096),
    of("matmul", "bf16", m=1, n=28672, k=8192),
    of("matmul", "bf16", m=8, n=28672, k=8192),
    *(of("attention", "bf16", b=1, h=16, s=s, d=128) for s in (4096, 8192, 16384)),
    of("attention, causal", "bf16", b=1, h=16, s=8192, d=128),
    of("conv3x3+bias+relu", "f16", b=32, c=128, h=56, f=128),
    of("softmax", "bf16", rows=32768, n=4096),
    of("softmax", "f32", rows=16384, n=4096),
    of("layer norm", "bf16", rows=32768, n=4096),
    of("RMS norm", "bf16", rows=32768, n=4096),
    of("gelu", "bf16", rows=32768, n=4096),
    of("add", "bf16", rows=32768, n=4096),
    of("row sums", "bf16", rows=32768, n=4096),
    of("transpose", "bf16", rows=16384, n=8192),
]

SMALL = [
    of("matmul", "bf16", m=192, n=136, k=96),
    of("matmul", "f16", m=130, n=70, k=33),
    of("matmul", "f32", m=65, n=40, k=50),
    of("matmul+bias+gelu", "bf16", m=128, n=128, k=64),
    of("matmul+bias+gelu", "f16", m=77, n=200, k=64),
    of("swiglu", "bf16", m=64, n=96, k=64),
    of("matmul", "bf16", m=1, n=264, k=512),
    of("matmul", "bf16", m=7, n=100, k=130),
    of("attention", "f16", b=1, h=2, s=70, d=64),
    of("attention, causal", "bf16", b=2, h=2, s=65, d=32),
    of("conv3x3+bias+relu", "f16", b=2, c=16, h=9, f=24),
    *(of(family, dtype, rows=9, n=n)
      for family in ("softmax", "layer norm", "RMS norm", "gelu", "add", "row sums", "transpose")
      for dtype, n in (("bf16", 264), ("f32", 131))),
]


def model(problem):
    """The ONNX model of a problem. Needs the package onnx."""
    from onnx import TensorProto, helper

    family = FAMILIES[problem.family]
    dtype = getattr(TensorProto, ONNX_TYPES[problem.dtype])
    nodes = [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in family.nodes]
    inputs = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in problem.inputs().items()]
    outputs = [helper.make_tensor_value_info("y", dtype, problem.result())]
    constants = [
        helper.make_tensor(name, TensorProto.INT64 if is_integer else dtype, [len(numbers)], numbers)
        for name, (numbers, is_integer) in family.constants.items()
    ]
    graph = helper.make_graph(nodes, problem.slug, inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=11)
