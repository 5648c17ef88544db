"""The same problems in PyTorch and JAX, and how they are timed.

All times are of the device: events around one call, caches emptied before it, random data, the median of `RUNS`.
"""

import statistics
import time

RUNS = 30
WARM_UP = 5


def expressions(torch):
    """Family to a function of its inputs, in their order."""
    f = torch.nn.functional
    return {
        "matmul": lambda a, b: a @ b,
        "matmul+bias+gelu": lambda a, b, c: f.gelu(a @ b + c),
        "swiglu": lambda a, g, u: f.silu(a @ g) * (a @ u),
        "attention": lambda q, k, v: f.scaled_dot_product_attention(q, k, v),
        "attention, causal": lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True),
        "conv3x3+bias+relu": lambda x, w, b: f.relu(f.conv2d(x, w, b, padding=1)),
        "softmax": lambda x: f.softmax(x, dim=-1),
        "layer norm": lambda x, g, c: f.layer_norm(x, g.shape, g, c),
        "RMS norm": lambda x, g: f.rms_norm(x, g.shape, g, eps=1e-5),
        "gelu": lambda x: f.gelu(x),
        "add": lambda x, z: x + z,
        "row sums": lambda x: x.sum(-1),
        "transpose": lambda x: x.t().contiguous(),
    }


def jax_expressions():
    """The same in JAX."""
    import jax
    import jax.numpy as jnp

    def layer_norm(x, g, c):
        wide = x.astype(jnp.float32)
        centered = wide - wide.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centered * centered).mean(-1, keepdims=True) + 1e-5)
        return (centered * scale).astype(x.dtype) * g + c

    def rms_norm(x, g):
        wide = x.astype(jnp.float32)
        return (wide * jax.lax.rsqrt((wide * wide).mean(-1, keepdims=True) + 1e-5)).astype(x.dtype) * g

    def attend(q, k, v, causal):
        swap = lambda t: t.swapaxes(1, 2)  # noqa: E731  heads behind the length
        return swap(jax.nn.dot_product_attention(swap(q), swap(k), swap(v), is_causal=causal))

    def convolve(x, w, b):
        c = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        return jax.nn.relu(c + b[:, None, None])

    gelu = lambda x: jax.nn.gelu(x, approximate=False)  # noqa: E731
    return {
        "matmul": lambda a, b: a @ b,
        "matmul+bias+gelu": lambda a, b, c: gelu(a @ b + c),
        "swiglu": lambda a, g, u: jax.nn.silu(a @ g) * (a @ u),
        "attention": lambda q, k, v: attend(q, k, v, False),
        "attention, causal": lambda q, k, v: attend(q, k, v, True),
        "conv3x3+bias+relu": convolve,
        "softmax": lambda x: jax.nn.softmax(x, axis=-1),
        "layer norm": layer_norm,
        "RMS norm": rms_norm,
        "gelu": gelu,
        "add": lambda x, z: x + z,
        "row sums": lambda x: x.sum(-1),
        "transpose": lambda x: x.T + 0,
    }


class Clock:
    """Times functions on the current CUDA device."""

    def __init__(self, torch, cold_bytes):
        self.torch = torch
        self.cold = torch.empty(cold_bytes, dtype=torch.uint8, device="cuda")

    def median(self, function, runs=RUNS):
        """Microseconds of one call."""
        cuda = self.torch.cuda
        half = self.cold.numel() // 2
        for _ in range(WARM_UP):
            function()
        times = []
        for _ in range(runs):
            start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
            # The copy also keeps the device busy while the call is prepared.
            self.cold[half:].copy_(self.cold[:half])
            start.record()
            function()
            end.record()
            cuda.synchronize()
            times.append(start.elapsed_time(end) * 1e3)
        return statistics.median(times)


def random_inputs(torch, problem):
    """Normally distributed tensors on the device."""
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[problem.dtype]
    made = torch.Generator(device="cuda").manual_seed(1)
    return [torch.randn(shape, generator=made, device="cuda").to(dtype) for shape in problem.inputs().values()]


def limits(torch, clock):
    """What the chip reaches: bytes per second of a copy, operations per second of a product."""
    source = torch.randint(0, 255, (1 << 30,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copy = clock.median(lambda: target.copy_(source))
    del source, target
    found = {"copy": 2 * (1 << 30) / copy * 1e6}
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16), ("f32", torch.float32)):
        n = 8192 if name != "f32" else 4096
        a, b = (torch.randn(n, n, device="cuda").to(dtype) for _ in "ab")
        found[name] = 2 * n**3 / clock.median(lambda a=a, b=b: a @ b) * 1e6
    return found


def eager(torch, clock, problem, inputs):
    """Microseconds of PyTorch as it is: cuBLAS, cuDNN, its own kernels; of attention its best backend."""
    function = expressions(torch)[problem.family]
    if not problem.family.startswith("attention"):
        return clock.median(lambda: function(*inputs))
    from torch.nn.attention import SDPBackend, sdpa_kernel

    times = []
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        try:
            with sdpa_kernel(backend):
                times.append(clock.median(lambda: function(*inputs)))
        except RuntimeError:  # this backend does not take the problem
            continue
    return min(times)


def compiled(torch, clock, problem, inputs):
    """Microseconds of torch.compile, which tries cuBLAS and Triton and keeps the best."""
    torch._dynamo.reset()
    function = torch.compile(expressions(torch)[problem.family], mode="max-autotune-no-cudagraphs", dynamic=False)
    return clock.median(lambda: function(*inputs))


def xla(torch, problem, inputs):
    """Microseconds of JAX, by the wall clock over many calls in a row, caches warm: it has no events."""
    import jax

    function = jax.jit(jax_expressions()[problem.family])
    arrays = [jax.dlpack.from_dlpack(tensor.contiguous()) for tensor in inputs]
    for _ in range(WARM_UP):
        function(*arrays).block_until_ready()
    calls, times = 10, []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            last = function(*arrays)
        last.block_until_ready()
        times.append((time.perf_counter() - start) / calls * 1e6)
    return statistics.median(times)
