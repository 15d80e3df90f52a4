"""Which weight is named where no activation tells, and which rewritings of weights name none."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.cases import Array
from isoform.core.signature import Signature
from isoform.hub import graph
from isoform.hub.divergence import traced
from isoform.hub.divergence.lost_weights import lost
from isoform.hub.divergence.meaning import Comparison, Difference
from isoform.hub.passes.fold_batch_norm import fold_batch_norm

RNG = np.random.default_rng(11)
HIDDEN, HEAD = (RNG.normal(size=(6, 6)).astype(np.float32) for _ in range(2))
OFFSET = -np.abs(RNG.normal(size=6)).astype(np.float32)


def network(hidden: Array = HIDDEN, offset: Array = OFFSET, head: Array = HEAD) -> traced.Traced:
    """Return two layers with a rectifier between; hidden numbers at or below -1e3 never pass it."""
    x = ir.val("x", ir.DataType.FLOAT, ["n", 6])
    weights = [
        ir.val(name, const_value=ir.tensor(array, name=name))
        for name, array in (("hidden", hidden), ("offset", offset), ("head", head))
    ]
    first = ir.node("MatMul", [x, weights[0]], name="first")
    shifted = ir.node("Add", [first.outputs[0], weights[1]], name="shifted")
    relu = ir.node("Relu", [shifted.outputs[0]], name="relu")
    second = ir.node("MatMul", [relu.outputs[0], weights[2]], name="second")
    nodes = [first, shifted, relu, second]
    for node in nodes:
        node.outputs[0].name, node.outputs[0].type = f"{node.name}_out", ir.TensorType(ir.DataType.FLOAT)
    body = ir.Graph([x], second.outputs, nodes=nodes, initializers=weights, opset_imports={"": 20})
    return traced.of_graph(Artifact("onnx", Path("m.onnx"), Signature((), ())), ir.Model(body, ir_version=10))


def test_a_weight_that_only_meets_zeros_is_named() -> None:
    dead = OFFSET.copy()
    dead[2] = -1e3
    head = HEAD.copy()
    head[2, 4] *= 1.001  # row 2 multiplies what the rectifier never lets through
    cases = [{"x": RNG.normal(size=(rows, 6)).astype(np.float32)} for rows in (3, 5)]
    found = Comparison(network(offset=dead), network(offset=dead, head=head), cases).first()
    assert found is not None
    assert found.lost is not None
    assert [step.title for step in found.steps] == ["second"]
    assert found.pair.figures.ratio == 0
    assert found.lost.change.startswith("one element, [2, 4], is ")


def test_equal_weights_name_nothing() -> None:
    assert lost(network(), network()) == []


def test_a_factor_that_moved_from_one_layer_to_the_other_is_no_lost_weight() -> None:
    moved = network(hidden=HIDDEN * np.float32(0.3), offset=OFFSET * np.float32(0.3), head=HEAD / np.float32(0.3))
    assert lost(network(), moved) == []


def test_one_wrong_element_is_named_behind_a_factor_that_moved() -> None:
    hidden = HIDDEN * np.float32(0.25)
    hidden[1, 1] *= 1.001
    moved = network(hidden=hidden, offset=OFFSET * np.float32(0.25), head=HEAD * 4)
    assert [(each.parameter, each.step.title) for each in lost(network(), moved)] == [("hidden", "first")]


def test_a_dropped_bias_is_named() -> None:
    (found,) = lost(network(), network(offset=np.zeros_like(OFFSET)))
    assert (found.parameter, found.step.title, [step.title for step in found.readers]) == (
        "offset",
        "shifted",
        ["shifted"],
    )
    assert found.change == "it is zero throughout, as a bias that was dropped"


def convolution(kernel: Array, bias: Array) -> ir.Model:
    """Return a convolution whose normalisation subtracts the mean and divides."""
    rng = np.random.default_rng(2)
    x = ir.val("x", ir.DataType.FLOAT, ["n", 3, 6, 6])
    arrays = {
        "kernel": kernel, "bias": bias, "scale": np.ones(8), "shift": np.zeros(8), "mean": rng.normal(size=8),
        "variance": rng.uniform(0.9, 1.1, 8),
    }  # fmt: skip
    weights = [
        ir.val(name, const_value=ir.tensor(np.asarray(array, np.float32), name=name)) for name, array in arrays.items()
    ]
    conv = ir.node("Conv", [x, *weights[:2]], {"kernel_shape": [3, 3]}, name="conv")
    norm = ir.node("BatchNormalization", [conv.outputs[0], *weights[2:]], {"epsilon": 1e-3}, name="norm")
    for node in (conv, norm):
        node.outputs[0].name, node.outputs[0].type = f"{node.name}_out", ir.TensorType(ir.DataType.FLOAT)
    body = ir.Graph([x], norm.outputs, nodes=[conv, norm], initializers=weights, opset_imports={"": 20})
    return ir.Model(body, ir_version=10)


KERNEL, BIAS = RNG.normal(size=(8, 3, 3, 3)), RNG.normal(size=8)


def folded(kernel: Array = KERNEL) -> Difference | None:
    """Return where a file with this in a folded layer parts from the layer as it was."""
    model = convolution(kernel, BIAS)
    graph.infer_shapes(model)
    fold_batch_norm(model)
    reference, candidate = (
        traced.of_graph(Artifact("onnx", Path("m.onnx"), Signature((), ())), each)
        for each in (convolution(KERNEL, BIAS), model)
    )
    return Comparison(reference, candidate, [{"x": RNG.normal(size=(2, 3, 6, 6)).astype(np.float32)}]).first()


def test_what_was_folded_rightly_names_nothing() -> None:
    assert folded() is None


def test_one_element_of_a_folded_kernel_is_named_by_the_convolution_that_reads_it() -> None:
    kernel = KERNEL.copy()
    kernel[3, 1, 2, 0] *= 1.001
    found = folded(kernel)
    assert found is not None
    assert found.lost is not None
    assert [step.title for step in found.lost.readers] == ["conv"]
    assert found.lost.change.startswith("one element, [3, 1, 2, 0], is ")
