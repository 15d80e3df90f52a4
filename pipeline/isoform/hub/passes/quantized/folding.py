"""QuantizeLinear of a constant as the integers that it makes: training that knows of quantisation writes weights so."""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import Array, constant, initializer
from isoform.hub.passes.quantized.parameters import QUANTIZE, described
from isoform.hub.quantization import Quantization

_EIGHT_BITS = ("int8", "uint8")


def fold_quantized_constants(graph: ir.Graph) -> None:
    """Replace each such node by an initialiser, in place."""
    for node in list(graph):
        found, array = described(node), constant(node.inputs[0]) if node.op_type == QUANTIZE else None
        if found is None or array is None or array.dtype != np.float32 or found.dtype not in _EIGHT_BITS:
            continue
        if node.outputs[0].is_graph_output() or not np.isfinite(array).all():
            continue
        value = node.inputs[0]
        name = value.name if value is not None else node.name
        ir.convenience.replace_all_uses_with(
            node.outputs[0], initializer(graph, f"{name}/integers", _integers(array, found))
        )
        graph.remove(node, safe=True)


def _integers(array: Array, found: Quantization) -> Array:
    """Return round(x / scale) + zero point, halves to even, cut to the range."""
    shape = [-1 if axis == found.axis else 1 for axis in range(array.ndim)] if found.axis is not None else []
    low, high = found.bounds
    rounded = np.rint(array / found.scale.reshape(shape)) + found.zero_point.reshape(shape)
    return np.clip(rounded, low, high).astype(found.dtype)
