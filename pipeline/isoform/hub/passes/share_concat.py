"""Let a Concat read another one where that already joins its first inputs, as in densely connected networks.

Then no Concat has more inputs than what its block adds, and XNNPACK takes no more than five.
"""

import onnx_ir as ir

_Joined = dict[tuple[int, tuple[ir.Value | None, ...]], ir.Value]
"""What Concats give, by their axis and inputs."""


def share_concat(model: ir.Model) -> None:
    """Replace the longest run of first inputs that an earlier Concat along the same axis joins, in place."""
    for graph in model.graphs():
        known: _Joined = {}
        for node in list(graph):
            if node.op_type == "Concat" and node.domain == "" and node.outputs[0].shape is not None:
                _share(node, known)


def _share(node: ir.Node, known: _Joined) -> None:
    axis = node.attributes["axis"].as_int() % len(node.outputs[0].shape or ())
    inputs = tuple(node.inputs)
    for count in range(len(inputs) - 1, 1, -1):
        joined = known.get((axis, inputs[:count]))
        if joined is not None:
            rest = inputs[count:]
            node.resize_inputs(1 + len(rest))
            for place, value in enumerate((joined, *rest)):
                node.replace_input_with(place, value)
            break
    known.setdefault((axis, inputs), node.outputs[0])
