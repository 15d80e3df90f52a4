"""Spectra of TFLite files: what LiteRT gives for the parts of complex numbers, ONNX Runtime gives."""

import io
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema

from integration.litert_runner import answers
from isoform import hub
from isoform.errors import IsoformError
from isoform.hub.emitters import tflite_builder
from isoform.hub.emitters.tflite_builder import FlatFile

CODE = schema.BuiltinOperator
X = np.random.default_rng(7).uniform(-1, 1, (2, 3, 4, 16)).astype(np.float32)


@pytest.fixture(autouse=True)
def _complex_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the builder write what isoform itself never does."""
    monkeypatch.setitem(tflite_builder.DTYPES, "complex64", schema.TensorType.COMPLEX64)


def written(lengths: list[int], moves: list[tuple[str, Any, int]], last: str) -> bytes:
    """Return a file that transforms X, moves the complex numbers, and gives a part of them."""
    file = FlatFile()
    graph = file.sub_graph("main")
    x = graph.input("x", "float32", list(X.shape))
    value = graph.tensor("spectrum", "complex64", [2, 3, lengths[0], lengths[1] // 2 + 1])
    length = graph.constant(np.array(lengths, np.int32), "length")
    graph.add(CODE.RFFT2D, [x, length], [value], schema.Rfft2dOptionsT())
    for name, second, rank in moves:
        further = [] if second is None else [graph.constant(np.array(second, np.int32), f"{name}_by")]
        moved = graph.tensor(name, "complex64", [None] * rank)
        graph.add(getattr(CODE, name), [value, *further], [moved])
        value = moved
    result = graph.tensor("y", "float32", [None] * (moves[-1][2] if moves else 4))
    graph.add(getattr(CODE, last), [value], [result])
    graph.outputs = [result]
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def in_onnx_runtime(content: bytes) -> np.ndarray:
    proto = ir.to_proto(hub.from_tflite(content))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {session.get_inputs()[0].name: X})
    return found


@pytest.mark.parametrize("lengths", [[4, 16], [1, 16], [4, 8], [8, 32]])
@pytest.mark.parametrize("last", ["REAL", "IMAG", "COMPLEX_ABS", "CAST"])
def test_a_part_of_a_spectrum_is_that_of_litert(lengths: list[int], last: str) -> None:
    content = written(lengths, [], last)
    spectrum = np.fft.rfft2(X.astype(np.float64), s=lengths)
    wanted = {"REAL": spectrum.real, "CAST": spectrum.real, "IMAG": spectrum.imag, "COMPLEX_ABS": np.abs(spectrum)}[
        last
    ]
    np.testing.assert_allclose(answers(content, [X])[0], wanted, atol=2e-5)
    np.testing.assert_allclose(in_onnx_runtime(content), wanted, atol=2e-5)


@pytest.mark.parametrize("move", [("RESHAPE", [6, 4, 9], 3), ("EXPAND_DIMS", -1, 5), ("EXPAND_DIMS", 1, 5)])
def test_complex_numbers_are_moved_as_litert_moves_them(move: tuple[str, Any, int]) -> None:
    content = written([4, 16], [move], "IMAG")
    [wanted] = answers(content, [X])
    np.testing.assert_allclose(in_onnx_runtime(content), wanted, atol=2e-5)


def test_other_operators_of_complex_numbers_are_refused_by_name() -> None:
    with pytest.raises(IsoformError, match=r"'NEG'.*complex numbers"):
        hub.from_tflite(written([4, 16], [("NEG", None, 4)], "REAL"))
