"""Group normalisation read from how PyTorch's exporter writes it, on ONNX' own definition as the oracle."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from onnx_ir import serde

from isoform.hub import graph
from isoform.hub.passes.restore_group_normalization import restore_group_normalization

JOIN = "j = Reshape(x, joined)  i = InstanceNormalization <epsilon = 0.01> (j, one, nil)"
BACK = "s = Shape(x)  r = Reshape(i, s)"
ROWS = "m = Mul(r, w)  y = Add(m, b)"
RNG = np.random.default_rng(0)
ARRAYS = {
    "joined": np.array([0, 2, -1]), "known": np.array([-1, 6, 4, 5]), "turned": np.array([-1, 6, 5, 4]),
    "one": np.ones(2, np.float32), "two": np.full(2, 2, np.float32), "nil": np.zeros(2, np.float32),
    "w": RNG.random((6, 1, 1)).astype(np.float32), "b": RNG.random((6, 1, 1)).astype(np.float32),
    "rows": RNG.random((4, 1)).astype(np.float32),
}  # fmt: skip


def model(body: str, outputs: str = "float[n,6,p,q] y") -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 21]> g (float[n,6,4,5] x) => ({outputs}) {{ {body} }}'
    proto = parser.parse_model(text)
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in ARRAYS.items())
    return proto


def restored(proto: onnx.ModelProto) -> onnx.ModelProto:
    found = graph.load(proto)
    graph.infer_shapes(found)
    restore_group_normalization(found)
    return serde.serialize_model(found)


def agree(proto: onnx.ModelProto, other: onnx.ModelProto) -> None:
    x = RNG.random((3, 6, 4, 5)).astype(np.float32)
    for wanted, found in zip(*(ReferenceEvaluator(each).run(None, {"x": x}) for each in (proto, other)), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"{JOIN}  {BACK}  {ROWS}", []),
        (f"{JOIN}  r = Reshape(i, known)  {ROWS}", []),
        (f"{JOIN}  {BACK}  m = Mul(w, r)  y = Neg(m)", ["Neg"]),
        (f"{JOIN}  {BACK}  y = Add(r, b)", []),
        (f"{JOIN}  {BACK}  m = Mul(r, rows)  y = Neg(m)", ["Mul", "Neg"]),
    ],
    ids=["as exporters write it", "known sizes", "a scale alone", "a bias alone", "another scale"],
)
def test_the_idiom_is_one_operator_with_what_scales_and_shifts_channels(body: str, left: list[str]) -> None:
    proto = model(body)
    found = restored(proto)
    assert [node.op_type for node in found.graph.node] == ["GroupNormalization", *left]
    agree(proto, found)


@pytest.mark.parametrize(
    "body",
    [
        f"{JOIN.replace('one', 'two')}  {BACK}  {ROWS}",
        f"{JOIN}  r = Reshape(i, turned)  {ROWS}",
        f"{JOIN}  {BACK}  {ROWS}  o = Neg(i)",
    ],
    ids=["a scale of groups", "another shape", "read by somebody else"],
)
def test_what_only_looks_like_it_stays(body: str) -> None:
    outputs = "float[n,6,p,q] y, float[n,2,k] o" if "Neg(i)" in body else "float[n,6,p,q] y"
    assert "InstanceNormalization" in [node.op_type for node in restored(model(body, outputs)).graph.node]
