"""What TensorFlow spells out, given back as the operators that it means, in the order that they need."""

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub import graph as hub_graph
from isoform.hub.passes.exact_sizes import exact_sizes
from isoform.hub.passes.expand_einsum import expand_einsum
from isoform.hub.passes.fold_weights import fold_weights
from isoform.hub.passes.restore_erf import restore_erf
from isoform.hub.passes.restore_gather import restore_gather
from isoform.hub.passes.restore_layer_normalization import restore_layer_normalization
from isoform.hub.passes.restore_matmul import restore_matmul
from isoform.hub.passes.restore_recurrent import restore_recurrent


def restore_layers(model: ir.Model) -> None:
    """Give back, in place, what has to be found before any Transpose is moved."""
    fold_weights(model)
    hub_graph.infer_shapes(model)
    restore_layer_normalization(model)
    restore_erf(model)
    expand_einsum(model)
    exact_sizes(model)


def restore_operators(model: ir.Model) -> None:
    """Give back, in place, what is found in a simplified graph."""
    restore_gather(model)
    restore_recurrent(model)
    restore_matmul(model)
    common.RemoveUnusedNodesPass()(model)
    hub_graph.infer_shapes(model)
