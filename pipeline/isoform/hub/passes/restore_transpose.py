"""Read an exchange of the last two axes between two Reshapes as one Transpose: they join the axes before and part them.

PyTorch's exporter turns the keys of attention so.
"""

import onnx_ir as ir

from isoform.hub.passes.layout.order import permutation
from isoform.hub.passes.linear_layer import is_private

_EXCHANGE = (0, 2, 1)


def restore_transpose(model: ir.Model) -> None:
    """Replace the three nodes in place; shapes have to be inferred before."""
    for node in list(model.graph):
        if node.op_type == "Transpose" and node.domain == "" and permutation(node) == _EXCHANGE:
            before, after = _joining(node), _parting(node)
            if before is not None and after is not None:
                _rewrite(model.graph, before, after)


def _joining(node: ir.Node) -> ir.Value | None:
    """Return the tensor whose first axes are joined before the exchange."""
    value = node.inputs[0]
    before = value.producer() if value is not None else None
    x = before.inputs[0] if before is not None and before.op_type == "Reshape" and before.domain == "" else None
    wide, flat = _sizes(x), _sizes(value)
    is_joining = len(wide) > len(flat) and None not in wide and wide[-2:] == flat[-2:]
    return x if is_joining else None


def _parting(node: ir.Node) -> ir.Node | None:
    """Return the Reshape that is all that reads the exchange."""
    if not is_private(node.outputs[0]):
        return None
    ((reader, place),) = node.outputs[0].uses()
    is_reshape = reader.op_type == "Reshape" and reader.domain == "" and place == 0
    return reader if is_reshape and reader.graph is node.graph else None


def _rewrite(graph: ir.Graph, x: ir.Value, after: ir.Node) -> None:
    wide, result = _sizes(x), after.outputs[0]
    if _sizes(result) != [*wide[:-2], wide[-1], wide[-2]]:
        return
    rank = len(wide)
    new = ir.node("Transpose", [x], {"perm": [*range(rank - 2), rank - 1, rank - 2]})
    new.outputs[0].type, new.outputs[0].shape = result.type, result.shape
    ir.convenience.replace_nodes_and_values(graph, after, [after], [new], [result], new.outputs)


def _sizes(value: ir.Value | None) -> list[int | str | None]:
    shape = value.shape if value is not None else None
    return [] if shape is None else [dim if isinstance(dim, int) else dim.value for dim in shape]
