"""Faults in the hub graph: an attribute lost or misread, an operator mistaken for its neighbour, names mixed up, and
those of weights.
"""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.faults.table import Fault, drawn, named
from isoform.hub.faults.weights import WEIGHT_FAULTS, Change, Weight

FAULTS: dict[str, Fault[ir.Model]] = {}
planted = named(FAULTS)
_LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"}
_RECURRENT = {"LSTM", "GRU", "RNN"}
_GATES = {"LSTM": 4, "GRU": 3}
_NORMALIZATIONS = {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"}


@planted
def another_epsilon(model: ir.Model, rng: np.random.Generator) -> str | None:
    node = drawn([node for node in model.graph if node.op_type in _NORMALIZATIONS], rng)
    if node is None:
        return None
    before = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
    node.attributes["epsilon"] = ir.AttrFloat32("epsilon", 10 * before)
    return _told(node, f"epsilon {10 * before:g}")


@planted
def the_other_gelu(model: ir.Model, rng: np.random.Generator) -> str | None:
    """Take the hyperbolic tangent's approximation for the error function's GELU, or the other way."""
    node = drawn([node for node in model.graph if node.op_type == "Gelu"], rng)
    if node is None:
        return _tanh_for_erf(model, rng)
    is_exact = "approximate" not in node.attributes or node.attributes["approximate"].as_string() == "none"
    node.attributes["approximate"] = ir.AttrString("approximate", "tanh" if is_exact else "none")
    return _told(node, "approximate")


@planted
def padding_off_by_one(model: ir.Model, rng: np.random.Generator) -> str | None:
    """Pad one less before and one more after: the size stays, the places do not."""
    nodes = [node for node in model.graph if "pads" in node.attributes and any(node.attributes["pads"].as_ints())]
    node = drawn(nodes, rng)
    if node is None:
        return None
    pads = list(node.attributes["pads"].as_ints())
    half = len(pads) // 2
    axis = next(axis for axis in range(half) if pads[axis] or pads[half + axis])
    step = 1 if pads[axis] else -1
    pads[axis] -= step
    pads[half + axis] += step
    node.attributes["pads"] = ir.AttrInt64s("pads", pads)
    return _told(node, f"pads {pads}")


@planted
def a_leaking_relu(model: ir.Model, rng: np.random.Generator) -> str | None:
    node = drawn([node for node in model.graph if node.op_type == "Relu"], rng)
    if node is None:
        return None
    node.op_type = "LeakyRelu"
    node.attributes["alpha"] = ir.AttrFloat32("alpha", 0.01)
    return _told(node, "LeakyRelu 0.01")


@planted
def a_softmax_over_another_axis(model: ir.Model, rng: np.random.Generator) -> str | None:
    nodes = [node for node in model.graph if node.op_type == "Softmax" and _rank(node.outputs[0]) > 1]
    node = drawn(nodes, rng)
    if node is None:
        return None
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else -1
    rank = _rank(node.outputs[0])
    other = (axis % rank - 1) % rank
    node.attributes["axis"] = ir.AttrInt64("axis", other)
    return _told(node, f"axis {other}")


@planted
def swapped_outputs(model: ir.Model, rng: np.random.Generator) -> str | None:
    outputs = model.graph.outputs
    pairs = [
        (one, other) for place, one in enumerate(outputs) for other in outputs[place + 1 :]
        if one.shape == other.shape and one.dtype == other.dtype
    ]  # fmt: skip
    if not pairs:
        return None
    one, other = pairs[int(rng.integers(len(pairs)))]
    names = one.name, other.name
    one.name, other.name = "", ""
    one.name, other.name = names[1], names[0]
    return f"'{names[0]}' and '{names[1]}'"


@planted
def a_frozen_axis(model: ir.Model, rng: np.random.Generator) -> str | None:
    """Fix the first dynamic axis of an input, as a trace does that has seen one size."""
    for value in model.graph.inputs:
        for axis, dim in enumerate(value.shape or ()):
            if not isinstance(dim, int):
                value.shape = ir.Shape([2 if place == axis else size for place, size in enumerate(value.shape or ())])
                return f"axis {axis} of '{value.name}' is 2"
    return None


def _tanh_for_erf(model: ir.Model, rng: np.random.Generator) -> str | None:
    """Replace erf(x) by tanh(2/sqrt(pi) (x + 0.08943 x^3)): what the approximation of GELU puts in its place."""
    node = drawn([node for node in model.graph if node.op_type == "Erf"], rng)
    if node is None:
        return None
    x = node.inputs[0]

    def constant(number: float) -> ir.Value:
        made = ir.node("Constant", [], {"value": ir.tensor(np.array(number, np.float32))})
        model.graph.insert_before(node, made)
        return made.outputs[0]

    def apply(op_type: str, *inputs: ir.Value | None) -> ir.Value:
        made = ir.node(op_type, list(inputs))
        model.graph.insert_before(node, made)
        made.outputs[0].type, made.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
        return made.outputs[0]

    cube = apply("Mul", apply("Mul", x, x), x)
    inner = apply("Add", x, apply("Mul", cube, constant(0.08943)))
    result = apply("Tanh", apply("Mul", inner, constant(2 / np.sqrt(np.pi))))
    ir.convenience.replace_all_uses_with(node.outputs[0], result, replace_graph_outputs=True)
    told = _told(node, "tanh")
    model.graph.remove(node, safe=True)
    return told


def _rank(value: ir.Value) -> int:
    return len(value.shape) if value.shape is not None else 0


def _told(node: ir.Node, what: str) -> str:
    return f"'{node.name or node.outputs[0].name}' ({node.op_type}): {what}"


def _of_weights(change: Change) -> Fault[ir.Model]:
    def fault(model: ir.Model, rng: np.random.Generator) -> str | None:
        values = {str(value.name): value for value in _layer_inputs(model)}
        changed = change(list(_weights(model)), rng)
        if changed is None:
            return None
        name, array = changed
        values[name].const_value = ir.tensor(array, name=name)
        return f"'{name}'"

    return fault


FAULTS |= {name: _of_weights(change) for name, change in WEIGHT_FAULTS.items()}


def _weights(model: ir.Model) -> Iterator[Weight]:
    """Yield the kernels of layers, and the vectors that layers and additions read, each once."""
    recurrent = {node.inputs[1]: _GATES[node.op_type] for node in _nodes(model) if node.op_type in _GATES}
    vectors = {value for node in _nodes(model) if node.op_type in _RECURRENT for value in node.inputs}
    for value in _layer_inputs(model):
        array = _array(value)
        if array.ndim > 1 and any(use.node.op_type in _LAYERS for use in value.uses()):
            window = (2, 3) if array.ndim == 4 else None
            gates = (recurrent[value], 1) if value in recurrent else None
            yield Weight(str(value.name), array, window=window, gates=gates)
        elif array.ndim == 1 and value not in vectors:
            yield Weight(str(value.name), array, is_kernel=False)


def _layer_inputs(model: ir.Model) -> list[ir.Value]:
    found = [value for node in _nodes(model) if node.op_type in _LAYERS | {"Add"} for value in node.inputs]
    return list(dict.fromkeys(value for value in found if value is not None and _is_weight(value)))


def _nodes(model: ir.Model) -> Iterator[ir.Node]:
    for graph in model.graphs():
        yield from graph


def _is_weight(value: ir.Value) -> bool:
    held = value.const_value
    return held is not None and held.dtype == ir.DataType.FLOAT and held.size > 1


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return value.const_value.numpy()
