#!/usr/bin/env python3
"""Exports tiny versions of the architectures, to be kept in the repository.

Writes tests/models/small/<name>/model.onnx with test sets computed by ONNX
Runtime, so that the tests need no torch. Needs requirements-torch.txt; run it
only to change the files.
"""

import argparse
import sys

import architectures as arch
import catalog
import numpy as np
import onnx
import oracle
import torch
import torchvision
import transformers
from architectures import Export
from export import write_onnx
from randomize import calibrate, randomize, unit_outputs
from torch import nn
from torch.export import Dim

LIMIT = 200_000


def image(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(9)) * 4 - 2


def calibrated(model, batch):
    return unit_outputs(calibrate(randomize(model.eval(), seed=5, gain=1.4), batch), batch)


def resnet():
    """Plain and strided residual blocks, max pooling, symbolic batch."""
    small = nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        torchvision.models.resnet.BasicBlock(8, 8),
        torchvision.models.resnet.BasicBlock(
            8, 16, 2, nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
    model = calibrated(small, image(8, 3, 32, 32))
    return Export(model, (image(2, 3, 32, 32),), ["x"], ["logits"], dynamic=({0: Dim("batch", max=64)},))


def mobile():
    """Inverted residual blocks: depthwise convolution, squeeze and excitation, SiLU."""
    block = torchvision.models.efficientnet.MBConv
    config = torchvision.models.efficientnet.MBConvConfig
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        block(config(1, 3, 1, 8, 8, 1), 0.0, nn.BatchNorm2d), block(config(4, 5, 2, 8, 16, 1), 0.0, nn.BatchNorm2d),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
    return Export(calibrated(model, image(8, 3, 32, 32)), (image(1, 3, 32, 32),), ["x"], ["logits"])


def convnext():
    """Depthwise 7x7, channels-last layer norm, GELU, layer scale, downsampling."""
    setting = torchvision.models.convnext.CNBlockConfig
    model = torchvision.models.ConvNeXt([setting(16, 24, 1), setting(24, None, 1)], num_classes=10)
    batch = image(4, 3, 32, 32)
    return Export(unit_outputs(randomize(model.eval(), 5), batch), (batch[:1],), ["x"], ["logits"])


def vit():
    """Patches, class token, two encoder blocks."""
    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10)
    return Export(randomize(model.eval(), 5), (image(1, 3, 32, 32),), ["x"], ["logits"])


def bert():
    """One encoder layer with a mask."""
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32)
    export = arch.bert(config, 2, 12)
    export.args[1][1, 7:] = 0
    return export


def gpt2():
    """Two blocks, symbolic sequence length."""
    return arch.gpt(transformers.GPT2Config(
        vocab_size=100, n_embd=32, n_layer=2, n_head=2, n_positions=64))


def llama_config():
    return transformers.LlamaConfig(
        vocab_size=100, hidden_size=32, intermediate_size=80, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)


def llama():
    """Rotary positions, grouped queries, RMS norm, gated MLP."""
    return arch.llama(llama_config(), 16)


def llama_decode():
    """The decode step of the same, past of symbolic length."""
    return arch.llama_decode(llama_config())


class Recurrent(nn.Module):
    """Two-layer bidirectional LSTM, then a GRU."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(12, 10, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(20, 8, batch_first=True)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        z, last = self.gru(y)
        return z, last, h, c


def lstm():
    """Recurrent layers."""
    model = randomize(Recurrent().eval(), seed=5)
    return Export(model, (image(2, 7, 12),), ["x"], ["y", "gru_h", "lstm_h", "lstm_c"])


# Input sizes of a second test set, by the axis that is symbolic.
OTHER_SIZES = {
    "resnet": lambda: [image(5, 3, 32, 32)],
    "gpt2": lambda: [arch.token_ids(1, 9, vocabulary=100)],
    "llama_decode": lambda: [arch.token_ids(1, 1)] + [image(1, 2, 5, 8) for _ in range(4)],
}

ALL = {f.__name__: f for f in (resnet, mobile, convnext, vit, bert, gpt2, llama, llama_decode, lstm)}


def strip(path):
    """Drops what the exporter notes about its source files."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for info in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        info.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    model.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString(deterministic=True))


def write_small(name):
    """Exports one model and its test sets."""
    folder = catalog.FIXTURES / "small" / name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    export = ALL[name]()
    path = folder / "model.onnx"
    write_onnx(export, path)
    strip(path)
    if path.stat().st_size > LIMIT:
        raise SystemExit(f"{name}: {path.stat().st_size} bytes, the limit is {LIMIT}")
    session = oracle.session_for(path)
    sets = [list(export.args)] + [make() for key, make in OTHER_SIZES.items() if key == name]
    for index, values in enumerate(sets):
        feed = {n: np.ascontiguousarray(v.numpy()) for n, v in zip(export.inputs, values, strict=True)}
        oracle.write_set(folder / f"test_data_set_{index}", session, feed)
    oracle.write_tolerance(folder)
    print(f"{name}: {path.stat().st_size} bytes, {len(sets)} test sets", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ALL)}; default: all")
    for name in parser.parse_args().names or ALL:
        write_small(name)


if __name__ == "__main__":
    main()
