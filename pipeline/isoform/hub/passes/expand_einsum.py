"""Write an Einsum of two operands that is a batch of matrix products as Transposes and MatMul.

What every target has kernels for, whose Transposes can be moved, and in which attention is found again.
"""

from dataclasses import dataclass

import onnx_ir as ir


@dataclass(frozen=True)
class Product:
    """The labels of a product: ``batch`` in all, ``left`` and ``right`` one label each, one label summed over."""

    left_perm: tuple[int, ...]
    right_perm: tuple[int, ...]
    result: str
    output: str


def expand_einsum(model: ir.Model) -> None:
    """Replace each such Einsum in place; all others stay."""
    for node in list(model.graph):
        if node.op_type == "Einsum" and node.domain == "" and len(node.inputs) == 2:
            product = product_of(node.attributes["equation"].as_string())
            if product is not None:
                _put(model.graph, node, product)


def product_of(equation: str) -> Product | None:
    """Return what an equation computes, if it is a batch of products of matrices with one axis for each role."""
    operands, arrow, output = equation.replace(" ", "").partition("->")
    left, comma, right = operands.partition(",")
    if not arrow or not comma or not (left + right + output).isalpha():
        return None
    if any(len(set(labels)) < len(labels) for labels in (left, right, output)):
        return None
    batch = "".join(label for label in output if label in left and label in right)
    rows, columns, summed = set(left) - set(right), set(right) - set(left), (set(left) & set(right)) - set(output)
    if len(rows) != 1 or len(columns) != 1 or len(summed) != 1 or not rows | columns <= set(output):
        return None
    (row,), (column,), (inner,) = rows, columns, summed
    return Product(
        tuple(map(left.index, batch + row + inner)), tuple(map(right.index, batch + inner + column)),
        batch + row + column, output,
    )  # fmt: skip


def _put(graph: ir.Graph, node: ir.Node, product: Product) -> None:
    nodes: list[ir.Node] = []
    sides = [
        _moved(value, perm, nodes)
        for value, perm in zip(node.inputs, (product.left_perm, product.right_perm), strict=True)
    ]
    nodes.append(ir.Node("", "MatMul", sides, num_outputs=1, name=node.name))
    _moved(nodes[-1].outputs[0], tuple(map(product.result.index, product.output)), nodes)
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, nodes[-1].outputs)


def _moved(value: ir.Value | None, perm: tuple[int, ...], nodes: list[ir.Node]) -> ir.Value | None:
    if perm == tuple(sorted(perm)):
        return value
    nodes.append(ir.node("Transpose", [value], {"perm": perm}))
    return nodes[-1].outputs[0]
