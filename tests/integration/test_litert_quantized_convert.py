"""Quantised networks from file to file, there and back, judged in steps of their integers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import isoform
from saturation import exact_sums

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
RNG = np.random.default_rng(0)


class Samples(CalibrationDataReader):
    """Gaussian images."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self._left: Iterator[Any] = iter(
            [{"image": rng.standard_normal((4, 3, 16, 16)).astype(np.float32)} for _ in range(4)]
        )

    def get_next(self) -> Any:
        return next(self._left, None)


def network() -> onnx.ModelProto:
    """Return a network of convolutions, one of them depthwise, a residual, pooling and a matrix."""
    stored: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def weight(*shape: int) -> str:
        array = RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 10)
        stored.append(numpy_helper.from_array(array.astype(np.float32), f"w{len(stored)}"))
        return f"w{len(stored) - 1}"

    def add(op_type: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op_type, inputs, [f"v{len(nodes)}"], name=f"n{len(nodes)}", **attributes))
        return f"v{len(nodes) - 1}"

    x = add("Relu", add("Conv", "image", weight(16, 3, 3, 3), weight(16), pads=[1, 1, 1, 1], strides=[2, 2]))
    x = add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = add("Relu", add("Conv", x, weight(16, 1, 3, 3), weight(16), pads=[1, 1, 1, 1], group=16))
    x = add("Relu", add("Add", x, add("Conv", y, weight(16, 16, 1, 1), weight(16))))
    x = add("Flatten", add("GlobalAveragePool", x))
    nodes.append(helper.make_node("Gemm", [x, weight(10, 16), weight(10)], ["scores"], name="gemm", transB=1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 16, 16])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "network", [image], [scores], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module", params=["uint8", "int8 of channels"])
def quantized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized")
    onnx.save(network(), folder / "float.onnx")
    is_unsigned = request.param == "uint8"
    quantize_static(
        folder / "float.onnx",
        folder / "network.onnx",
        Samples(),
        quant_format=QuantFormat.QDQ,
        per_channel=not is_unsigned,
        activation_type=QuantType.QUInt8 if is_unsigned else QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    return folder / "network.onnx"


@exact_sums
def test_a_quantised_network_goes_to_tflite_and_back_and_again_in_integers(quantized: Path, tmp_path: Path) -> None:
    [there] = isoform.convert(quantized, to=["tflite"], out=tmp_path / "there")
    assert (there.status, there.verdict) == ("passed", "PASS")
    assert there.parity["litert"]["headline"].startswith("class quantised; 'scores' ")
    assert there.parity["litert"]["gates"]["weights"]["verdict"] == "PASS"
    [back] = isoform.convert(there.model, to=["onnx"], out=tmp_path / "back")
    assert (back.status, back.verdict) == ("passed", "PASS")
    [again] = isoform.convert(back.model, to=["tflite"], out=tmp_path / "again")
    assert (again.status, again.verdict) == ("passed", "PASS")


def test_a_fault_in_the_file_is_found(quantized: Path, tmp_path: Path) -> None:
    """One scale is a twentieth larger, one bias is gone, and two filters of sixteen are."""
    [there] = isoform.convert(quantized, to=["tflite"], out=tmp_path)
    cases = there.path / "cases.npz"
    for name, altered in faults(there.model.read_bytes()).items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(altered)
        [record] = isoform.verify(path, cases=cases)
        assert record.verdict == "FAIL", (name, record.headline)
        assert "class quantised" in record.headline


def faults(content: bytes) -> dict[str, bytes]:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    found = {}
    for name in ("scale", "bias", "filter"):
        data = bytearray(content)
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        graph = model.subgraphs[0]
        code = schema.BuiltinOperator.CONV_2D
        conv = next(each for each in graph.operators if model.operatorCodes[each.opcodeIndex].builtinCode == code)
        _, weight, bias = (graph.tensors[place] for place in conv.inputs)
        if name == "scale":
            weight.quantization.scale = [scale * 1.05 for scale in weight.quantization.scale]
        else:
            buffer = model.buffers[(bias if name == "bias" else weight).buffer]
            buffer.data = np.array(buffer.data, np.uint8)
            buffer.data[: buffer.data.size // (1 if name == "bias" else 8)] = 0
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        found[name] = bytes(builder.Output())
    return found
