"""What of a graph can compute in integers: layers with weights, products, and the light operators between them.

To add a light operator, name it in the table of its kind. A layer is what the search keeps in float or not. Light
operators follow: one becomes integers where all that it reads already are and a layer reads what it gives, so that no
number is rounded for its sake. Not aware of ranges or scales.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.linear_layer import is_private, layer_of
from isoform.hub.passes.quantized.moves import MOVING

FIXED = {"Sigmoid": (1 / 256, -128), "Tanh": (1 / 128, 0)}
"""Step and zero of functions with a known range, as integer kernels have them."""
_UNARY = {"Elu", "GlobalAveragePool", "HardSwish", "LeakyRelu", "ReduceMean", "Relu", "Sigmoid", "Tanh"}
_SAME_SCALE = {"AveragePool", "GlobalMaxPool", "MaxPool", "ReduceMax", "Resize", *MOVING}
_BINARY = {"Add", "Mul", "Sub"}
_NO_PADDING = {"Pad"}
"""Of what moves: what may bring in a number that the scale does not hold."""
_IMAGE = 4


@dataclass(frozen=True, eq=False)
class Unit:
    """An operator that may compute in integers, and what is fused behind it.

    Attributes:
        last: the bias and the activation behind it included: whose output becomes integers.
        data: the activations that it reads.
        weight, bias: float constants; None where there are none. weight_place: of the weight among the inputs.
        channels: the weight's axis of output channels.
        ceiling: where the activation cuts off above; None where it does not.
        keeps_scale: whether what it gives has the scale of what it reads.
        centred: the activation whose integers have to be around 0.
    """

    node: ir.Node
    last: ir.Node
    data: tuple[ir.Value, ...]
    weight: Array | None = None
    bias: Array | None = None
    weight_place: int = 1
    channels: int = 0
    ceiling: float | None = None
    keeps_scale: bool = False
    centred: ir.Value | None = None

    @property
    def output(self) -> ir.Value:
        return self.last.outputs[0]

    @property
    def is_layer(self) -> bool:
        """Return whether it is more than a light operator."""
        return self.node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")

    @property
    def name(self) -> str:
        return str(self.node.name)


def layers(graph: ir.Graph) -> list[Unit]:
    """Return the layers and products of ``graph`` that could compute in integers, in their order."""
    found = (_layer(node) or _product(node) for node in graph if node.domain == "")
    return [unit for unit in found if unit is not None and all(map(_is_float, unit.data))]


def chosen(graph: ir.Graph, kept: Collection[str]) -> list[Unit]:
    """Return all units that compute in integers if the layers named ``kept`` do not, in their order."""
    heavy = {unit.node: unit for unit in layers(graph) if unit.name not in kept}
    taken = {node for unit in heavy.values() for node in fused(unit)}
    wanted = {value for unit in heavy.values() for value in unit.data}
    light = {node: unit for node in graph if node not in taken and (unit := _light(node)) is not None}
    for node in reversed(list(graph)):
        if node in light and light[node].output in wanted:
            wanted.update(light[node].data)
    carried = {unit.output for unit in heavy.values()} | _read_by(heavy.values())
    units: list[Unit] = []
    for node in graph:
        if node in heavy:
            units.append(heavy[node])
        elif node in light and light[node].output in wanted and carried.issuperset(light[node].data):
            units.append(light[node])
            carried.add(light[node].output)
    return units


def _read_by(units: Collection[Unit]) -> set[ir.Value]:
    return {value for unit in units for value in unit.data}


def fused(unit: Unit) -> Iterator[ir.Node]:
    """Yield the operators of a unit, from its operator on."""
    node = unit.node
    while node is not unit.last:
        yield node
        ((node, _),) = node.outputs[0].uses()
    yield node


def _layer(node: ir.Node) -> Unit | None:
    layer = layer_of(node)
    x = node.inputs[0] if layer is not None else None
    if layer is None or x is None or constant(x) is not None or layer.kernel.dtype != np.float32:
        return None
    if node.op_type in ("Conv", "ConvTranspose") and layer.kernel.ndim > _IMAGE:
        return None  # neither runtime has integers for volumes
    if node.op_type == "ConvTranspose" and layer.groups > 1:
        return None
    is_turned = node.op_type == "Conv" or (node.op_type == "Gemm" and _integer(node, "transB"))
    last, ceiling = _activation(layer.last)
    return Unit(node, last, (x,), layer.kernel, layer.bias, 1, 0 if is_turned else 1, ceiling)


def _product(node: ir.Node) -> Unit | None:
    """Return a product of two activations."""
    if node.op_type != "MatMul" or len(node.inputs) != 2 or any(constant(value) is not None for value in node.inputs):
        return None
    left, right = node.inputs
    if left is None or right is None or left is right:
        return None
    return Unit(node, node, (left, right), centred=right)


def _light(node: ir.Node) -> Unit | None:
    data = _data(node)
    if node.domain != "" or not data or not all(map(_is_float, data)) or len(node.outputs) != 1:
        return None
    if node.op_type in _SAME_SCALE and node.op_type not in _NO_PADDING and node.op_type != "Concat":
        return Unit(node, node, data, keeps_scale=True)
    if node.op_type in _BINARY or node.op_type == "Concat" or node.op_type in _UNARY:
        last, ceiling = (node, None) if node.op_type in ("Relu", *FIXED) else _activation(node)
        return Unit(node, last, data, ceiling=ceiling)
    return None


def _data(node: ir.Node) -> tuple[ir.Value, ...]:
    """Return the activations that a light operator reads; none where it reads what no integers stand for."""
    if node.op_type == "Concat":
        read = list(node.inputs)
    elif node.op_type in _BINARY:
        read = [value for value in node.inputs if not _is_number(value)]
    else:
        read = list(node.inputs[:1])
    if any(value is None or constant(value) is not None for value in read):
        return ()
    return tuple(value for value in read if value is not None)


def _is_number(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and array.size == 1


def _activation(node: ir.Node) -> tuple[ir.Node, float | None]:
    """Return the Relu or Clip that is all that reads what ``node`` gives, and where it cuts off; else ``node``."""
    value = node.outputs[0]
    if is_private(value):
        ((reader, place),) = value.uses()
        if reader.graph is node.graph and reader.domain == "" and place == 0:
            if reader.op_type == "Relu":
                return reader, None
            bounds = [constant(each) for each in reader.inputs[1:]]
            is_cut = reader.op_type == "Clip" and len(bounds) == 2 and bounds[0] is not None and bounds[1] is not None
            if is_cut and float(bounds[0]) == 0 < float(bounds[1]):  # type: ignore[arg-type]
                return reader, float(bounds[1])  # type: ignore[arg-type]
    return node, None


def _is_float(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT


def _integer(node: ir.Node, name: str) -> int:
    return node.attributes[name].as_int() if name in node.attributes else 0
