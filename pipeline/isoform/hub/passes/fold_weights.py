"""Fold what a graph does to its weights alone: a Transpose of an initialiser becomes a transposed initialiser.

Moving operators are numpy views, so that a folded weight costs no memory until it is written, however large it is.
Operators that compute are folded only where the result is small, and none that computes on what `mark_parameters` has
marked: a graph that stands for a checkpoint holds each of its parameters. Not aware of what the weights mean.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

Array = npt.NDArray[Any]
Evaluation = Callable[[ir.Node, Sequence[Array | None]], Sequence[Array]]

LARGEST_COMPUTED_BYTES = 16 * 2**20
_PARAMETER = "isoform.parameter"


def fold_weights(model: ir.Model) -> None:
    """Replace every node whose inputs are all constant by the initialisers it computes, in place."""
    graph = model.graph
    for node in list(graph):
        evaluate = _EVALUATIONS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if evaluate is None or alters_parameter(node) or any(value.is_graph_output() for value in node.outputs):
            continue
        inputs = [constant(value) for value in node.inputs]
        if any(value is not None and array is None for value, array in zip(node.inputs, inputs, strict=True)):
            continue
        moves = node.op_type in _MOVEMENTS
        if not moves and sum(array.nbytes for array in inputs if array is not None) > LARGEST_COMPUTED_BYTES:
            continue
        _replace(graph, node, evaluate(node, inputs))


def mark_parameters(values: Iterable[ir.Value]) -> None:
    """Let no pass fold arithmetic on these initialisers, nor on what is only moved out of them."""
    for value in values:
        value.meta[_PARAMETER] = True


def alters_parameter(node: ir.Node) -> bool:
    """Return whether ``node`` computes other numbers from a marked parameter; a narrower float rounds it."""
    return (node.op_type not in _NOT_ALTERING or narrows(node)) and any(map(_is_marked, node.inputs))


def narrows(node: ir.Node) -> bool:
    """Return whether ``node`` rounds to fewer bits."""
    if node.op_type != "Cast" or node.inputs[0] is None or node.inputs[0].dtype is None:
        return False
    before, after = node.inputs[0].dtype, ir.DataType(node.attributes["to"].as_int())
    return before.is_floating_point() and after.is_floating_point() and after.bitwidth < before.bitwidth


def mark_after(node: ir.Node, folded: ir.Value) -> None:
    """Mark the initialiser that takes the place of ``node``, where it stands for a marked parameter."""
    if node.op_type not in _OF_SHAPES and any(map(_is_marked, node.inputs)):
        mark_parameters([folded])


def _is_marked(value: ir.Value | None) -> bool:
    return value is not None and bool(value.meta.get(_PARAMETER))


def constant(value: ir.Value | None) -> Array | None:
    """Return what ``value`` always holds: an initialiser or the output of a Constant node; None for anything else."""
    if value is None or value.is_graph_input():
        return None
    producer = value.producer()
    tensor = value.const_value
    if producer is not None:
        if producer.op_type != "Constant" or "value" not in producer.attributes:
            return None
        tensor = producer.attributes["value"].as_tensor()
    return None if tensor is None else tensor.numpy()


def initializer(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    """Return a new initialiser of ``graph`` that holds ``array`` without copying it; a name in use gets a number."""
    free = (f"{name}.{number}" if number else name for number in count())
    name = next(candidate for candidate in free if candidate not in graph.initializers)
    value = ir.Value(
        name=name, const_value=ir.Tensor(array, name=name), shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
    )  # fmt: skip
    graph.register_initializer(value)
    return value


def _replace(graph: ir.Graph, node: ir.Node, results: Sequence[Array]) -> None:
    names = [_name_after(graph, node)] if len(results) == 1 else []
    names += [value.name or f"{node.name}/{index}" for index, value in enumerate(node.outputs)]
    for value in node.outputs:
        value.name = f"{value.name}/unfolded"  # the initialiser takes the name over
    for value, array, name in zip(node.outputs, results, names, strict=False):
        folded = initializer(graph, name, array)
        mark_after(node, folded)
        ir.convenience.replace_all_uses_with(value, folded)
    graph.remove(node, safe=True)


def _name_after(graph: ir.Graph, node: ir.Node) -> str:
    """Return the name for what ``node`` computes: its weight's own, if it is a weight that nobody else reads."""
    weights = [value for value in node.inputs if value is not None and value.is_initializer()]
    if weights and node.op_type in _MOVEMENTS and len(weights[0].uses()) == 1 and weights[0].name:
        weight = graph.initializers.pop(weights[0].name)
        name, weight.name = weight.name, f"{weight.name}/unfolded"
        return name
    return str(node.outputs[0].name)


