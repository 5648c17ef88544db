"""Inputs for the test models: seeded random ones and natural ones.

A natural input is a function below or in one of the modules `SOURCES`, named in
manifest.json as `"real"`; it returns the arrays by input name. It sees the ONNX Runtime session, because a
model with state needs the state of the steps before.
"""

import zlib

import catalog
import numpy as np
import pages
import photographs
import prose
import speech

SOURCES = (pages, photographs, prose, speech)


def random_value(spec, rng):
    """One tensor from a spec of the manifest: `uniform` [low, high) or `value`."""
    dtype = np.dtype(spec["dtype"])
    if "value" in spec:
        return np.full(spec["shape"], spec["value"], dtype)
    low, high = spec["uniform"]
    if dtype.kind in "iu":
        return rng.integers(low, high, spec["shape"], dtype)
    return rng.uniform(low, high, spec["shape"]).astype(dtype)


def build(model_name, index, test_set, session):
    """The inputs of one test set, by input name."""
    if "real" in test_set:
        return natural(test_set["real"])(session)
    rng = np.random.default_rng([zlib.crc32(model_name.encode()), index])
    return {name: random_value(spec, rng) for name, spec in test_set["inputs"].items()}


def natural(name):
    """The function of that name, here or in `SOURCES`."""
    places = [globals(), *map(vars, SOURCES)]
    return next(place[name] for place in places if name in place)


def magika_features(data):
    """First and last 1024 bytes of the stripped content, padded with 256."""
    pad = 256
    head = np.full(1024, pad, np.int32)
    tail = np.full(1024, pad, np.int32)
    start = np.frombuffer(data[:4096].lstrip()[:1024], np.uint8)
    end = np.frombuffer(data[-4096:].rstrip()[-1024:], np.uint8)
    head[: len(start)] = start
    tail[1024 - len(end) :] = end
    return np.concatenate([head, tail])


def bytes_of_files(_session):
    files = [catalog.FIXTURES / "line.png", catalog.FIXTURES / "sample.rs.txt"]
    return {"bytes": np.stack([magika_features(f.read_bytes()) for f in files])}


def sentences(_session):
    """Two sentences of different length, as the packaged tokenizer splits them:
    "A compiler turns a model into fast code." and
    "The cat sleeps on the warm window sill all afternoon."."""
    ids = [
        [101, 1037, 21624, 4332, 1037, 2944, 2046, 3435, 3642, 1012, 102, 0, 0, 0],
        [101, 1996, 4937, 25126, 2006, 1996, 4010, 3332, 9033, 3363, 2035, 5027, 1012, 102],
    ]
    ids = np.array(ids, np.int64)
    return {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
