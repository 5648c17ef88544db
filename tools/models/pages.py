"""A photographed page and its lines, prepared as the text models were trained to see them."""

import catalog
import numpy as np
from PIL import Image

# Where a line of running text stands on the page: left, top, right, bottom.
LINE_ON_PAGE = (0, 81, 384, 99)
# What YOLOX puts around a picture that is not square.
PADDING = 114


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


def bgr(picture):
    """Height x width x 3 in [0, 255], channels in OpenCV's order."""
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def page():
    """The photographed page."""
    return Image.open(catalog.REAL / "page.png")


def heading():
    """The page's heading, which `./x run` reads."""
    return Image.open(catalog.FIXTURES / "line.png")


def to_unit(image):
    """[0, 255] to [-1, 1], channels first, with a batch axis."""
    return np.ascontiguousarray(((np.rint(image) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None], dtype=np.float32)


def page_for_detection(_session):
    """1 x 3 x 192 x 384: the next multiples of 32."""
    return {"x": to_unit(resize(bgr(page()), 192, 384))}


def line_for_recognition(_session):
    """1 x 3 x 48 x 1024, a line of the page."""
    line = bgr(page().crop(LINE_ON_PAGE))
    return {"x": to_unit(resize(line, 48, 48 * line.shape[1] // line.shape[0]))}


def heading_upright(_session):
    """1 x 3 x 48 x 192."""
    return {"x": to_unit(resize(bgr(heading()), 48, 192))}


def heading_upside_down(_session):
    """The same, turned by half a circle."""
    return {"x": to_unit(resize(bgr(heading())[::-1, ::-1], 48, 192))}


def page_for_yolox(_session):
    """1 x 3 x 416 x 416 in [0, 255], the page at the top."""
    square = np.full((416, 416, 3), PADDING, np.float32)
    image = bgr(page())
    scale = 416 / max(image.shape)
    height, width = (int(side * scale) for side in image.shape[:2])
    square[:height, :width] = np.rint(resize(image, height, width))
    return {"images": np.ascontiguousarray(square.transpose(2, 0, 1)[None])}
