"""Give back the operators that TensorFlow spells out: batch normalisation, a reshape of all but the batch.

Run on a graph fresh from tf2onnx, before weights are folded, so that a layer's own parameters stay as they are. Not
aware of layouts beyond the one axis that TensorFlow normalises, the last.
"""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from isoform.hub.passes.fold_weights import constant, initializer

_UNARY = {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "HardSwish", "Softplus", "Cast"}


def restore_batch_normalization(model: ir.Model) -> None:
    """Replace ``x * (g / sqrt(v + e)) + (b - m * g / sqrt(v + e))`` by BatchNormalization, channels moved to axis 1."""
    for node in list(model.graph):
        found = _batch_normalization(node)
        if found is not None:
            _put_batch_normalization(model.graph, node, *found)


def restore_flatten(model: ir.Model) -> None:
    """Replace a computed reshape target with one unknown size by a constant one with -1 there.

    The size that is left over is the only one that fits, so this is exact.
    """
    for node in list(model.graph):
        if node.op_type != "Reshape":
            continue
        target = _flatten_target(node.inputs[1])
        if target is not None:
            name = f"{node.outputs[0].name}/shape"
            node.replace_input_with(1, initializer(model.graph, name, np.array(target, np.int64)))


def restore_zero_state(model: ir.Model) -> None:
    """Leave out the initial states of recurrent operators where they are zeros, which is what leaving out means."""
    for node in model.graph.all_nodes():
        if node.op_type in ("LSTM", "GRU", "RNN"):
            for index in range(5, min(7, len(node.inputs))):
                unsqueeze = _producer(node.inputs[index], "Unsqueeze")
                expand = _producer(unsqueeze.inputs[0], "Expand") if unsqueeze else None
                number = constant(expand.inputs[0]) if expand else None
                if number is not None and not number.any():
                    node.replace_input_with(index, None)


def restore_gather(model: ir.Model) -> None:
    """Read ``Gather(w, i < 0 ? i + n : i)``, n rows in w, as ``Gather(w, i)``: ONNX itself counts from the end."""
    for node in model.graph.all_nodes():
        if node.op_type != "Gather" or node.inputs[0] is None or node.inputs[0].shape is None:
            continue
        axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
        indices = _wrapped_index(node.inputs[1], node.inputs[0].shape[axis])
        if indices is not None:
            node.replace_input_with(1, indices)


def cancel_transposes(model: ir.Model) -> None:
    """Move Transposes down through elementwise operators of one input, and remove pairs that undo each other."""
    for node in list(model.graph):
        if node.op_type in _UNARY:
            _sink(model.graph, node)
        elif node.op_type == "Transpose":
            _cancel(node)


def _batch_normalization(node: ir.Node) -> tuple[ir.Value, list[ir.Value], float] | None:
    """Return x, [scale, bias, mean, variance] and epsilon if ``node`` is the last Add of the idiom."""
    for product, shift in _both_orders(node, "Add"):
        parts = _producer(shift, "Sub")
        if parts is None:
            continue
        bias, product_of_mean = parts.inputs
        for x, scale in _both_orders(_producer(product, "Mul"), "Mul"):
            for mean, same in _both_orders(_producer(product_of_mean, "Mul"), "Mul"):
                inverse = _inverse_deviation(scale) if same is scale else None
                if inverse is not None and None not in (x, bias, mean):
                    gamma, variance, epsilon = inverse
                    return x, [gamma, bias, mean, variance], epsilon
    return None


def _inverse_deviation(scale: ir.Value | None) -> tuple[ir.Value, ir.Value, float] | None:
    """Return gamma, variance and epsilon of ``gamma / sqrt(variance + epsilon)``."""
    for inverse, gamma in _both_orders(_producer(scale, "Mul"), "Mul"):
        reciprocal = _producer(inverse, "Reciprocal")
        root = _producer(reciprocal.inputs[0], "Sqrt") if reciprocal else None
        for variance, epsilon in _both_orders(_producer(root.inputs[0], "Add") if root else None, "Add"):
            number = constant(epsilon)
            if number is not None and number.size == 1 and gamma is not None and variance is not None:
                return gamma, variance, float(number.ravel()[0])
    return None


