#!/usr/bin/env python3
"""Draws tests/models/line.png, the picture that `./x run` reads.

A line of English in DejaVu Serif (Debian's fonts-dejavu-core), slightly turned
and blurred, on unevenly lit paper with sensor noise, so that it resembles a
photograph. The result is kept in the repository; run this only to change it.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import catalog

TEXT = "A tensor compiler reads this line"
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf"


def draw(text, font_path):
    """The picture as an RGB image."""
    font = ImageFont.truetype(font_path, 34)
    left, top, right, bottom = font.getbbox(text)
    ink = Image.new("L", (right - left + 40, bottom - top + 28), 0)
    ImageDraw.Draw(ink).text((20 - left, 14 - top), text, font=font, fill=255)
    ink = ink.rotate(0.6, resample=Image.BICUBIC).filter(ImageFilter.GaussianBlur(0.7))
    alpha = np.asarray(ink, dtype=np.float32)[..., None] / 255
    height, width = alpha.shape[:2]
    rng = np.random.default_rng(7)
    light = np.linspace(1.0, 0.82, width)[None, :, None] * np.linspace(1.0, 0.93, height)[:, None, None]
    paper = np.array([236, 228, 208]) * light
    page = paper * (1 - alpha) + np.array([38, 34, 52]) * alpha
    page += rng.normal(0, 5, (height, width, 1)) + rng.normal(0, 2, page.shape)
    return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--font", default=FONT)
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--out", type=Path, default=catalog.FIXTURES / "line.png")
    args = parser.parse_args()
    # 64 colors keep the file small; the noise stays visible.
    draw(args.text, args.font).quantize(64, dither=Image.Dither.NONE).convert("RGB").save(args.out, optimize=True)


if __name__ == "__main__":
    main()
