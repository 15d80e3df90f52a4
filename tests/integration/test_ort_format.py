"""ORT format: written by ONNX Runtime, read back as a graph, and proved on ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import isoform
from isoform.converters import onnx_to_ort, ort_to_onnx
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import ort_format

RNG = np.random.default_rng(1)
VALUE = helper.make_tensor_value_info


def weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32), name)


def saved(path: Path, nodes: list, inputs: list, outputs: list, weights: list, opset: int = 20) -> Path:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    return path


def layers(folder: Path) -> Path:
    """A convolution with a batch normalisation, a GELU, a recurrent layer with words and lists as attributes."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], kernel_shape=[3], pads=[1, 1]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-3),
        helper.make_node("Gelu", ["n"], ["g"], approximate="tanh"),
        helper.make_node("Transpose", ["g"], ["t"], perm=[2, 0, 1]),
        helper.make_node(
            "GRU", ["t", "w", "r"], ["", "h"], hidden_size=3, direction="reverse", activations=["Sigmoid", "Tanh"],
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["h", "zero"], ["y"]),
    ]  # fmt: skip
    positive = numpy_helper.from_array(RNG.uniform(0.5, 2, 4).astype(np.float32), "v")
    weights = [
        weight("k", 4, 2, 3), weight("s", 4), weight("b", 4), weight("m", 4), positive, weight("w", 1, 9, 4),
        weight("r", 1, 9, 3), numpy_helper.from_array(np.array([0]), "zero"),
    ]  # fmt: skip
    x = VALUE("x", TensorProto.FLOAT, ["batch", 2, "length"])
    return saved(folder / "m.onnx", nodes, [x], [VALUE("y", TensorProto.FLOAT, ["batch", 3])], weights)


def control(folder: Path) -> Path:
    """A loop whose body reads a weight of the outer graph and holds a branch with a weight of its own."""
    out = VALUE("b", TensorProto.FLOAT, None)
    then = helper.make_graph([helper.make_node("Mul", ["a", "half"], ["b"])], "then", [], [out], [weight("half", 4)])
    other = helper.make_graph([helper.make_node("Neg", ["a"], ["b"])], "else", [], [out])
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "w"], ["a"]),
            helper.make_node("ReduceSum", ["a"], ["s"], keepdims=0),
            helper.make_node("Greater", ["s", "limit"], ["is_large"]),
            helper.make_node("If", ["is_large"], ["next"], then_branch=then, else_branch=other),
            helper.make_node("Identity", ["on"], ["still"]),
        ], "body",
        [VALUE("i", TensorProto.INT64, []), VALUE("on", TensorProto.BOOL, []), VALUE("state", TensorProto.FLOAT, None)],
        [VALUE("still", TensorProto.BOOL, []), VALUE("next", TensorProto.FLOAT, None)],
    )  # fmt: skip
    nodes = [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)]
    weights = [weight("w", 4), numpy_helper.from_array(np.float32(0.5), "limit"),
               numpy_helper.from_array(np.int64(5), "count")]  # fmt: skip
    x = VALUE("x", TensorProto.FLOAT, ["batch", 4])
    return saved(folder / "m.onnx", nodes, [x], [VALUE("y", TensorProto.FLOAT, ["batch", 4])], weights)


def sequence(folder: Path) -> Path:
    """A sequence of pieces, put together again in another order."""
    nodes = [
        helper.make_node("SplitToSequence", ["x", "sizes"], ["s"], axis=1),
        helper.make_node("SequenceAt", ["s", "one"], ["second"]),
        helper.make_node("SequenceInsert", ["s", "second"], ["longer"]),
        helper.make_node("ConcatFromSequence", ["longer"], ["y"], axis=1),
    ]
    weights = [numpy_helper.from_array(np.array([1, 3]), "sizes"), numpy_helper.from_array(np.int64(1), "one")]
    x = VALUE("x", TensorProto.FLOAT, ["batch", 4])
    return saved(folder / "m.onnx", nodes, [x], [VALUE("y", TensorProto.FLOAT, ["batch", 7])], weights)


NETWORKS = {"layers": (layers, (3, 2, 5)), "control": (control, (3, 4)), "sequence": (sequence, (3, 4))}


