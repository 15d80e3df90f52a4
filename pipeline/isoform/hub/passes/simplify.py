"""The passes that every graph goes through before it is written or emitted, in the order that they need.

Each is safe by itself: none relies on sizes that were only traced.
"""

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub import graph
from isoform.hub.passes.drop_identities import drop_identities
from isoform.hub.passes.drop_neutral import drop_neutral
from isoform.hub.passes.drop_whole_slices import drop_whole_slices
from isoform.hub.passes.drop_zero_bias import drop_zero_bias
from isoform.hub.passes.drop_zero_state import drop_zero_state
from isoform.hub.passes.fold_sizes import fold_sizes
from isoform.hub.passes.fold_small import fold_small
from isoform.hub.passes.fold_weights import fold_weights
from isoform.hub.passes.layout import choose_layouts
from isoform.hub.passes.restore_flatten import restore_flatten
from isoform.hub.passes.restore_slice_scatter import restore_slice_scatter
from isoform.hub.passes.restore_split import restore_split
from isoform.hub.passes.share_equal import share_equal
from isoform.hub.passes.take_branches import take_branches

_ROUNDS = 3
"""A folded size makes a Reshape foldable, which makes a shape known: this often is enough for what exporters write."""


def simplify(model: ir.Model) -> None:
    """Inline functions, fold constants and static shapes, drop zero states and dead nodes, in place."""
    common.RemoveInitializersFromInputsPass()(model)  # before IR version 4 every weight was an input as well
    common.InlinePass()(model)
    graph.forget_shapes(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    drop_identities(model)
    _fold(model)
    if restore_split(model):  # the shapes of its parts, and all that follows from them, were not known before
        _fold(model)
    restore_flatten(model)
    drop_zero_bias(model)
    drop_zero_state(model)
    choose_layouts(model)
    share_equal(model)
    common.RemoveUnusedNodesPass()(model)
    common.RemoveUnusedFunctionsPass()(model)
    common.RemoveUnusedOpsetsPass()(model)


def _fold(model: ir.Model) -> None:
    left = _ROUNDS
    while left:
        left -= 1
        graph.infer_shapes(model)
        fold_sizes(model)
        fold_weights(model)
        fold_small(model)
        if take_branches(model):
            left = _ROUNDS  # what stood in a branch is folded from here on
        drop_whole_slices(model)
        drop_neutral(model)
        restore_slice_scatter(model)
