"""The TFLite file in memory: what is stored, where, and that the interpreter reads it."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.hub.emitters.tflite_builder import FlatFile, SubGraph, Tensor

LARGE = np.arange(4096, dtype=np.float32).reshape(64, 64)


def adding(*arrays: np.ndarray) -> FlatFile:
    """Return a file whose main graph adds each array to its input in turn."""
    file = FlatFile()
    graph = file.sub_graph("main")
    x = graph.input("x", "float32", [None, arrays[0].shape[-1]])
    for array in arrays:
        x = graph.make(schema.BuiltinOperator.ADD, [x, graph.constant(array)], x.shape, schema.AddOptionsT())
    named(graph, x, "y")
    return file


def named(graph: SubGraph, tensor: Tensor, name: str) -> None:
    output = Tensor(tensor.index, name, tensor.dtype, tensor.shape)
    graph.tensors[tensor.index] = output
    graph.outputs.append(output)


def written(file: FlatFile) -> bytes:
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def answer(content: bytes, x: np.ndarray) -> np.ndarray:
    runner = Interpreter(model_content=content)
    runner.resize_tensor_input(runner.get_input_details()[0]["index"], x.shape)
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], x)
    runner.invoke()
    return np.array(runner.get_tensor(runner.get_output_details()[0]["index"]))


def test_a_large_constant_follows_the_flatbuffer_at_a_multiple_of_64() -> None:
    content = written(adding(LARGE))
    [buffer] = [each for each in buffers(content) if each.Offset() > 1]
    assert buffer.Offset() % 64 == 0
    assert content[buffer.Offset() : buffer.Offset() + buffer.Size()] == LARGE.tobytes()


def buffers(content: bytes) -> list[schema.Buffer]:
    model = schema.Model.GetRootAsModel(content, 0)
    return [model.Buffers(place) for place in range(model.BuffersLength())]


def test_a_small_constant_stands_inside_the_flatbuffer() -> None:
    content = written(adding(np.ones(3, np.float32)))
    assert [each.Offset() for each in buffers(content)] == [0, 0]
    assert [each.DataLength() for each in buffers(content)] == [0, 12]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=4), st.integers(1, 3))
def test_what_is_added_comes_out_whatever_the_sizes(rows: list[int], batch: int) -> None:
    columns = 40
    arrays = [np.full((1, columns), row, np.float32) for row in rows]
    arrays += [np.tile(np.arange(columns, dtype=np.float32), (30, 1))[:1]]
    x = np.ones((batch, columns), np.float32)
    np.testing.assert_array_equal(answer(written(adding(*arrays)), x), x + sum(arrays))


def test_the_same_large_array_is_stored_once_across_sub_graphs() -> None:
    file = adding(LARGE)
    file.sub_graph("other").constant(LARGE)
    assert written(file).count(LARGE.tobytes()) == 1


def test_equal_small_arrays_are_stored_once() -> None:
    row = np.array([3.25, 1.5], np.float32)
    content = written(adding(row, row.copy()))
    assert content.count(row.tobytes()) == 1


def test_names_order_and_dynamic_sizes_of_inputs_and_outputs_are_kept() -> None:
    file = FlatFile()
    graph = file.sub_graph("main")
    z, a = (graph.input(name, "float32", [None, 3]) for name in ("z", "a"))
    for name in ("q", "b"):
        named(graph, graph.make(schema.BuiltinOperator.SUB, [z, a], z.shape, schema.SubOptionsT()), name)
    runner = Interpreter(model_content=written(file))
    assert [details["name"] for details in runner.get_input_details()] == ["z", "a"]
    assert [list(details["shape_signature"]) for details in runner.get_input_details()] == [[-1, 3], [-1, 3]]
    assert runner.get_signature_list() == {"serving_default": {"inputs": ["a", "z"], "outputs": ["b", "q"]}}


def test_a_view_is_written_as_it_reads(tmp_path: Path) -> None:
    file = adding(LARGE.T)
    file.save(tmp_path / "model.tflite")
    x = np.zeros((64, 64), np.float32)
    np.testing.assert_array_equal(answer((tmp_path / "model.tflite").read_bytes(), x), LARGE.T)


@given(
    st.lists(st.sampled_from([1, 2, 3, 255, 256, 257, 600]), min_size=2, max_size=3).filter(
        lambda shape: 1024 <= math.prod(shape) <= 1 << 18
    ),
    st.data(),
)
@settings(deadline=None, max_examples=30)
def test_a_view_in_any_order_of_axes_is_written_element_by_element(shape: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    view = np.arange(math.prod(shape), dtype=np.float32).reshape(shape).transpose(order)
    content = written(adding(view))
    [buffer] = [each for each in buffers(content) if each.Offset() > 1]
    assert content[buffer.Offset() : buffer.Offset() + buffer.Size()] == view.tobytes()


def test_an_unknown_dtype_is_not_written() -> None:
    with pytest.raises(KeyError, match="complex64"):
        written(adding(np.zeros((1, 2), np.complex64)))


def test_a_table_and_a_view_of_all_of_it_are_one_tensor() -> None:
    graph = FlatFile().sub_graph("main")
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert graph.constant(table, "table") is graph.constant(table.T.T, "head")
    assert graph.constant(table, "table") is not graph.constant(table.T, "turned")
    assert graph.constant(table, "table") is not graph.constant(table.copy(), "copy")
