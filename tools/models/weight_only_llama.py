"""A small Llama of two layers whose products have quantized weights, as a case of weight_only.py.

Grouped queries, rotary positions, a cache of keys and values of symbolic length, and blocks that do not divide the width.
"""

import numpy as np

WIDTH, HEADS, GROUPS, DEPTH, HIDDEN, LAYERS, VOCABULARY = 160, 5, 1, 32, 400, 2, 64


class Llama:
    """Writes the nodes of the model into a case."""

    def __init__(self, case, packed):
        self.case, self.packed, self.count = case, packed, 0

    def name(self, word):
        self.count += 1
        return f"{word}_{self.count}"

    def op(self, op, *inputs, domain="", **attributes):
        return self.case.node(op, list(inputs), self.name(op.lower()), domain, **attributes)

    def constant(self, value):
        return self.case.weight(self.name("c"), np.asarray(value))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def product(self, x, n, k, bits=4, block=32):
        """Weights near zero, so that nothing grows from layer to layer."""
        random, blocks = self.case.random, -(-k // block)
        codes = np.clip(random.normal(2 ** (bits - 1), 2**bits / 5, (n, blocks, block)), 0, 2**bits - 1).astype(int)
        zeros = np.full((n, blocks), 2 ** (bits - 1))
        scales = (random.random((n, blocks)) * 6 / 2**bits / np.sqrt(k)).astype(np.float32)
        inputs = [x, *map(self.constant, (self.packed(codes, bits), scales, self.packed(zeros, bits)))]
        return self.op("MatMulNBits", *inputs, domain="com.microsoft", N=n, K=k, bits=bits, block_size=block)

    def norm(self, x):
        mean = self.op("ReduceMean", self.op("Mul", x, x), self.ints(-1), keepdims=1)
        root = self.op("Sqrt", self.op("Add", mean, self.constant(np.float32(1e-5))))
        gain = (1 + 0.1 * self.case.random.standard_normal(WIDTH)).astype(np.float32)
        return self.op("Mul", self.op("Div", x, root), self.constant(gain))

    def heads(self, x, n):
        return self.op("Transpose", self.op("Reshape", x, self.ints(0, 0, n, DEPTH)), perm=[0, 2, 1, 3])

    def turned(self, x, cosine, sine):
        half = DEPTH // 2
        low = self.op("Slice", x, self.ints(0), self.ints(half), self.ints(-1))
        high = self.op("Slice", x, self.ints(half), self.ints(DEPTH), self.ints(-1))
        swapped = self.op("Concat", self.op("Neg", high), low, axis=-1)
        return self.op("Add", self.op("Mul", x, cosine), self.op("Mul", swapped, sine))

    def attention(self, x, layer, cosine, sine):
        query = self.turned(self.heads(self.product(x, HEADS * DEPTH, WIDTH, block=64), HEADS), cosine, sine)
        key = self.turned(self.heads(self.product(x, GROUPS * DEPTH, WIDTH, bits=8), GROUPS), cosine, sine)
        value = self.heads(self.product(x, GROUPS * DEPTH, WIDTH, bits=8), GROUPS)
        key = self.op("Concat", f"key_{layer}", key, axis=2)
        value = self.op("Concat", f"value_{layer}", value, axis=2)
        scores = self.op("MatMul", query, self.op("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.op("Add", self.op("Mul", scores, self.constant(np.float32(DEPTH**-0.5))), "mask")
        heads = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        merged = self.op("Reshape", self.op("Transpose", heads, perm=[0, 2, 1, 3]), self.ints(0, 0, WIDTH))
        return self.product(merged, WIDTH, WIDTH)

    def gated(self, x):
        gate, up = self.product(x, HIDDEN, WIDTH, block=16), self.product(x, HIDDEN, WIDTH)
        active = self.op("Mul", gate, self.op("Sigmoid", gate))
        return self.product(self.op("Mul", active, up), WIDTH, HIDDEN, block=128)

    def write(self):
        """All nodes; the last is called y."""
        table = self.constant(self.case.random.standard_normal((VOCABULARY, WIDTH)).astype(np.float32))
        angles = np.arange(64)[:, None] * 10000.0 ** (-np.arange(DEPTH // 2) / (DEPTH // 2))
        angles = np.concatenate([angles, angles], 1)
        turns = [self.op("Gather", self.constant(f(angles).astype(np.float32)), "positions") for f in (np.cos, np.sin)]
        x = self.op("Gather", table, "tokens")
        for layer in range(LAYERS):
            x = self.op("Add", x, self.attention(self.norm(x), layer, *turns))
            x = self.op("Add", x, self.gated(self.norm(x)))
        logits = self.product(self.norm(x), VOCABULARY, WIDTH)
        self.case.node("Identity", [logits], "y")


def feed(random, tokens, past):
    """Inputs for so many tokens behind a past."""
    mask = np.where(np.arange(past + tokens) > past + np.arange(tokens)[:, None], -1e9, 0).astype(np.float32)
    cache = lambda: random.standard_normal((1, GROUPS, past, DEPTH)).astype(np.float32)
    return {
        "tokens": random.integers(0, VOCABULARY, (1, tokens)),
        "positions": np.arange(past, past + tokens),
        "mask": mask[None, None],
        **{f"{kind}_{layer}": cache() for layer in range(LAYERS) for kind in ("key", "value")},
    }


# Sizes of symbols by the input's name.
DIMS = {"tokens": [1, "tokens"], "positions": ["tokens"], "mask": [1, 1, "tokens", "all"]}


def case(make, packed):
    """The model with inputs for a prompt, and for one token and three behind a past."""
    this = make("llama")
    sets = [feed(this.random, tokens, past) for tokens, past in ((21, 2), (1, 9), (3, 4))]
    for name, value in sets[0].items():
        this.input(name, value, DIMS.get(name, [1, GROUPS, "past", DEPTH]))
    this.sets = sets
    Llama(this, packed).write()
    return this
