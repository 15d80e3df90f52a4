"""Attributes and ranks, as the rules read them."""

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant


def integer(node: ir.Node, name: str, default: int) -> int:
    return node.attributes[name].as_int() if name in node.attributes else default


def integers(node: ir.Node, name: str) -> list[int]:
    return list(node.attributes[name].as_ints()) if name in node.attributes else []


def text_of(node: ir.Node, name: str, default: str) -> str:
    return node.attributes[name].as_string() if name in node.attributes else default


def rank_of(value: ir.Value | None) -> int:
    if value is None:
        return 0
    array = constant(value)
    return array.ndim if array is not None else len(value.shape) if value.shape is not None else 0