def _put_batch_normalization(
    graph: ir.Graph, node: ir.Node, x: ir.Value, parameters: list[ir.Value], epsilon: float
) -> None:
    if x.shape is None or any(value.shape is None or len(value.shape) != 1 for value in parameters):
        return
    rank = len(x.shape)
    attributes = {"epsilon": epsilon}
    if rank == 2:
        whole = ir.node("BatchNormalization", [x, *parameters], attributes)
        nodes = [whole]
    elif rank > 2:
        inwards = ir.node("Transpose", [x], {"perm": [0, rank - 1, *range(1, rank - 1)]})
        whole = ir.node("BatchNormalization", [inwards.outputs[0], *parameters], attributes)
        outwards = ir.node("Transpose", [whole.outputs[0]], {"perm": [0, *range(2, rank), 1]})
        nodes = [inwards, whole, outwards]
    else:
        return
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, nodes[-1].outputs)


def _flatten_target(value: ir.Value | None) -> list[int] | None:
    cast = _producer(value, "Cast")
    concat = _producer(cast.inputs[0] if cast else value, "Concat")
    if concat is None:
        return None
    sizes: list[int] = []
    for part in concat.inputs:
        known = constant(part)
        if known is None and (part is None or part.shape is None or part.shape.dims != (1,)):
            return None
        sizes += [-1] if known is None else [int(size) for size in known]
    return sizes if sizes.count(-1) == 1 and 0 not in sizes else None


def _wrapped_index(value: ir.Value | None, count: int | ir.SymbolicDim) -> ir.Value | None:
    """Return i of ``(i < 0) * (i + count) + i * not (i < 0)``, the form in which tf2onnx writes the choice."""
    for negative, positive in _both_orders(_producer(value, "Add"), "Add"):
        for flag, shifted in _both_orders(_producer(negative, "Mul"), "Mul"):
            for indices, other_flag in _both_orders(_producer(positive, "Mul"), "Mul"):
                below = _producer(_through(flag, "Cast"), "Less")
                not_below = _producer(_through(other_flag, "Cast"), "Not")
                if below is None or not_below is None or not_below.inputs[0] is not below.outputs[0]:
                    continue
                zero = constant(below.inputs[1])
                is_below_zero = _through(below.inputs[0], "Cast") is indices and zero is not None and not zero.any()
                if is_below_zero and _adds(shifted, indices, count):
                    return indices
    return None


def _adds(value: ir.Value | None, base: ir.Value | None, count: int | ir.SymbolicDim) -> bool:
    return any(
        first is base and (number := constant(second)) is not None and number.size == 1 and number.item() == count
        for first, second in _both_orders(_producer(value, "Add"), "Add")
    )


def _through(value: ir.Value | None, op_type: str) -> ir.Value | None:
    """Return what goes into the ``op_type`` that makes ``value``, or ``value`` itself."""
    node = _producer(value, op_type)
    return value if node is None else node.inputs[0]


def _sink(graph: ir.Graph, node: ir.Node) -> None:
    """Turn ``f(Transpose(x))`` into ``Transpose(f(x))`` where nobody else reads the transposed x."""
    transpose = _producer(node.inputs[0], "Transpose")
    if transpose is None or len(list(transpose.outputs[0].uses())) != 1 or transpose.outputs[0].is_graph_output():
        return
    moved = ir.node(node.op_type, [transpose.inputs[0]], node.attributes)
    after = ir.node("Transpose", [moved.outputs[0]], {"perm": list(transpose.attributes["perm"].as_ints())})
    moved.outputs[0].type = node.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [moved, after], node.outputs, after.outputs)
    graph.remove(transpose, safe=True)


def _cancel(node: ir.Node) -> None:
    before = _producer(node.inputs[0], "Transpose")
    if before is None or node.outputs[0].is_graph_output():
        return
    first, second = (list(each.attributes["perm"].as_ints()) for each in (before, node))
    if [first[axis] for axis in second] == sorted(first):
        ir.convenience.replace_all_uses_with(node.outputs[0], before.inputs[0])


def _both_orders(node: ir.Node | None, op_type: str) -> Iterator[tuple[ir.Value | None, ir.Value | None]]:
    if node is not None and node.op_type == op_type:
        yield node.inputs[0], node.inputs[1]
        yield node.inputs[1], node.inputs[0]


def _producer(value: ir.Value | None, op_type: str) -> ir.Node | None:
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == op_type else None
