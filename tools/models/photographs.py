"""Photographs, prepared as the image models were trained to see them."""

import catalog
import numpy as np
from PIL import Image

# Of ImageNet, as torchvision's classifiers want them.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def photograph(name):
    """One of the pictures under `real`, RGB."""
    return Image.open(catalog.REAL / name).convert("RGB")


def cropped(image, shorter, size):
    """The middle `size` x `size` pixels after the shorter side became `shorter`, height x width x 3 in [0, 255]."""
    scale = shorter / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), Image.BILINEAR).crop((left, top, left + size, top + size))
    return np.asarray(image, np.float32)


def batch_of(image):
    """Channels first, with a batch axis."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)


def cat_for_imagenet(_session):
    """1 x 3 x 224 x 224 for the classifiers of torchvision."""
    return {"x": batch_of((cropped(photograph("cat.jpg"), 256, 224) / 255 - MEAN) / DEVIATION)}


def portrait_for_nudenet(_session):
    """1 x 3 x 320 x 320 in [0, 1]."""
    return {"images": batch_of(cropped(photograph("portrait.jpg"), 320, 320) / 255)}


def portrait_for_open_nsfw(_session):
    """1 x 224 x 224 x 3, blue first, less the mean of its training set."""
    bgr = cropped(photograph("portrait.jpg"), 256, 224)[..., ::-1] - np.array([104, 117, 123], np.float32)
    return {"input_0": np.ascontiguousarray(bgr[None], dtype=np.float32)}
