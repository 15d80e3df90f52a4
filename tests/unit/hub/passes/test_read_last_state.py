"""Only the last state is read where the last of all states is: in which graphs that is the same."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from isoform.hub.passes.read_last_state import read_last_state


def after(
    direction: str = "forward", index: int = -1, axis: int = 0, *,
    has_lengths: bool = False, perm: object = None, squeezed: int = 1, batch: int = 2,
):  # fmt: skip
    """Return the operators of a graph that picks one of all states, after the pass."""
    directions = 2 if direction == "bidirectional" else 1
    constants = {
        "W": np.zeros((directions, 8, 3), np.float32), "R": np.zeros((directions, 8, 2), np.float32),
        "one": np.array([squeezed]), "index": np.array(index), "lengths": np.array([4, 2], np.int32),
    }  # fmt: skip
    inputs = ["x", "W", "R"] + (["", "lengths"] if has_lengths else [])
    nodes = [
        helper.make_node("LSTM", inputs, ["y"], hidden_size=2, direction=direction),
        helper.make_node("Squeeze", ["y", "one"], ["states"]),
        helper.make_node("Transpose", ["states"], ["turned"], perm=perm or [0, 1, 2]),
        helper.make_node("Gather", ["turned", "index"], ["last"], axis=axis),
    ]
    graph = helper.make_graph(
        nodes, "states", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["length", batch, 3])],
        [helper.make_tensor_value_info("last", TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    model.graph.node(0).outputs[0].shape = ir.Shape(["length", directions, batch, 2])
    read_last_state(model)
    assert [value.name for value in model.graph.outputs] == ["last"]
    producer = model.graph.outputs[0].producer()
    assert producer is not None
    return producer


@pytest.mark.parametrize(("axis", "perm"), [(0, None), (1, [1, 0, 2])])
def test_the_last_step_is_the_last_state(axis: int, perm: list[int] | None) -> None:
    squeeze = after(axis=axis, perm=perm)
    assert squeeze.op_type == "Squeeze"
    assert squeeze.inputs[0].producer().op_type == "LSTM"
    assert squeeze.inputs[0].index() == 1


def test_the_batch_of_one_sequence_may_be_what_is_squeezed() -> None:
    assert after(squeezed=2, batch=1).op_type == "Squeeze"


@pytest.mark.parametrize(
    "changed",
    [
        {"direction": "reverse"}, {"direction": "bidirectional"}, {"index": 0}, {"axis": 1}, {"has_lengths": True},
        {"axis": 0, "perm": [1, 0, 2]}, {"squeezed": 2},
    ],
)  # fmt: skip
def test_any_other_state_is_picked_from_all(changed: dict[str, object]) -> None:
    assert after(**changed).op_type == "Gather"  # type: ignore[arg-type]
