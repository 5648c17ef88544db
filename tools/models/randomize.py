"""Seeded random weights under which every layer matters.

Fresh initialisation hides errors: heads are zero, layer scales are 1e-6,
outputs are as small as 1e-20. So every parameter is drawn anew, scaled by its
fan-in, and batch normalisation gets the statistics of one random batch.
"""

import math

import torch
from torch import nn

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def is_norm(module):
    """Normalisations by class, and by name for the RMS norms of transformers."""
    return isinstance(module, NORMS) or type(module).__name__.endswith("Norm")


def draw(tensor, make):
    """Overwrites a parameter."""
    with torch.no_grad():
        tensor.copy_(make.to(tensor.dtype))


def randomize(model, seed, gain=1.0):
    """Draws all parameters of `model` from `seed`."""
    g = torch.Generator().manual_seed(seed)

    def normal(like, std):
        return torch.randn(like.shape, generator=g) * std

    def uniform(like, low, high):
        return torch.rand(like.shape, generator=g) * (high - low) + low

    for _, module in sorted(model.named_modules()):
        for name, p in sorted(module.named_parameters(recurse=False)):
            if isinstance(module, nn.Embedding):
                draw(p, normal(p, 0.1))
            elif "scale" in name or (is_norm(module) and name == "weight"):
                draw(p, uniform(p, 0.5, 1.5))
            elif p.dim() < 2 or name.startswith("bias"):
                draw(p, normal(p, 0.1))
            elif name.endswith(("class_token", "pos_embedding")):
                draw(p, normal(p, 0.5))
            else:
                # GPT-2's Conv1D keeps its weight transposed.
                fan_in = p.shape[0] if type(module).__name__ == "Conv1D" else p[0].numel()
                draw(p, normal(p, gain / math.sqrt(fan_in)))
    return model


def calibrate(model, *inputs):
    """Sets the running statistics of every batch normalisation from one batch."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        model(*inputs)
    return model.eval()


def unit_outputs(model, *inputs):
    """Scales the last linear layer so that outputs have a standard deviation of 1.

    Large outputs would make the elements near zero fail on rounding alone."""
    with torch.no_grad():
        scale = model(*inputs).std()
        last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
        last.weight /= scale
        last.bias /= scale
    return model
