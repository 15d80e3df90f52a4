"""Random graphs of operators that do not care, others that do, and Transposes: the same function, never more bytes."""

import math
import random

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.passes.layout import choose_layouts
from isoform.hub.passes.layout.order import keeps_order

SIZES = (2, 3, 4, 5)
LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class Maker:
    """A graph that grows by one random operator at a time; the sizes of axes tell which logical axis is which."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.shapes: dict[str, tuple[int, ...]] = {"x": SIZES, "y": (2, 4, 5, 3)}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op_type: str, inputs: list[str], shape: tuple[int, ...], **attributes: object) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], **attributes))
        self.shapes[name] = shape

    def constant(self, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def grow(self) -> None:
        name = self.random.choice(list(self.shapes)[-5:])
        shape = self.shapes[name]
        alike = [other for other, sizes in self.shapes.items() if sizes == shape]
        kind = self.random.choice(
            ["transpose"] * 4 + ["unary", "binary", "row", "concat", "reduce", "softmax", "cumsum"]
        )
        axis = self.random.randrange(4)
        if kind == "transpose":
            perm = self.random.choice([LAST, FIRST, (0, 1, 3, 2)])
            self.add("Transpose", [name], tuple(shape[place] for place in perm), perm=perm)
        elif kind == "unary":
            self.add(self.random.choice(["Tanh", "Neg", "Sigmoid"]), [name], shape)
        elif kind == "binary":
            self.add(self.random.choice(["Add", "Mul"]), [name, self.random.choice(alike)], shape)
        elif kind == "row":
            row = np.linspace(-1, 1, shape[-1], dtype=np.float32)
            self.add("Add", [name, self.constant(row)], shape)
        elif kind == "concat" and shape[axis] <= 5:
            sizes = tuple(size * 2 if place == axis else size for place, size in enumerate(shape))
            self.add("Concat", [name, self.random.choice(alike)], sizes, axis=axis)
        elif kind == "reduce":
            sizes = tuple(1 if place == axis else size for place, size in enumerate(shape))
            self.add("ReduceMean", [name, self.constant(np.array([axis]))], sizes)
        elif kind == "softmax":
            self.add("Softmax", [name], shape, axis=axis)
        else:  # not known to the rules: its axes stay
            self.add("CumSum", [name, self.constant(np.array(axis))], shape)

    def model(self) -> onnx.ModelProto:
        read = {name for node in self.nodes for name in node.input}
        ends = [name for node in self.nodes for name in node.output if name not in read]
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name]) for name in ("x", "y")]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name]) for name in ends]
        made = helper.make_graph(self.nodes, "random", inputs, outputs, self.constants)
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def weight(model: onnx.ModelProto) -> int:
    """Return the bytes that are transposed, an operator counted as 4096 more; one that is but a Reshape is nothing."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    values = [*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    moving = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Transpose" and not keeps_order(shapes[node.input[0]], node.attribute[0].ints)
    ]
    return sum(4 * math.prod(shapes[name]) + 4096 for name in moving)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_graph_computes_the_same_and_transposes_no_more_bytes(seed: int) -> None:
    maker = Maker(seed)
    for _ in range(14):
        maker.grow()
    before = maker.model()
    loaded = graph.load(before)
    graph.infer_shapes(loaded)
    choose_layouts(loaded)
    after = ir.to_proto(loaded)
    onnx.checker.check_model(after, full_check=True)
    generator = np.random.default_rng(seed)
    inputs = {name: generator.standard_normal(maker.shapes[name]).astype(np.float32) for name in ("x", "y")}
    wanted, found = (ReferenceEvaluator(model).run(None, inputs) for model in (before, after))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert weight(after) <= weight(before)
