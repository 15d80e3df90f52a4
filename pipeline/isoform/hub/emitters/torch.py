"""The hub graph as PyTorch: a module whose code is one call an operator, with real, named parameters.

One function per operator stands in torch_ops/, in the file of its family; fx arranges their calls. Sizes stay tensors
while the module is traced, so that none is frozen; branches and loops stay what they are. Not aware of
TorchScript's files.
"""

import onnx_ir as ir
from onnx_ir.passes import common
from torch import fx

from isoform.hub import graph as hub_graph
from isoform.hub.emitters.torch_emission import Emission
from isoform.hub.emitters.torch_ops import families
from isoform.hub.emitters.torch_ops.table import OPERATORS
from isoform.hub.passes.expand_functions import expand_functions
from isoform.hub.passes.fuse_attention import fuse_attention
from isoform.hub.passes.fuse_linear import fuse_linear
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.restore_gelu import restore_gelu
from isoform.hub.passes.restore_layer_normalization import restore_layer_normalization
from isoform.hub.passes.restore_matmul import restore_matmul
from isoform.hub.passes.restore_select import restore_select
from isoform.hub.passes.restore_squeeze import restore_squeeze
from isoform.hub.passes.restore_swish import restore_swish
from isoform.hub.passes.simplify import simplify

__all__ = ["OPERATORS", "emit", "families"]


def emit(model: ir.Model) -> fx.GraphModule:
    """Return ``model`` as a module called with tensors in input order; one output is a tensor, several a tuple.

    It can be trained, traced with dynamic sizes kept, and cast with ``.double()``; the graph is rewritten on the way.
    A sequence is a list of tensors, what is missing of an optional is None.

    Raises:
        UnsupportedOperator: nodes that no function here carries, all of them.
        IsoformError: an operator in a form that is not carried.
    """
    simplify(model)
    if expand_functions(model, OPERATORS.carries):
        simplify(model)
    restore_squeeze(model)
    common.RemoveUnusedNodesPass()(model)
    hub_graph.infer_shapes(model)
    restore_layer_normalization(model, has_root_mean_square=True)
    restore_matmul(model)
    name_nodes(model)
    OPERATORS.require(model)
    for fuse in (restore_select, restore_gelu, restore_swish, fuse_attention, fuse_linear):
        fuse(model)
    return Emission(model, model.graph).module()
