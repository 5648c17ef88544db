"""The real architectures that are exported with random (or packaged) weights.

Each function gives `Export(model, args, names, ...)`; export.py writes it.
"""

import os
from dataclasses import dataclass

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import torch
import torchvision
import transformers
from torch import nn
from torch.export import Dim

import catalog
from randomize import calibrate, randomize, unit_outputs


@dataclass
class Export:
    """One model as torch's exporter wants it."""

    model: nn.Module
    args: tuple
    inputs: list
    outputs: list
    dynamic: dict | None = None
    external: bool = False


class Logits(nn.Module):
    """A transformers model from token ids (and masks) to one named output."""

    def __init__(self, model, argument_names, output):
        super().__init__()
        self.model, self.names, self.output = model, argument_names, output

    def forward(self, *args):
        result = self.model(**dict(zip(self.names, args)), use_cache=False)
        return getattr(result, self.output)


class DecodeStep(nn.Module):
    """One decode step: token, past keys and values in; logits, longer ones out."""

    def __init__(self, model, n_layers):
        super().__init__()
        self.model, self.n_layers = model, n_layers

    def forward(self, input_ids, *past):
        pairs = [(past[2 * i], past[2 * i + 1]) for i in range(self.n_layers)]
        cache = transformers.DynamicCache(pairs)
        result = self.model(input_ids=input_ids, past_key_values=cache, use_cache=True)
        longer = [t for layer in result.past_key_values.layers for t in (layer.keys, layer.values)]
        return (result.logits, *longer)


class SentenceEmbedding(nn.Module):
    """Encoder, mean over the unmasked tokens, unit length."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask):
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return hidden, nn.functional.normalize(mean, dim=1)


def temper(model):
    """Halves the residual branches of a ResNet.

    At full strength a random ResNet amplifies rounding a hundredfold."""
    for module in model.modules():
        if isinstance(module, torchvision.models.resnet.Bottleneck):
            module.bn3.weight.data.mul_(0.5)


def vision(make, external):
    """A torchvision classifier at 224x224."""
    model = randomize(make(weights=None).eval(), seed=1, gain=1.4)
    temper(model)
    # The same distribution as the test inputs in manifest.json.
    batch = torch.rand(8, 3, 224, 224) * 4 - 2
    unit_outputs(calibrate(model, batch), batch)
    return Export(model, (torch.randn(1, 3, 224, 224),), ["x"], ["logits"], external=external)


def resnet50():
    return vision(torchvision.models.resnet50, external=False)


def efficientnet_b0():
    return vision(torchvision.models.efficientnet_b0, external=False)


def vit_b_16():
    return vision(torchvision.models.vit_b_16, external=True)


def convnext_tiny():
    return vision(torchvision.models.convnext_tiny, external=False)


def token_ids(*shape, vocabulary=1000):
    return torch.randint(0, vocabulary, shape, generator=torch.Generator().manual_seed(0))


def bert(config, batch, length):
    """A BERT encoder with mask and token types."""
    model = randomize(transformers.BertModel(config, add_pooling_layer=False).eval(), seed=2)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = token_ids(batch, length, vocabulary=config.vocab_size)
    args = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    return Export(Logits(model, names, "last_hidden_state"), args, names, ["last_hidden_state"])


def bert_base():
    export = bert(transformers.BertConfig(), 1, 128)
    export.external = True
    return export


def gpt(config):
    """A GPT-2 language model with symbolic sequence length."""
    model = randomize(transformers.GPT2LMHeadModel(config).eval(), seed=3)
    ids = token_ids(1, 24, vocabulary=config.vocab_size)
    wrapped = Logits(model, ["input_ids"], "logits")
    dynamic = {"args": ({1: Dim("sequence", min=2, max=config.n_positions)},)}
    return Export(wrapped, (ids,), ["input_ids"], ["logits"], dynamic=dynamic)


def gpt2():
    export = gpt(transformers.GPT2Config())
    export.external = True
    return export


def llama_config():
    return transformers.LlamaConfig(
        vocab_size=32000, hidden_size=512, intermediate_size=1376, num_hidden_layers=2,
        num_attention_heads=8, num_key_value_heads=2, max_position_embeddings=2048,
    )


def llama(config, length):
    """A Llama language model over a whole prompt of fixed length."""
    model = randomize(transformers.LlamaForCausalLM(config).eval(), seed=4)
    ids = token_ids(1, length, vocabulary=config.vocab_size)
    return Export(Logits(model, ["input_ids"], "logits"), (ids,), ["input_ids"], ["logits"])


def llama_decode(config):
    """One decode step of a Llama with a past of symbolic length."""
    model = randomize(transformers.LlamaForCausalLM(config).eval(), seed=4)
    n = config.num_hidden_layers
    head = config.hidden_size // config.num_attention_heads
    past = [torch.randn(1, config.num_key_value_heads, 12, head) for _ in range(2 * n)]
    names = [f"{kind}_{i}" for i in range(n) for kind in ("k", "v")]
    length = Dim("past", min=2, max=config.max_position_embeddings - 2)
    return Export(
        DecodeStep(model, n), (token_ids(1, 1), *past),
        ["input_ids"] + [f"past_{name}" for name in names],
        ["logits"] + [f"next_{name}" for name in names],
        dynamic={"input_ids": None, "past": tuple({2: length} for _ in past)},
    )


def llama_2layer():
    return llama(llama_config(), 64)


def llama_2layer_decode():
    return llama_decode(llama_config())


def minilm():
    """The packaged sentence encoder: its own weights, nothing random."""
    import safetensors.torch

    config = transformers.BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=1536, layer_norm_eps=1e-12,
    )
    encoder = transformers.BertModel(config, add_pooling_layer=False).eval()
    weights = safetensors.torch.load_file(catalog.MODELS / "minilm" / "model.safetensors")
    rest = encoder.load_state_dict(weights, strict=False)
    if rest.missing_keys:
        raise SystemExit(f"minilm: the package lacks {rest.missing_keys}")
    ids = token_ids(2, 24, vocabulary=30522)
    shape = {0: Dim("batch", max=256), 1: Dim("sequence", min=2, max=512)}
    return Export(
        SentenceEmbedding(encoder), (ids, torch.ones_like(ids)), ["input_ids", "attention_mask"],
        ["last_hidden_state", "sentence_embedding"],
        dynamic={"input_ids": shape, "attention_mask": dict(shape)},
    )


ALL = {f.__name__: f for f in (
    resnet50, efficientnet_b0, vit_b_16, convnext_tiny, bert_base, gpt2,
    llama_2layer, llama_2layer_decode, minilm,
)}