def _ints(node: ir.Node, name: str, array: Array | None = None) -> list[int] | None:
    """Return an integer list that is an attribute in older opsets and an input in newer ones."""
    if array is not None:
        return [int(item) for item in array.ravel()]
    attribute = node.attributes.get(name)
    return None if attribute is None else list(attribute.as_ints())


def _int(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def _second(inputs: Sequence[Array | None]) -> Array | None:
    return inputs[1] if len(inputs) > 1 else None


def _data(inputs: Sequence[Array | None]) -> Array:
    assert inputs[0] is not None
    return inputs[0]


def _transpose(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    return [np.transpose(_data(inputs), _ints(node, "perm"))]


def _reshape(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    data, dims = _data(inputs), _ints(node, "shape", _second(inputs)) or []
    if not _int(node, "allowzero", 0):
        dims = [data.shape[axis] if dim == 0 else dim for axis, dim in enumerate(dims)]
    return [data.reshape(dims)]


def _squeeze(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    axes = _ints(node, "axes", _second(inputs))
    return [np.squeeze(_data(inputs), None if axes is None else tuple(axes))]


def _unsqueeze(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    return [np.expand_dims(_data(inputs), tuple(_ints(node, "axes", _second(inputs)) or ()))]


def _concat(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    return [np.concatenate([array for array in inputs if array is not None], _int(node, "axis", 0))]


def _split(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    data, axis = _data(inputs), _int(node, "axis", 0)
    sizes = _ints(node, "split", _second(inputs))
    if sizes is None:
        count = len(node.outputs)
        size = -(-data.shape[axis] // count)  # the last part is the smaller one, since opset 18
        sizes = [size] * (count - 1) + [data.shape[axis] - size * (count - 1)]
    return np.split(data, np.cumsum(sizes)[:-1], axis)


def _slice(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    data = _data(inputs)
    starts, ends, axes, steps = (
        _ints(node, name, inputs[index] if index < len(inputs) else None)
        for index, name in enumerate(("starts", "ends", "axes", "steps"), start=1)
    )
    assert starts is not None
    assert ends is not None
    axes = axes or list(range(len(starts)))
    cuts = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        # An end below every index means "through the first element" when stepping backwards.
        cuts[axis] = slice(start, None if step < 0 and end < -data.shape[axis] else end, step)
    return [data[tuple(cuts)]]


def _identity(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    return [_data(inputs)]


def _cast(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
    return [_data(inputs).astype(ir.DataType(_int(node, "to", 1)).numpy())]


def _elementwise(function: Callable[..., Any]) -> Evaluation:
    def evaluate(node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        return [np.asarray(function(*inputs), dtype=_data(inputs).dtype)]

    return evaluate


_MOVEMENTS: dict[str, Evaluation] = {
    "Concat": _concat,
    "Identity": _identity,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
_EVALUATIONS: dict[str, Evaluation] = {
    **_MOVEMENTS,
    "Add": _elementwise(np.add),
    "Cast": _cast,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Reciprocal": _elementwise(np.reciprocal),
    "Sqrt": _elementwise(np.sqrt),
    "Sub": _elementwise(np.subtract),
}
_OF_SHAPES = {"ConstantOfShape", "Shape", "Size"}
_NOT_ALTERING = {*_MOVEMENTS, *_OF_SHAPES, "Cast", "CastLike", "Expand", "Gather", "GatherND", "Tile"}
