"""Writes a model in ONNX's text form as a file: onnx_text.py TEXT MODEL.onnx. Nothing is checked, so it may be wrong."""

import sys
from pathlib import Path

import onnx.parser

source, target = map(Path, sys.argv[1:])
target.parent.mkdir(parents=True, exist_ok=True)
model = onnx.parser.parse_model(source.read_text())
# Node names are what locations show; the text form has none.
for at, node in enumerate(model.graph.node):
    node.name = node.name or f"{node.op_type}_{at}"
target.write_bytes(model.SerializeToString())
