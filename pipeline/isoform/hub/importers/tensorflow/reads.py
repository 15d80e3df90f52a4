"""Replace variables of a TensorFlow graph by plain tensors: every read, gather and shape of one, in functions too.

Where a loop, a branch or a call takes a variable, its functions are written anew with a tensor in that place. Not aware
of values.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow.weights import Weight

_READS = {
    "ResourceGatherNd": "GatherNd",
    "ReadVariableOp": "Identity",
    "VariableShape": "Shape",
    "ResourceGather": "Gather",
}
_KEPT = {"ResourceGather": ("Tindices",), "ResourceGatherNd": ("Tindices",), "VariableShape": ("out_type",)}
_CALLS = {
    "While": ("cond", "body"), "StatelessWhile": ("cond", "body"), "If": ("then_branch", "else_branch"),
    "StatelessIf": ("then_branch", "else_branch"), "Case": ("branches",), "StatelessCase": ("branches",),
    "PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",),
}  # fmt: skip
_LOOPS = ("While", "StatelessWhile")
_OFFSET = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}
"""How many inputs of a call come before the arguments of its functions."""


def replace_reads(graph: graph_pb2.GraphDef, weights: Mapping[str, Weight]) -> None:
    """Rewrite ``graph`` so that the placeholders named in ``weights`` are tensors of those dtypes, in place.

    Raises:
        IsoformError: the graph writes to a variable, or hands it to an operator that is not read-only.
    """
    variables = {name: weight for name, weight in weights.items() if weight.is_variable}
    for node in graph.node:
        if node.name in weights:
            _declare(node, weights[node.name])
    _Rewriting(graph).nodes(graph.node, variables, is_function=False)


def _declare(node: Any, weight: Weight) -> None:
    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = weight.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(_shape(weight))


def _shape(weight: Weight) -> Any:
    return tf.TensorShape(weight.shape).as_proto()


class _Rewriting:
    """The functions of one graph, and what has been made of them."""

    def __init__(self, graph: graph_pb2.GraphDef) -> None:
        self.library = graph.library
        self.functions = {function.signature.name: function for function in graph.library.function}
        self.made: dict[tuple[str, tuple[tuple[int, str], ...]], str] = {}

    def nodes(self, nodes: Iterable[Any], variables: Mapping[str, Weight], *, is_function: bool) -> dict[str, Weight]:
        """Rewrite every node that takes one of ``variables``; return the references that are tensors now."""
        known = dict(variables)
        waiting = list(nodes)
        while True:
            ready = [node for node in waiting if any(_plain(name, is_function) in known for name in node.input)]
            if not ready:
                return known
            for node in ready:
                waiting.remove(node)
                taken = {
                    index: known[_plain(name, is_function)]
                    for index, name in enumerate(node.input)
                    if _plain(name, is_function) in known and not name.startswith("^")
                }
                if taken:
                    known |= self._node(node, taken, is_function)

    def _node(self, node: Any, taken: Mapping[int, Weight], is_function: bool) -> dict[str, Weight]:
        """Rewrite one node; return those of its outputs that were variables."""
        if node.op == "Identity":
            node.attr["T"].type = taken[0].dtype.as_datatype_enum
            return {f"{node.name}:output:0" if is_function else node.name: taken[0]}
        if node.op in _READS:
            _read(node, taken[0])
            return {}
        if node.op in _CALLS:
            return self._call(node, taken, is_function)
        raise IsoformError(
            f"'{node.op}' (node {node.name}) changes the variable '{taken[min(taken)].name}', "
            "and an ONNX graph keeps nothing from one call to the next.",
            "Build the network without state between calls (stateful=False), or with the state as input and output.",
            kind="stateful",
        )

    def _call(self, node: Any, taken: Mapping[int, Weight], is_function: bool) -> dict[str, Weight]:
        offset = _OFFSET.get(node.op, 0)
        arguments = {index - offset: weight for index, weight in taken.items()}
        types = node.attr["T" if node.op in _LOOPS else "Tin"].list.type
        for index, weight in arguments.items():
            types[index] = weight.dtype.as_datatype_enum
        for attribute in _CALLS[node.op]:
            held = node.attr[attribute]
            for function in [held.func] if held.HasField("func") else held.list.func:
                function.name = self._specialised(function.name, arguments)
        node.attr.pop("_output_shapes", None)
        if node.op not in _LOOPS:
            return {}
        shapes = node.attr["output_shapes"].list.shape
        for index, weight in arguments.items():
            if index < len(shapes):
                shapes[index].CopyFrom(_shape(weight))
        named = (f"{node.name}:output:{index}" if is_function else _output(node.name, index) for index in arguments)
        return dict(zip(named, arguments.values(), strict=True))

    def _specialised(self, name: str, arguments: Mapping[int, Weight]) -> str:
        """Return the function like ``name`` that takes, and passes on, tensors where it had variables."""
        key = (name, tuple((index, str(weight.dtype) + str(weight.shape)) for index, weight in arguments.items()))
        if key in self.made:
            return self.made[key]
        function = self.library.function.add()
        function.CopyFrom(self.functions[name])
        function.signature.name = self.made[key] = f"{name}_tensors_{len(self.made)}"
        self.functions[function.signature.name] = function
        inside: dict[str, Weight] = {}
        for index, weight in arguments.items():
            argument = function.signature.input_arg[index]
            argument.type = weight.dtype.as_datatype_enum
            argument.ClearField("handle_data")
            function.arg_attr[index].attr["_output_shapes"].list.ClearField("shape")
            function.arg_attr[index].attr["_output_shapes"].list.shape.add().CopyFrom(_shape(weight))
            inside[argument.name] = weight
        reads = {node.name for node in function.node_def if node.op == "ReadVariableOp"}
        known = self.nodes(function.node_def, inside, is_function=True)
        _rename_results(function, reads)
        for result in function.signature.output_arg:
            returned = function.ret[result.name]
            if result.type == types_pb2.DT_RESOURCE and returned in known:
                result.type = known[returned].dtype.as_datatype_enum
                result.ClearField("handle_data")
        return function.signature.name


def _read(node: Any, weight: Weight) -> None:
    if node.op == "ResourceGather" and node.attr["batch_dims"].i:
        raise IsoformError(
            f"'ResourceGather' (node {node.name}) gathers along batches of a variable.",
            "Read the variable first: tf.gather(tf.convert_to_tensor(variable), ...).",
            kind="unsupported-operator",
        )
    kept = {name: node.attr[name].type for name in _KEPT.get(node.op, ()) if name in node.attr}
    node.op = _READS[node.op]
    node.attr.clear()
    node.attr["Tparams" if node.op in ("Gather", "GatherNd") else "T"].type = weight.dtype.as_datatype_enum
    for name, value in kept.items():
        node.attr[name].type = value


def _rename_results(function: Any, reads: Collection[str]) -> None:
    """Call what was read as Identity calls its result; in functions, results go by the operator's own names."""
    renamed = {f"{name}:value:0": f"{name}:output:0" for name in reads}
    for node in function.node_def:
        for position, name in enumerate(node.input):
            node.input[position] = renamed.get(name, name)
    for name, returned in function.ret.items():
        function.ret[name] = renamed.get(returned, returned)


def _plain(name: str, is_function: bool) -> str:
    return name if is_function else name.removesuffix(":0")


def _output(name: str, index: int) -> str:
    return f"{name}:{index}" if index else name
