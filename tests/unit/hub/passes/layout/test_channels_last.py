"""Channels last: the same function, with the fewest transposes. The oracle transposes each operator by itself."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from isoform.hub import graph
from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.passes.layout import to_channels_last

RNG = np.random.default_rng(0)


def channels_last(op_type: str) -> type[OpRun]:
    """Return the oracle of one operator of the domain: ONNX' own, between two transposes."""

    def run(self: OpRun, x: np.ndarray, *others: np.ndarray, **attributes: object) -> tuple[np.ndarray, ...]:
        names = [f"i{index}" for index in range(len(others))]
        given = {name: value for name, value in attributes.items() if value is not None}
        node = onnx.helper.make_node(op_type, ["x", *names], ["y"], **given)
        arrays = dict(zip(names, others, strict=True)) | {"x": x.transpose(0, 3, 1, 2)}
        infos = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in arrays]
        output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
        model = onnx.helper.make_model(
            onnx.helper.make_graph([node], "one", infos, [output]),
            opset_imports=[onnx.helper.make_opsetid("", 18)],
            ir_version=10,
        )
        [y] = ReferenceEvaluator(model).run(None, arrays)
        return (y.transpose(0, 2, 3, 1),)

    return type(op_type, (OpRun,), {"op_domain": CHANNELS_LAST_DOMAIN, "_run": run})


def model_of(text: str, **weights: np.ndarray) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return model


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    loaded = graph.load(model)
    graph.infer_shapes(loaded)
    to_channels_last(loaded)
    return ir.to_proto(loaded)


def check_same(before: onnx.ModelProto, after: onnx.ModelProto, x: np.ndarray) -> None:
    rewritten_operators = {node.op_type for node in after.graph.node if node.domain == CHANNELS_LAST_DOMAIN}
    assert rewritten_operators
    wanted = ReferenceEvaluator(before).run(None, {"x": x})
    found = ReferenceEvaluator(after, new_ops=[channels_last(name) for name in rewritten_operators]).run(None, {"x": x})
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def transposes(model: onnx.ModelProto) -> list[list[int]]:
    return [list(node.attribute[0].ints) for node in model.graph.node if node.op_type == "Transpose"]


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


TORCH_BLOCKS = """
    c1 = Conv<pads=[1,1,1,1]>(x, w1, b1)
    n1 = BatchNormalization(c1, g1, t1, m1, v1)
    r1 = Relu(n1)
    p1 = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r1)
    c2 = Conv<pads=[1,1,1,1]>(p1, w2, b2)
    n2 = BatchNormalization(c2, g2, t2, m2, v2)
    r2 = Relu(n2)
    p2 = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r2)
"""


def block_weights() -> dict[str, np.ndarray]:
    weights = {"w1": floats(4, 3, 3, 3), "b1": floats(4), "w2": floats(6, 4, 3, 3), "b2": floats(6)}
    for block, size in ((1, 4), (2, 6)):
        weights |= {f"{name}{block}": floats(size) for name in "gtmv"}
    return weights


def test_a_torch_classifier_keeps_one_transpose_at_the_input_and_one_before_the_flatten() -> None:
    before = model_of(
        f"classifier (float[n,3,8,8] x) => (float[n,5] y) {{ {TORCH_BLOCKS} f = Flatten(p2) y = MatMul(f, dense) }}",
        **block_weights(),
        dense=floats(24, 5),
    )
    after = rewritten(before)
    assert transposes(after) == [[0, 2, 3, 1], [0, 3, 1, 2]]
    check_same(before, after, floats(2, 3, 8, 8))


def test_a_graph_that_transposes_around_each_convolution_keeps_none() -> None:
    blocks = TORCH_BLOCKS.replace("(x, w1", "(nchw, w1")
    before = model_of(
        f"""classifier (float[n,8,8,3] x) => (float[n,2,2,6] y) {{
            nchw = Transpose<perm=[0,3,1,2]>(x) {blocks} y = Transpose<perm=[0,2,3,1]>(p2) }}""",
        **block_weights(),
    )
    after = rewritten(before)
    # A graph output keeps its name, so the pair that ends there may stay; inside there must be none.
    assert transposes(after) in ([], [[0, 3, 1, 2], [0, 2, 3, 1]])
    check_same(before, after, floats(2, 8, 8, 3))


def test_a_keras_classifier_with_its_flatten_keeps_no_transpose() -> None:
    blocks = TORCH_BLOCKS.replace("(x, w1", "(nchw, w1")
    before = model_of(
        f"""classifier (float[n,8,8,3] x) => (float[n,5] y) {{
            nchw = Transpose<perm=[0,3,1,2]>(x) {blocks} last = Transpose<perm=[0,2,3,1]>(p2)
            f = Reshape(last, shape) y = MatMul(f, dense) }}""",
        **block_weights(),
        dense=floats(24, 5),
        shape=np.array([-1, 24], np.int64),
    )
    after = rewritten(before)
    assert transposes(after) == []
    check_same(before, after, floats(2, 8, 8, 3))


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ("c = Conv<pads=[1,1,1,1]>(x, w) s = Add(c, x) y = Relu(s)", 2),
        ("c = Conv<pads=[1,1,1,1]>(x, w) s = Mul(c, k) y = Sigmoid(s)", 2),
        ("c = Conv<pads=[1,1,1,1]>(x, w) d = Conv<pads=[1,1,1,1]>(c, w) y = Concat<axis=1>(c, d)", 2),
        ("c = Conv<pads=[1,1,1,1]>(x, w) y = GlobalAveragePool(c)", 2),
        ("y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x)", 2),
    ],
)
def test_branches_joins_and_broadcasts_compute_the_same(body: str, most: int) -> None:
    before = model_of(
        f"g (float[n,3,6,6] x) => (float[n,c,h,w] y) {{ {body} }}", w=floats(3, 3, 3, 3), k=floats(3, 1, 1)
    )
    after = rewritten(before)
    check_same(before, after, floats(2, 3, 6, 6))
    assert len(transposes(after)) <= most + body.count("(c, x)")


def test_sequences_are_left_alone() -> None:
    before = model_of("g (float[n,3,6] x) => (float[n,3,6] y) { y = Conv<pads=[1,1]>(x, w) }", w=floats(3, 3, 3))
    assert [(node.domain, node.op_type) for node in rewritten(before).graph.node] == [("", "Conv")]


def test_a_softmax_over_channels_runs_along_the_last_axis_without_a_transpose_of_its_own() -> None:
    before = model_of(
        """g (float[n,3,6,6] x) => (float[n,3,6,6] y) {
            c = Conv<pads=[1,1,1,1]>(x, w) s = Softmax<axis=1>(c) y = Relu(s) }""",
        w=floats(3, 3, 3, 3),
    )
    after = rewritten(before)
    assert transposes(after) == [[0, 2, 3, 1], [0, 3, 1, 2]]
    check_same(before, after, floats(2, 3, 6, 6))


def test_a_batch_normalisation_that_trains_stays_as_it_stands() -> None:
    before = model_of(
        "g (float[n,3,6,6] x) => (float[n,3,6,6] y) { y, m1, v1 = BatchNormalization<training_mode=1>(x, g, t, m, v) }",
        **{name: floats(3) for name in "gtmv"},
    )
    assert [(node.domain, node.op_type) for node in rewritten(before).graph.node] == [("", "BatchNormalization")]
