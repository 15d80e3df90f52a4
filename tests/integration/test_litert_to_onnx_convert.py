"""TFLite to ONNX as a user asks for it: names and sizes as declared, refused files gone, one signature of several."""

import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from isoform.converters import tflite_to_onnx
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.emitters.tflite_builder import FlatFile
from isoform.hub.importers import tflite
from isoform.hub.importers.tflite_ops.call import Call
from isoform.hub.importers.tflite_ops.table import Reading
from isoform.runtimes import litert

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CODE, RNG = schema.BuiltinOperator, np.random.default_rng(4)
DECLARED = Signature(
    (TensorSpec("image", "float32", ("pictures", "height", 8, 3)),),
    (TensorSpec("scores", "float32", ("pictures", "rows", 4, 5)),),
)


def written(path: Path) -> Artifact:
    """A strided convolution with SAME padding and an activation, over images of any height."""
    file = FlatFile()
    graph = file.sub_graph("main")
    image = graph.input("image", "float32", [None, None, 8, 3])
    weights = [RNG.standard_normal(shape).astype(np.float32) for shape in ((5, 3, 3, 3), (5,))]
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = 2
    options.padding, options.fusedActivationFunction = schema.Padding.SAME, schema.ActivationFunctionType.RELU6
    scores = graph.tensor("scores", "float32", [None, None, 4, 5])
    graph.add(CODE.CONV_2D, [image, *(graph.constant(array, f"w{array.ndim}") for array in weights)], [scores], options)
    graph.outputs = [scores]
    file.save(path)
    return Artifact("tflite", path, DECLARED)


def converted(source: Artifact, target: Path) -> onnx.ModelProto:
    tflite_to_onnx.convert(source, target, ConvertOptions())
    return onnx.load(target)


@pytest.mark.parametrize("height", [1, 8, 13])
def test_sizes_that_are_left_open_stay_so(tmp_path: Path, height: int) -> None:
    source, target = written(tmp_path / "m.tflite"), tmp_path / "m.onnx"
    proto = converted(source, target)
    dims = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in proto.graph.input]
    assert dims == [["pictures", "height", 8, 3]]
    x = RNG.standard_normal((2, height, 8, 3)).astype(np.float32)
    [found] = onnxruntime.InferenceSession(str(target)).run(["scores"], {"image": x})
    wanted = litert.load(source, RunOptions()).run({"image": x})["scores"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_names_that_the_file_does_not_have_are_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "m.tflite")
    other = Signature((TensorSpec("picture", "float32", ("n", "h", 8, 3)),), DECLARED.outputs)
    with pytest.raises(IsoformError) as caught:
        converted(Artifact("tflite", source.model, other), tmp_path / "m.onnx")
    assert caught.value.what == "The file has image; declared are picture."
    assert not (tmp_path / "m.onnx").exists()


def planted(call: Call) -> object:
    """A convolution whose result is one row short."""
    name, row = "CONV_2D", [1]
    result = ORIGINAL[name](call)
    return call.emit("Slice", result, call.ints(*row), call.ints(1 << 40), call.ints(1))


ORIGINAL = {"CONV_2D": tflite.OPERATORS.rows["CONV_2D"][0]}


def test_a_result_of_another_shape_than_litert_gives_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tflite.OPERATORS.rows, "CONV_2D", (planted, Reading.REAL))
    target = tmp_path / "m.onnx"
    with pytest.raises(IsoformError) as caught:
        converted(written(tmp_path / "m.tflite"), target)
    assert caught.value.kind == "broken-file"
    assert caught.value.what == "'scores' is float32[2, 8, 4, 5] in ONNX Runtime, float32[2, 9, 4, 5] in LiteRT."
    assert not target.exists()