def there_and_back(source: Path, signature: Signature) -> Path:
    """Return the ONNX file that the ORT file of ``source`` is read as."""
    target, back = source.with_name("model.ort"), source.with_name("back.onnx")
    onnx_to_ort.convert(Artifact("onnx", source, signature), target, ConvertOptions())
    ort_to_onnx.convert(Artifact("ort", target, signature), back, ConvertOptions())
    return back


@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_read_back_is_valid_and_means_what_it_meant(tmp_path: Path, name: str) -> None:
    make, shape = NETWORKS[name]
    source = make(tmp_path)
    back = there_and_back(source, Signature((TensorSpec("x", "float32", shape),), ()))
    onnx.checker.check_model(back, full_check=True)
    inputs = {"x": RNG.normal(size=shape).astype(np.float32)}
    expected, found = (ReferenceEvaluator(str(path)).run(None, inputs) for path in (source, back))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    [x] = ir.load(back).graph.inputs
    assert str(x.shape[0]) == "batch"


def test_an_artifact_is_proved_with_its_own_graph_in_float64_and_keeps_its_axes(tmp_path: Path) -> None:
    [result] = isoform.convert(layers(tmp_path), "ort", out=tmp_path / "out")
    assert result.verdict == "PASS"
    gates = result.parity["ort-cpu"]["gates"]
    assert {name: gate["verdict"] for name, gate in gates.items()} == dict.fromkeys(gates, "PASS")
    assert all("written from" not in finding for finding in gates["semantics"]["findings"])
    session = onnxruntime.InferenceSession(str(result.model), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 2, "length"]
    for batch, length in ((1, 7), (4, 2)):
        assert session.run(None, {"x": np.zeros((batch, 2, length), np.float32)})[0].shape == (batch, 3)


def test_an_altered_weight_fails_the_gate_of_weights(tmp_path: Path) -> None:
    [result] = isoform.convert(layers(tmp_path), "ort", out=tmp_path / "out")
    recurrent = numpy_helper.to_array(onnx.load(tmp_path / "m.onnx").graph.initializer[6])
    data = bytearray(result.model.read_bytes())
    data[data.index(recurrent.tobytes())] ^= 1  # the last bit of a weight: no output shows it
    result.model.write_bytes(data)
    gates = isoform.verify(result.path)[0].gates
    assert gates["weights"].verdict == "FAIL"
    assert "'r'" in gates["weights"].findings[0]
    assert gates["numerics"].verdict == "PASS"


def test_a_file_in_ort_format_is_a_source(tmp_path: Path) -> None:
    [result] = isoform.convert(layers(tmp_path), "ort", out=tmp_path / "out")
    results = isoform.convert(result.model, "onnx,torchscript", out=tmp_path / "again")
    assert [(each.verdict, each.route[0]) for each in results] == [("PASS", "ort_to_onnx")] * 2


def test_a_cut_file_is_refused_as_a_source(tmp_path: Path) -> None:
    [result] = isoform.convert(layers(tmp_path), "ort", out=tmp_path / "out", verify=False)
    data = result.model.read_bytes()
    (tmp_path / "cut.ort").write_bytes(data[:-40])
    with pytest.raises(IsoformError) as caught:
        isoform.convert(tmp_path / "cut.ort", "onnx", out=tmp_path / "again")
    assert caught.value.kind in ("damaged", "load")


def test_what_is_too_large_for_the_format_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = layers(tmp_path)
    size = source.stat().st_size
    monkeypatch.setattr(ort_format, "_LARGEST_BYTES", size - 1)
    with pytest.raises(IsoformError) as caught:
        ort_format.write(source, tmp_path / "m.ort")
    assert caught.value.what == f"The model takes {size:,} bytes; a file in ORT format ends at 2 GiB."
    assert not (tmp_path / "m.ort").exists()


def test_a_graph_that_onnx_runtime_refuses_leaves_nothing(tmp_path: Path) -> None:
    x = VALUE("x", TensorProto.FLOAT, ["batch", 4])
    nodes = [helper.make_node("NoSuchOperator", ["x"], ["y"])]
    source = saved(tmp_path / "m.onnx", nodes, [x], [VALUE("y", TensorProto.FLOAT, ["batch", 4])], [])
    with pytest.raises(IsoformError) as caught:
        ort_format.write(source, tmp_path / "m.ort")
    assert caught.value.kind == "broken-file"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
