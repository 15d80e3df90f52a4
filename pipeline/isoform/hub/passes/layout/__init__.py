"""The layout pass: channels first or last for every region of a graph, so that the fewest bytes are transposed.

A target that convolves channels last gets its image operators so, each between two Transposes (`image`). Every other
operator may run in the order in which its tensors come, if there is a rule for it (`rules`). What each would become is
collected (`candidates`), the cheapest combination is a minimum cut (`cut`), and the graph is rewritten (`rewrite`).
"""

from collections.abc import Collection

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.passes.drop_identities import drop_identities
from isoform.hub.passes.layout.candidates import Candidates
from isoform.hub.passes.layout.cut import choose
from isoform.hub.passes.layout.image import wrap_image_operators, wrap_softmax
from isoform.hub.passes.layout.products import take_in_exchanges
from isoform.hub.passes.layout.rewrite import reshape_moved_ones, rewrite

__all__ = ["choose_layouts", "to_channels_last"]


def choose_layouts(model: ir.Model) -> None:
    """Leave the fewest Transposes that the operators allow, in place; shapes have to be inferred before."""
    opset = model.opset_imports.get("", 1)
    for graph in list(model.graphs()):
        rewrite(graph, choose(Candidates(graph, opset)))
    drop_identities(model)


def to_channels_last(model: ir.Model, also: Collection[tuple[str, int]] = (), ranks: Collection[int] = (4,)) -> None:
    """Make image operators those of the domain ``isoform.nhwc``, in place, and choose the layout of all others.

    Products of two computed matrices may become ``isoform.fused::MatMul``, whose ``transB`` is that of Gemm.

    In that domain an operator has ONNX' own name and attributes; its data is [n, spatial..., channel], while
    convolution weights stay as ONNX has them. Shapes have to be inferred before.

    Args:
        also: further operators that the target carries channels last, each over tensors of one rank; only their data
            changes its layout.
        ranks: of the tensors whose operators the target carries so: 3 is [n, length, channel], and so on.
    """
    wrap_image_operators(model, also, ranks)
    wrap_softmax(model)
    choose_layouts(model)
    take_in_exchanges(model)
    reshape_moved_ones(model)
    common.RemoveUnusedNodesPass()(model)
