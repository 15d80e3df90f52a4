"""Variables of TensorFlow 1, which are nodes of the graph that hold their value in the session: read, then replaced."""

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework import graph_pb2

from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow.weights import Weight, of_tensor

_OPERATORS = ("VariableV2", "Variable")


def read(wrapped: Any) -> dict[str, Any]:
    """Return the values of the reference variables in a signature that TensorFlow has loaded, by node."""
    names = [node.name for node in wrapped.graph.get_operations() if node.type in _OPERATORS]
    if not names:
        return {}
    reads = {
        name: next(
            (each.outputs[0] for each in wrapped.graph.get_operation_by_name(name).outputs[0].consumers()
             if each.type == "Identity"), None,
        )
        for name in names
    }  # fmt: skip
    used = {name: tensor for name, tensor in reads.items() if tensor is not None}
    return dict(zip(used, wrapped.prune([], list(used.values()))(), strict=True))


def replace_references(graph: graph_pb2.GraphDef, values: Mapping[str, Any]) -> dict[str, Weight]:
    """Turn every reference variable of ``graph`` into a placeholder, in place, and return what each stands for.

    Raises:
        IsoformError: a variable whose value was not read, because nothing reads it plainly.
    """
    found: dict[str, Weight] = {}
    for node in graph.node:
        if node.op not in _OPERATORS:
            continue
        # Inlining puts the names of the calls before a node's own.
        known = [name for name in values if node.name == name or node.name.endswith(f"/{name}")]
        if not known:
            raise IsoformError(
                f"The variable '{node.name}' is used in place, and an ONNX graph keeps nothing between calls.",
                "Freeze the graph, or export the model with TensorFlow 2.",
                kind="stateful",
            )
        name = max(known, key=len)
        found[node.name] = of_tensor(name, values[name])
        node.op = "Placeholder"
        for attribute in [key for key in node.attr if key not in ("dtype", "shape")]:
            del node.attr[attribute]
    return found
