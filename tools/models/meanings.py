"""What a person sees in a model's outputs.

A test set of the manifest may say what its outputs mean: `"shows": {"text": "Here,"}`.
The name is a function below; it gets the outputs and the ONNX Runtime session, and what it
returns must equal the value. So a natural input is known to be one that the model understands;
that Tenfold understands the same follows from its outputs, which must equal these.
"""

import numpy as np

# A probability over this is a yes.
LIKELY = 0.5
# The strides of YOLOX's three grids.
STRIDES = (8, 16, 32)


def voice(outputs, _session):
    """Whether somebody speaks; None where the detector is not sure."""
    probability = outputs[0].item()
    return True if probability > LIKELY else False if probability < 0.1 else None


def lines(outputs, _session):
    """How many separate lines of text the probability map [1, 1, height, width] shows."""
    ink = outputs[0][0, 0] > LIKELY
    # The second eighth of the width: every line of the page crosses it and is level there.
    across = ink[:, ink.shape[1] // 8 : ink.shape[1] // 4].mean(1) > 0.5
    return int(np.count_nonzero(across[1:] & ~across[:-1]) + across[0])


def text(outputs, session):
    """The best class of each column of [1, columns, classes]; repetitions and blanks drop out."""
    characters = ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]
    best = outputs[0][0].argmax(-1)
    changes = np.concatenate([[True], best[1:] != best[:-1]])
    return "".join(characters[index] for index in best[changes])


def classes(outputs, _session):
    """The most probable class of each row of [batch, classes]."""
    return outputs[0].argmax(-1).tolist()


def box_class(outputs, _session):
    """The class of the surest box of YOLOv8's [1, 4 + classes, boxes], or None without a sure one."""
    scores = outputs[0][0, 4:]
    return int(scores.max(1).argmax()) if scores.max() > LIKELY else None


def boxes_in_upper_half(outputs, _session):
    """Whether YOLOX's [1, boxes, 5 + classes] has many sure boxes, all in the upper half, where the page is."""
    found = outputs[0][0]
    size = int(np.sqrt(len(found) / sum(1 / stride**2 for stride in STRIDES)))
    rows = [np.repeat(np.arange(size // stride), size // stride) for stride in STRIDES]
    stride = np.repeat(STRIDES, [len(row) for row in rows])
    middle = (found[:, 1] + np.concatenate(rows)) * stride
    sure = found[:, 4] * found[:, 5] > LIKELY
    return bool(sure.sum() > 20 and (middle[sure] < size / 2).all())


def check(test_set, outputs, session):
    """Raises ValueError where the outputs do not mean what the test set says."""
    for name, wanted in test_set.get("shows", {}).items():
        seen = globals()[name](outputs, session)
        if seen != wanted:
            raise ValueError(f"{name}: the outputs show {seen!r}, expected {wanted!r}")
