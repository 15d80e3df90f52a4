"""ONNX Runtime, ONNX's reference evaluator and LiteRT keep what a runtime promises; so does what is bound to them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from isoform.converters import onnx_to_tflite
from isoform.core.artifact import Artifact
from isoform.core.cases import Cases, save
from isoform.core.protocols import ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.runtimes import litert, onnx_reference, ort
from isoform.testing.contracts import RuntimeContract

SIGNATURE = Signature(
    (TensorSpec.parse("x:float32[batch,3]"), TensorSpec.parse("scale:float32[3]")),
    (TensorSpec.parse("y:float32[batch,4]"), TensorSpec.parse("scaled:float32[batch,3]")),
)


def written(path: Path) -> Path:
    """Write ``scaled = x scale; y = tanh(scaled w)``."""
    weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "w"], ["product"]),
        helper.make_node("Tanh", ["product"], ["y"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in side]
        for side in (SIGNATURE.inputs, SIGNATURE.outputs)
    )
    graph = helper.make_graph(nodes, "net", inputs, outputs, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


class TestOnnxRuntime(RuntimeContract):
    module = ort

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return Artifact("onnx", written(tmp_path / "model.onnx"), SIGNATURE)


class TestReferenceEvaluator(RuntimeContract):
    module = onnx_reference

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return Artifact("onnx", written(tmp_path / "model.onnx"), SIGNATURE)


class TestLitert(RuntimeContract):
    module = litert

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        source = Artifact("onnx", written(tmp_path / "model.onnx"), SIGNATURE)
        onnx_to_tflite.convert(source, tmp_path / "model.tflite", ConvertOptions())
        return Artifact("tflite", tmp_path / "model.tflite", SIGNATURE)


def onnx_of(path: Path, inputs: list[Any], outputs: list[Any], *nodes: onnx.NodeProto) -> Artifact:
    graph = helper.make_graph(list(nodes), "net", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return Artifact("onnx", path, Signature((), ()))


def test_a_case_that_does_not_fit_is_out_of_memory_and_no_finding_about_the_model(tmp_path: Path) -> None:
    filled = onnx_of(
        tmp_path / "filled.onnx",
        [helper.make_tensor_value_info("s", TensorProto.INT64, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        helper.make_node("ConstantOfShape", ["s"], ["y"]),
    )
    sizes = (2, 1 << 45)
    save(Cases(("small", "large"), tuple({"s": np.array([size])} for size in sizes)), tmp_path / "cases.npz")
    arguments = {
        "runtime": "ort-cpu", "artifact": filled.to_json(), "cases": str(tmp_path / "cases.npz"),
        "outputs": str(tmp_path / "outputs.npz"),
    }  # fmt: skip
    with Pool() as pool, pytest.raises(IsoformError) as caught:
        pool.call("isoform.jobs.infer:run", arguments, needs="onnxruntime")
    assert (caught.value.kind, caught.value.what) == ("out-of-memory", "infer.run ran out of memory.")


def test_strings_which_onnx_runtime_cannot_bind_are_run_all_the_same(tmp_path: Path) -> None:
    text = onnx_of(
        tmp_path / "text.onnx",
        [helper.make_tensor_value_info("s", TensorProto.STRING, [None])],
        [helper.make_tensor_value_info("t", TensorProto.STRING, [None])],
        helper.make_node("Identity", ["s"], ["t"]),
    )
    assert ort.load(text, RunOptions()).bind({"s": np.array(["a", "b"], object)}).answer()["t"].tolist() == ["a", "b"]


def test_a_size_that_depends_on_values_is_the_same_at_every_run(tmp_path: Path) -> None:
    artifact = onnx_of(
        tmp_path / "m.onnx",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [1, None])],
        helper.make_node("NonZero", ["x"], ["places"]),
    )
    session = ort.load(artifact, RunOptions())
    for values, places in (([0, 3, 0, 4], [[1, 3]]), ([1, 1, 1, 1], [[0, 1, 2, 3]])):
        bound = session.bind({"x": np.array(values, np.float32)})
        bound.run()
        bound.run()
        assert bound.outputs()["places"].tolist() == places


def test_a_bound_run_of_onnx_runtime_leaves_its_outputs_where_they_are(tmp_path: Path) -> None:
    session = ort.load(Artifact("onnx", written(tmp_path / "model.onnx"), SIGNATURE), RunOptions())
    given = {"x": np.ones((2, 3), np.float32), "scale": np.ones(3, np.float32)}
    bound = session.bind(given)
    bound.run()
    first = bound.outputs()
    given["x"][...] = 0  # on the CPU the inputs are read in place: nothing is copied
    bound.run()
    assert (bound.outputs()["y"] != first["y"]).all()


def test_what_a_provider_fails_is_not_answered_by_another(tmp_path: Path) -> None:
    session = ort.load(Artifact("onnx", written(tmp_path / "model.onnx"), SIGNATURE), RunOptions())
    inner = session._session._sess

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def run(self, *arguments: Any) -> None:
            raise EPFail("CUDA error 700")

    session._session._sess = Failing()
    with pytest.raises(EPFail, match="CUDA error 700"):
        session.run({"x": np.ones((2, 3), np.float32), "scale": np.ones(3, np.float32)})
