"""Write Col2Im, overlapping windows put back into an image, as a transposed convolution with a kernel of ones.

Each channel is an image of its own and each place in the window a channel of it: what the kernel adds up are the
windows. For targets that have a kernel for the one and none for the other.
"""

import math

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer


def expand_col2im(model: ir.Model) -> bool:
    """Expand those over windows and images of known sizes in place; tell whether there was one."""
    nodes = [node for graph in model.graphs() for node in graph if node.op_type == "Col2Im" and node.domain == ""]
    expanded = [_expand(node) for node in nodes]
    return any(expanded)


def _expand(node: ir.Node) -> bool:
    columns, (image, block) = node.inputs[0], map(constant, node.inputs[1:3])
    if columns is None or columns.shape is None or columns.dtype is None or image is None or block is None:
        return False
    graph, taps, rows = node.graph, math.prod(map(int, block)), columns.shape[1]
    assert isinstance(graph, ir.Graph)
    if not isinstance(rows, int):
        return False
    shared, counts, left = _geometry(node, [int(size) for size in image], [int(size) for size in block])

    def known(name: str, array: list[int]) -> ir.Value:
        return initializer(graph, f"{node.name or 'col2im'}/{name}", np.array(array, np.int64))

    ones = np.eye(taps, dtype=columns.dtype.numpy()).reshape(taps, 1, *map(int, block))
    kernel = initializer(graph, f"{node.name or 'col2im'}/kernel", ones)
    parts = ir.node("Reshape", [columns, known("windows", [-1, taps, *counts])])
    added = ir.node("ConvTranspose", [parts.outputs[0], kernel], {**shared, "output_padding": left})
    whole = ir.node("Reshape", [added.outputs[0], known("image", [-1, rows // taps, *map(int, image)])])
    parts.outputs[0].type = added.outputs[0].type = columns.type
    nodes = [parts, added, whole]
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, whole.outputs)
    return True


def _geometry(node: ir.Node, image: list[int], block: list[int]) -> tuple[dict[str, list[int]], list[int], list[int]]:
    """Return the attributes that both operators have, how many windows each axis has, and what none of them reaches."""
    rank = len(block)
    usual = {"strides": [1] * rank, "dilations": [1] * rank, "pads": [0] * (2 * rank)}
    shared = {
        name: list(node.attributes[name].as_ints()) if name in node.attributes else value
        for name, value in usual.items()
    }
    counts, left = [], []
    for axis, (size, width) in enumerate(zip(image, block, strict=True)):
        room = size + shared["pads"][axis] + shared["pads"][axis + rank] - shared["dilations"][axis] * (width - 1) - 1
        counts.append(room // shared["strides"][axis] + 1)
        left.append(room % shared["strides"][axis])
    return shared, counts, left
