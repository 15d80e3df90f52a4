"""Files over 2 GiB: weights follow the flatbuffer, and LiteRT reads them at positions that 32 bits cannot say."""

from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert.interpreter import Interpreter

from isoform.hub.emitters import tflite

GIB = 1 << 30
COLUMNS = 2048


class Sparse:
    """A file that takes no space on disk for blocks of zeros."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        """Write ``data``, or leave a hole where it is large and all zeros."""
        block = np.frombuffer(data, np.uint8)
        if block.size < GIB or block.any():
            return self._file.write(data)
        self._file.seek(block.size, 1)
        return block.size


def stored(name: str, array: Any) -> ir.Value:
    kind = ir.TensorType(ir.DataType.FLOAT)
    return ir.Value(name=name, const_value=ir.Tensor(array, name=name), shape=ir.Shape(array.shape), type=kind)


def lookup(table: Any, row: Any, kernel: Any) -> ir.Model:
    """Return a graph that looks rows up in ``table``, adds ``row`` and multiplies with ``kernel``."""
    weights = [stored("table", table), stored("row", row), stored("kernel", kernel)]
    ids = ir.Value(name="ids", shape=ir.Shape(["batch"]), type=ir.TensorType(ir.DataType.INT64))
    gather = ir.node("Gather", [weights[0], ids])
    total = ir.node("Add", [gather.outputs[0], weights[1]])
    product = ir.node("MatMul", [total.outputs[0], weights[2]])
    [result] = product.outputs
    result.name, result.type = "y", ir.TensorType(ir.DataType.FLOAT)
    result.shape = ir.Shape(["batch", kernel.shape[1]])
    graph = ir.Graph([ids], [result], nodes=[gather, total, product], initializers=weights, opset_imports={"": 20})
    return ir.Model(graph, ir_version=9)


def test_weights_that_lie_beyond_two_gibibytes_of_a_file_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = np.zeros((2 * GIB // (4 * COLUMNS) + 1000, COLUMNS), np.float32)  # never written to: takes no memory
    row, kernel = (rng.standard_normal(shape).astype(np.float32) for shape in (COLUMNS, (COLUMNS, 8)))
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        tflite.build(lookup(table, row, kernel)).write(Sparse(file))  # type: ignore[arg-type]
    with path.open("rb") as file:
        file.seek(2 * GIB)
        assert row.tobytes() in file.read()
    run = Interpreter(str(path), num_threads=1).get_signature_runner()
    ids = np.array([0, len(table) - 1], np.int64)
    np.testing.assert_allclose(run(ids=ids)["y"], np.stack([row @ kernel] * 2), rtol=1e-4, atol=1e-4)
