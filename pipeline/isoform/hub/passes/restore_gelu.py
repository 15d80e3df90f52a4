"""Read ``x * (1 + f(x)) / 2``, in any order of its factors, as the operator Gelu.

f is ``erf(x / sqrt 2)``, or ``tanh(sqrt(2 / pi) (x + 0.044715 x^3))``, the approximation of that name. For targets
that have a kernel for it. Exporters write it out below opset 20.
"""

import math
from collections.abc import Iterator

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.hub.passes.fold_weights import constant

GELU_OPSET = 20
_TOLERANCE = 1e-6
"""Relative; the factors are written in float32."""
_TANH_FACTOR, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def restore_gelu(model: ir.Model) -> None:
    """Replace the idiom in place, and what only it read goes; new nodes carry the opset that has the operator."""
    for node in list(model.graph):
        if node.op_type == "Mul":
            found = _gelu_of(node)
            if found is not None:
                _put(model.graph, node, *found)
    common.RemoveUnusedNodesPass()(model)


def _gelu_of(node: ir.Node) -> tuple[ir.Value, str] | None:
    """Return x and the approximation if ``node`` is the outermost product of the idiom."""
    factors = list(_factors(node, depth=2))
    numbers = [number for value in factors if (number := _number(value)) is not None]
    others = [value for value in factors if _number(value) is None]
    if len(others) != 2 or not math.isclose(math.prod(numbers), 0.5, rel_tol=_TOLERANCE):
        return None
    for x, sum_ in (others, others[::-1]):
        for inner in _added(sum_, 1.0):
            if _is_erf(inner, x):
                return x, "none"
            if _is_tanh(inner, x):
                return x, "tanh"
    return None


def _added(value: ir.Value | None, number: float) -> Iterator[ir.Value]:
    """Yield a where ``value`` is a + ``number``."""
    for a, b in _both(value, "Add"):
        if _number(b) == number:
            yield a


def _is_erf(value: ir.Value, x: ir.Value) -> bool:
    """Return whether ``value`` is erf(x / sqrt 2)."""
    erf = value.producer()
    return (
        erf is not None
        and erf.op_type == "Erf"
        and any(
            inner is x and math.isclose(divisor, math.sqrt(2), rel_tol=_TOLERANCE)
            for inner, divisor in _quotients(erf.inputs[0])
        )
    )


def _is_tanh(value: ir.Value, x: ir.Value) -> bool:
    """Return whether ``value`` is tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""
    tanh = value.producer()
    if tanh is None or tanh.op_type != "Tanh":
        return False
    return any(
        a is x and any(_is_cube(cube, x) and _is_near(factor, _CUBIC) for cube, factor in _multiples(b))
        for inner, scale in _multiples(tanh.inputs[0])
        if _is_near(scale, _TANH_FACTOR)
        for a, b in _both(inner, "Add")
    )


def _is_cube(value: ir.Value, x: ir.Value) -> bool:
    node = value.producer()
    if node is not None and node.op_type == "Pow":
        return node.inputs[0] is x and _number(node.inputs[1]) == 3
    return any(b is x and any(c is d is x for c, d in _both(a, "Mul")) for a, b in _both(value, "Mul"))


def _multiples(value: ir.Value | None) -> Iterator[tuple[ir.Value, float]]:
    """Yield a and n where ``value`` is a n."""
    for a, b in _both(value, "Mul"):
        number = _number(b)
        if number is not None:
            yield a, number


def _is_near(number: float, wanted: float) -> bool:
    return math.isclose(number, wanted, rel_tol=_TOLERANCE)


def _factors(node: ir.Node, depth: int) -> Iterator[ir.Value]:
    """Yield what is multiplied, products that nobody else reads taken apart."""
    for value in node.inputs:
        assert value is not None
        inner = value.producer()
        is_private = inner is not None and len(list(value.uses())) == 1 and not value.is_graph_output()
        if depth > 1 and inner is not None and is_private and inner.op_type == "Mul":
            yield from _factors(inner, depth - 1)
        else:
            yield value


def _quotients(value: ir.Value | None) -> Iterator[tuple[ir.Value, float]]:
    """Yield a and n where ``value`` is a / n, which may be written as a product."""
    for a, b in list(_both(value, "Div"))[:1]:
        number = _number(b)
        if number is not None:
            yield a, number
    for a, b in _both(value, "Mul"):
        number = _number(b)
        if number:
            yield a, 1 / number


def _both(value: ir.Value | None, op_type: str) -> Iterator[tuple[ir.Value, ir.Value]]:
    node = value.producer() if value is not None else None
    if node is not None and node.op_type == op_type and node.domain == "":
        first, second = node.inputs
        assert first is not None
        assert second is not None
        yield first, second
        yield second, first


def _number(value: ir.Value | None) -> float | None:
    known = constant(value)
    return float(known.reshape(-1)[0]) if known is not None and known.size == 1 else None


def _put(graph: ir.Graph, node: ir.Node, x: ir.Value, approximate: str) -> None:
    attributes = [] if approximate == "none" else [ir.AttrString("approximate", approximate)]
    new = ir.Node("", "Gelu", [x], attributes, num_outputs=1, name=node.name, version=GELU_OPSET)
    new.outputs[0].type, new.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
