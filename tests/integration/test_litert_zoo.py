"""What the zoo says of a TFLite file is what the file holds, and what it times is a call of that file."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from isoform import hub
from zoo import latency, tflite_file
from zoo.entry import Entry
from zoo.inputs import drawn

ENTRY = Entry("net", "text", "torch", "", {}, ("b:float32[batch,2,3]", "a:int64[batch,length]:3..4"), {"length": 7})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["" : 20]> net (float[batch, 2, 3] b, int64[batch, length] a) '
        "=> (float[batch, 3, 2] y, int64[batch, length] z) "
        "{ y = Transpose<perm = [0, 2, 1]>(b)  z = Add(a, a) }"
    )
    target = tmp_path / "model.tflite"
    target.write_bytes(hub.to_tflite(model))
    return target


def test_operators_and_transposes_are_counted_in_the_file(path: Path) -> None:
    assert tflite_file.operators(path) == {"TRANSPOSE": 1, "ADD": 1}
    assert tflite_file.described(path) == {"operators": 2, "transposes": 1, "bytes": path.stat().st_size}


def test_the_same_inputs_are_drawn_every_time_within_their_range() -> None:
    first, second = drawn(ENTRY), drawn(ENTRY)
    assert first["b"].shape == (1, 2, 3)
    assert first["a"].shape == (1, 7)
    assert set(first["a"].flat) <= {3, 4}
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_file_is_called_at_the_sizes_of_what_it_is_given(path: Path) -> None:
    assert latency.alone(latency.called(str(path), list(drawn(ENTRY).values()))) > 0


def test_without_declared_inputs_a_dynamic_size_is_one(path: Path) -> None:
    assert latency.alone(latency.called(str(path), [])) > 0


def test_arguments_that_the_file_numbers_are_put_in_their_order() -> None:
    names = [f"serving_default_args_{number}:0" for number in (10, 2, 0)]
    assert sorted(({"name": name} for name in names), key=latency._place)[0]["name"] == names[2]
