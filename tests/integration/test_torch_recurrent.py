"""Recurrent layers beyond PyTorch's kernels stay loops when traced: any length, any batch, rows of their own length."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import parser
from onnx.reference import ReferenceEvaluator

from isoform.hub import graph
from isoform.hub.emitters import torch as emitter

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

UNITS, FEATURES = 3, 2
GATES = {"GRU": 3, "RNN": 1}


def model_of(op_type: str, attributes: str, directions: int) -> onnx.ModelProto:
    model = parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 18]>
        g (float[l,n,{FEATURES}] x, int32[n] lengths) => (float[l,d,n,u] y, float[d,n,u] last) {{
            y, last = {op_type}<hidden_size={UNITS}{attributes}>(x, w, r, b, lengths) }}"""
    )
    rng = np.random.default_rng(4)
    rows = GATES[op_type] * UNITS
    shapes = {"w": (directions, rows, FEATURES), "r": (directions, rows, UNITS), "b": (directions, 2 * rows)}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(rng.uniform(-1, 1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    )
    return model


def inputs(length: int, lengths: list[int]) -> dict[str, np.ndarray]:
    x = np.random.default_rng(length).uniform(-1, 1, (length, len(lengths), FEATURES)).astype(np.float32)
    return {"x": x, "lengths": np.array(lengths, np.int32)}


def traced(model: onnx.ModelProto) -> torch.jit.ScriptModule:
    module = emitter.emit(graph.load(model))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        example = tuple(map(torch.from_numpy, inputs(4, [4, 2]).values()))
        return torch.jit.trace(module, example, check_trace=False)


@pytest.mark.parametrize("op_type", list(GATES))
@pytest.mark.parametrize(("length", "lengths"), [(7, [7, 7, 7]), (1, [1]), (6, [6, 6])])
def test_full_rows_are_what_onnx_computes_at_other_sizes(op_type: str, length: int, lengths: list[int]) -> None:
    model = model_of(op_type, "", 1)
    case = inputs(length, lengths)
    wanted = ReferenceEvaluator(model).run(None, case)
    found = traced(model)(*map(torch.from_numpy, case.values()))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op_type", list(GATES))
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_each_row_ends_at_its_own_length(op_type: str, direction: str) -> None:
    model = model_of(op_type, f', direction="{direction}"', 2 if direction == "bidirectional" else 1)
    script = traced(model)
    whole = script(*map(torch.from_numpy, inputs(5, [5, 3]).values()))
    case = inputs(5, [5, 3])
    alone = script(torch.from_numpy(case["x"][:3, 1:]), torch.tensor([3], dtype=torch.int32))
    torch.testing.assert_close(whole[0][:3, :, 1:], alone[0])
    torch.testing.assert_close(whole[1][:, 1:], alone[1])
    assert not whole[0][3:, :, 1].any()
