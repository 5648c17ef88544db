"""Inputs for the test models: seeded random ones and natural ones.

A natural input is a function below or in `photographs` or `prose`, named in
manifest.json as `"real"`; it returns the arrays by input name. It sees the ONNX Runtime session, because a
model with state needs the state of the steps before.
"""

import zlib

import catalog
import numpy as np
import photographs
import prose
from PIL import Image


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
    """The function of that name, here or in the modules for pictures and text."""
    places = [globals(), vars(photographs), vars(prose)]
    return next(place[name] for place in places if name in place)


def resize(image, height, width):
    """Bilinear resize with half-pixel centers, as OpenCV does by default."""

    def taps(n_in, n_out):
        at = np.clip((np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5, 0, n_in - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, n_in - 1), (at - low).astype(np.float32)

    y0, y1, fy = taps(image.shape[0], height)
    x0, x1, fx = taps(image.shape[1], width)
    image = image.astype(np.float32)
    rows = image[y0] * (1 - fy)[:, None, None] + image[y1] * fy[:, None, None]
    return rows[:, x0] * (1 - fx)[:, None] + rows[:, x1] * fx[:, None]


def line_bgr():
    """The picture of a line of text, channels in OpenCV's order."""
    return np.asarray(Image.open(catalog.FIXTURES / "line.png").convert("RGB"))[..., ::-1]


def to_unit(image):
    """[0, 255] to [-1, 1], channels first, with a batch axis."""
    return np.ascontiguousarray(((image / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None], dtype=np.float32)


def line_for_recognition(_session):
    line = line_bgr()
    width = 48 * line.shape[1] // line.shape[0]
    return {"x": to_unit(np.rint(resize(line, 48, width)))}


def line_for_direction(_session):
    line = resize(line_bgr(), 48, 192)
    return {"x": to_unit(np.rint(line[::-1, ::-1]))}


def page(height, width):
    """A page with the line of text three times in different sizes."""
    line = line_bgr()
    sheet = np.full((height, width, 3), 205, np.float32)
    sheet += np.random.default_rng(5).normal(0, 4, sheet.shape)
    top = height // 12
    for share in (0.9, 0.7, 0.5):
        w = int(width * share)
        h = max(8, line.shape[0] * w // line.shape[1])
        sheet[top : top + h, 10 : 10 + w] = resize(line, h, w)
        top += h + height // 8
    return np.clip(np.rint(sheet), 0, 255)


def page_for_detection(_session):
    return {"x": to_unit(page(256, 384))}


def page_for_yolox(_session):
    sheet = page(416, 416)
    return {"images": np.ascontiguousarray(sheet.transpose(2, 0, 1)[None], dtype=np.float32)}


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


def voice(rate, seconds):
    """A sung vowel after silence: harmonics under three formants, vibrato, breath."""
    t = np.arange(int(rate * seconds)) / rate
    pitch = 140 + 6 * np.sin(2 * np.pi * 5 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    wave = np.zeros_like(t)
    for k in range(1, 24):
        gain = sum(np.exp(-(((140 * k - f) / w) ** 2)) for f, w in ((700, 110), (1200, 140), (2600, 200)))
        wave += gain * np.sin(k * phase) / np.sqrt(k)
    onset = np.clip((t - 0.1) / 0.03, 0, 1)
    breath = np.random.default_rng(3).normal(0, 0.004, t.shape)
    return (0.25 * onset * wave / np.abs(wave).max() + breath).astype(np.float32)


def silero_after(session, rate, n_steps):
    """The inputs of step `n_steps`: window with context, state of the steps before."""
    window, context = (512, 64) if rate == 16000 else (256, 32)
    wave = np.concatenate([np.zeros(context, np.float32), voice(rate, 1.0)])
    state = np.zeros((2, 1, 128), np.float32)
    for step in range(n_steps + 1):
        chunk = wave[step * window : step * window + context + window][None]
        feed = {"input": chunk, "state": state, "sr": np.array(rate, np.int64)}
        if step < n_steps:
            state = session.run(None, feed)[1]
    return feed


def speech_16k(session):
    return silero_after(session, 16000, 12)


def speech_8k(session):
    return silero_after(session, 8000, 12)


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