def test_a_graph_that_the_checker_refuses_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        tflite.OPERATORS.rows, "CONV_2D", (lambda call: call.emit("Relu", call[0], call[1]), Reading.REAL)
    )
    target = tmp_path / "m.onnx"
    with pytest.raises(IsoformError) as caught:
        converted(written(tmp_path / "m.tflite"), target)
    assert caught.value.kind == "invalid-graph"
    assert not target.exists()


def test_what_isoform_writes_it_reads_with_the_same_names(tmp_path: Path) -> None:
    source = written(tmp_path / "m.tflite")
    interpreter = Interpreter(str(source.model))
    runner = interpreter.get_signature_runner("serving_default")
    model = tflite.load(source.model)
    assert [value.name for value in model.graph.inputs] == list(runner.get_input_details())
    assert [value.name for value in model.graph.outputs] == list(runner.get_output_details())


def two_signatures() -> bytes:
    file = FlatFile()
    for name, code in (("double", CODE.ADD), ("square", CODE.MUL)):
        graph = file.sub_graph(name)
        x = graph.input(f"{name}_x", "float32", [2])
        kind = schema.AddOptionsT() if code == CODE.ADD else schema.MulOptionsT()
        graph.outputs = [graph.make(code, [x, x], [2], kind)]
    buffer = io.BytesIO()
    file.write(buffer)
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(buffer.getvalue(), 0))
    first = model.signatureDefs[0]
    second = schema.SignatureDefT()
    first.signatureKey, second.signatureKey, second.subgraphIndex = b"double", b"square", 1
    second.inputs, second.outputs = first.inputs, first.outputs
    model.signatureDefs = [first, second]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_the_only_signature_names_inputs_and_outputs_whatever_its_own_name(tmp_path: Path) -> None:
    import flatbuffers

    source = written(tmp_path / "m.tflite")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(source.model.read_bytes(), 0))
    only = model.signatureDefs[0]
    only.signatureKey, only.inputs[0].name, only.outputs[0].name = b"classify", b"picture", b"classes"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    source.model.write_bytes(bytes(builder.Output()))
    signature = litert.load(source, RunOptions()).signature
    graph = tflite.load(source.model).graph
    for specs, values in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs)):
        assert [spec.name for spec in specs] == [value.name for value in values]
    assert [graph.inputs[0].name, graph.outputs[0].name] == ["picture", "classes"]


def test_of_several_signatures_one_has_to_be_named() -> None:
    data = two_signatures()
    for key, op_type in (("double", "Add"), ("square", "Mul")):
        assert [node.op_type for node in tflite.load(data, key).graph] == [op_type]
    with pytest.raises(IsoformError, match=r"^The file has several signatures\.$") as caught:
        tflite.load(data)
    assert caught.value.hint == "Name one of: double, square."
    with pytest.raises(IsoformError, match=r"^There is no signature 'cube' in the file\.$"):
        tflite.load(data, "cube")


@pytest.mark.parametrize(("key", "wanted"), [("double", [2.0, 6.0]), ("square", [1.0, 9.0])])
def test_the_signature_asked_for_is_converted_and_run(tmp_path: Path, key: str, wanted: list[float]) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(two_signatures())
    artifact = Artifact("tflite", path, Signature((), ()), entry=key)
    session = litert.load(artifact, RunOptions())
    x, y = session.signature.inputs[0].name, session.signature.outputs[0].name
    given = np.float32([1, 3])
    np.testing.assert_array_equal(session.run({x: given})[y], wanted)
    source = Artifact("tflite", path, session.signature, entry=key)
    converted(source, tmp_path / "m.onnx")
    np.testing.assert_array_equal(
        onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run([y], {x: given})[0], wanted
    )


def test_a_signature_that_the_file_lacks_is_named_by_the_runtime_too(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(two_signatures())
    with pytest.raises(IsoformError, match=r"^There is no signature 'cube' in the file\.$") as caught:
        litert.load(Artifact("tflite", path, Signature((), ()), entry="cube"), RunOptions())
    assert caught.value.hint == "Its signatures: double, square."
