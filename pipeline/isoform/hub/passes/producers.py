"""Reading a graph backwards: which node made a value, and the two orders of a commutative one."""

from collections.abc import Iterator

import onnx_ir as ir


def both_orders(node: ir.Node | None, op_type: str) -> Iterator[tuple[ir.Value | None, ir.Value | None]]:
    if node is not None and node.op_type == op_type:
        yield node.inputs[0], node.inputs[1]
        yield node.inputs[1], node.inputs[0]


def producer(value: ir.Value | None, op_type: str) -> ir.Node | None:
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == op_type else None
