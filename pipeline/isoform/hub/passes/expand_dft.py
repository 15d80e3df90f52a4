"""Write a discrete Fourier transform of dynamic length as products with matrices of cosines and sines that it computes.

With t = 2 pi (k m mod n) / n, ``re = xr cos t + xi sin t`` and ``im = xi cos t - xr sin t``. The product of k and m is
reduced before it is an angle, so that no digit is lost at large indices. A transform of known length has one constant
matrix (hub/fourier.py) and is the emitters'. Not for the inverse of a one-sided transform.
"""

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_AXIS = 1
"""The default up to opset 19; from 20 on it is an input, -2 where it is left out."""
_TURN = (6.28125, 2 * np.pi - 6.28125)
"""2 pi in two parts, the first exact in float32: one float32 would turn every angle by 2.8e-8 of itself."""


def expand_dft(model: ir.Model) -> bool:
    """Expand those over a known axis, of dynamic size, of a known rank, in place; tell whether there was one."""
    nodes = [node for node in model.graph if node.op_type == "DFT" and node.domain == ""]
    expanded = [_expand(model.graph, node, model.opset_imports.get("", 1)) for node in nodes]
    return any(expanded)


def _expand(graph: ir.Graph, node: ir.Node, opset: int) -> bool:
    x, axis = node.inputs[0], _axis(node, opset)
    flags = {name: _flag(node, name) for name in ("inverse", "onesided")}
    has_length = len(node.inputs) > 1 and node.inputs[1] is not None
    if x is None or x.shape is None or axis is None or has_length or all(flags.values()):
        return False
    components, size = x.shape[-1], x.shape[axis]
    if components not in (1, 2) or x.dtype != ir.DataType.FLOAT or isinstance(size, int):
        return False
    writer = _Writer(graph, node.name or "dft")
    last = len(x.shape) - 2
    order = [{axis: last, last: axis}.get(place, place) for place in range(len(x.shape))]
    parts = [writer.add("Gather", writer.add("Transpose", x, perm=order), writer.number(part), axis=-1)
             for part in range(int(components))]  # fmt: skip
    cosines, sines = writer.matrices(writer.length(x, axis), **flags)
    real, imaginary = (writer.add("MatMul", parts[0], matrix) for matrix in (cosines, sines))
    imaginary = writer.add("Neg", imaginary)
    if len(parts) == 2:
        real = writer.add("Add", real, writer.add("MatMul", parts[1], sines))
        imaginary = writer.add("Add", imaginary, writer.add("MatMul", parts[1], cosines))
    ends = [writer.add("Unsqueeze", part, writer.numbers([-1])) for part in (real, imaginary)]
    writer.add("Transpose", writer.add("Concat", *ends, axis=-1), perm=order)
    nodes = writer.nodes
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, nodes[-1].outputs)
    return True


class _Writer:
    """Makes the nodes of one transform, in order."""

    def __init__(self, graph: ir.Graph, name: str) -> None:
        self.nodes: list[ir.Node] = []
        self._graph, self._name = graph, name

    def add(self, op_type: str, *inputs: ir.Value, **attributes: int | list[int]) -> ir.Value:
        node = ir.node(op_type, list(inputs), attributes)
        self.nodes.append(node)
        return node.outputs[0]

    def number(self, number: float, dtype: type = np.int64) -> ir.Value:
        return initializer(self._graph, f"{self._name}/{number:g}", np.array(number, dtype))

    def numbers(self, numbers: list[int]) -> ir.Value:
        return initializer(self._graph, f"{self._name}/{'_'.join(map(str, numbers))}", np.array(numbers, np.int64))

    def length(self, x: ir.Value, axis: int) -> ir.Value:
        return self.add("Gather", self.add("Shape", x), self.number(axis), axis=0)

    def matrices(self, length: ir.Value, inverse: bool, onesided: bool) -> tuple[ir.Value, ir.Value]:
        """Return cosines and sines [n, k] of a length that is computed."""
        rows = self.add("Range", self.number(0), length, self.number(1))
        kept = self.add("Add", self.add("Div", length, self.number(2)), self.number(1))
        columns = self.add("Range", self.number(0), kept, self.number(1)) if onesided else rows
        products = self.add("Mul", self.add("Unsqueeze", rows, self.numbers([1])),
                            self.add("Unsqueeze", columns, self.numbers([0])))  # fmt: skip
        size = self.add("Cast", length, to=int(ir.DataType.FLOAT))
        reduced = self.add("Cast", self.add("Mod", products, length), to=int(ir.DataType.FLOAT))
        turns = self.add("Div", reduced, size)
        parts = [self.add("Mul", turns, self.number(part, np.float32)) for part in _TURN]
        angles = self.add("Add", *parts)
        cosines, sines = self.add("Cos", angles), self.add("Sin", angles)
        if inverse:
            return self.add("Div", cosines, size), self.add("Div", self.add("Neg", sines), size)
        return cosines, sines


def _axis(node: ir.Node, opset: int) -> int | None:
    """Return the axis that is transformed, counted from the beginning; None where it is computed."""
    rank = 0 if node.inputs[0] is None or node.inputs[0].shape is None else len(node.inputs[0].shape)
    if opset < 20:
        axis: int | None = node.attributes["axis"].as_int() if "axis" in node.attributes else _AXIS
    else:
        given = node.inputs[2] if len(node.inputs) > 2 else None
        known = constant(given)
        axis = -2 if given is None else None if known is None else int(known.reshape(()))
    return None if axis is None or rank < 2 else axis % rank


def _flag(node: ir.Node, name: str) -> bool:
    return name in node.attributes and bool(node.attributes[name].as_int())
