"""Leave out what puts zeros in place of a softmax that is no number, where no mask hides a whole row.

PyTorch's exporter guards every attention so. Only a row of infinities gives no numbers: without infinities among the
constants that reach the softmax, the guard could act on nothing but numbers that are lost already.
"""

from collections.abc import Callable

import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant


def drop_nan_guards(model: ir.Model, may_be_infinite: Callable[[ir.Value | None], bool]) -> None:
    """Let what reads such a guard read the softmax, in place.

    Args:
        may_be_infinite: tells whether constants with infinities can reach a value.
    """
    for node in list(model.graph.all_nodes()):
        softmax = _guarded(node)
        if softmax is not None and not node.outputs[0].is_graph_output() and not may_be_infinite(softmax.inputs[0]):
            ir.convenience.replace_all_uses_with(node.outputs[0], softmax.outputs[0])


def _guarded(node: ir.Node) -> ir.Node | None:
    """Return the softmax whose result ``node`` gives but for zeros where it is no number."""
    if node.op_type != "Where" or node.domain != "":
        return None
    condition, zero, value = node.inputs
    number = constant(zero)
    test = condition.producer() if condition is not None else None
    softmax = value.producer() if value is not None else None
    if softmax is None or softmax.op_type != "Softmax" or number is None or number.size != 1 or number.any():
        return None
    is_test = test is not None and test.op_type == "IsNaN" and test.inputs[0] is value
    return softmax if is_test else None
