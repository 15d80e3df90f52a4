"""What each kind of server is given: read back by its own published schema, and held against the signature."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2
from tritonclient.grpc import model_config_pb2

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.data.tokenizer import fit, tokenizer_json
from isoform.errors import UsageError
from isoform.stages.package import kserve, tf_serving, triton
from isoform.stages.package.layout import Layout, Request, of_kubernetes

IMAGE = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 32, 32), "NCHW"),), (TensorSpec("scores", "float32", ("batch", 10)),)
)
SERVICE = {
    "type": "object", "additionalProperties": False, "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "serving.kserve.io/v1beta1"}, "kind": {"const": "InferenceService"},
        "metadata": {
            "type": "object", "additionalProperties": False,
            "properties": {"name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}},
        },
        "spec": {"type": "object", "required": ["predictor"], "properties": {"predictor": {
            "type": "object", "required": ["model"], "properties": {"model": {
                "type": "object", "additionalProperties": False, "required": ["modelFormat", "storageUri"],
                "properties": {
                    "modelFormat": {
                        "type": "object", "additionalProperties": False, "required": ["name"],
                        "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
                    },
                    "runtime": {"enum": ["kserve-tritonserver", "kserve-tensorflow-serving"]},
                    "protocolVersion": {"enum": ["v1", "v2"]},
                    "storageUri": {"type": "string"},
                },
            }},
        }}},
    },
}  # fmt: skip
"""The fields of the custom resource that are written, with the types of kserve.io/v1beta1's ModelSpec."""


def request(
    folder: Path, format_name: str = "onnx", signature: Signature = IMAGE, *, why_not: str = "", **given: Any
) -> Request:
    """Return a request for a model of some files in ``folder``."""
    model = folder / ("saved_model" if format_name == "savedmodel" else "model.onnx")
    if format_name == "savedmodel":
        (model / "variables").mkdir(parents=True)
        (model / "saved_model.pb").write_bytes(b"graph")
        (model / "variables" / "variables.index").write_bytes(b"index")
    else:
        model.write_bytes(b"graph")
    values: dict[str, Any] = {
        "name": "net", "version": 1, "max_batch": 32, "max_delay_ms": 2.5, "storage": None, "tokenizer": None,
    } | given  # fmt: skip
    artifact = Artifact(format_name, model, signature, tokenizer=values.pop("tokenizer"))
    return Request(artifact, why_not_batched=why_not, **values)


def configuration(layout: Layout, name: str = "net") -> Any:
    """Return what Triton reads of a model's configuration."""
    return text_format.Parse(layout.configurations[f"{name}/config.pbtxt"], model_config_pb2.ModelConfig())


def test_triton_is_told_the_signature(tmp_path: Path) -> None:
    found = configuration(triton.layout(request(tmp_path), tmp_path / "out"))
    assert (found.name, found.backend, found.max_batch_size) == ("net", "onnxruntime", 32)
    (image,), (scores,) = found.input, found.output
    assert (image.name, list(image.dims)) == ("image", [3, 32, 32])
    assert image.data_type == model_config_pb2.TYPE_FP32
    assert image.format == model_config_pb2.ModelInput.FORMAT_NCHW
    assert (scores.name, list(scores.dims)) == ("scores", [10])
    assert found.dynamic_batching.max_queue_delay_microseconds == 2500


@pytest.mark.parametrize("options", [{"why_not": "its samples depend on each other"}, {"max_batch": 1}])
def test_triton_batches_only_where_it_may(tmp_path: Path, options: dict[str, Any]) -> None:
    assert not configuration(triton.layout(request(tmp_path, **options), tmp_path)).HasField("dynamic_batching")


def test_a_model_without_a_batch_axis_keeps_its_whole_shape(tmp_path: Path) -> None:
    signature = Signature(
        (TensorSpec("step", "int64", ()), TensorSpec("frames", "float16", (1, "length", 80))),
        (TensorSpec("total", "float64", ()),),
    )
    found = configuration(triton.layout(request(tmp_path, signature=signature, why_not="none"), tmp_path))
    assert found.max_batch_size == 0
    step, frames = found.input
    assert (list(step.dims), step.HasField("reshape"), list(step.reshape.shape)) == ([1], True, [])
    assert (list(frames.dims), frames.data_type) == ([1, -1, 80], model_config_pb2.TYPE_FP16)
    assert found.output[0].HasField("reshape")


def test_a_vector_of_samples_has_one_element_each(tmp_path: Path) -> None:
    signature = Signature((TensorSpec("x", "float32", ("n",)),), (TensorSpec("y", "float32", ("n",)),))
    found = configuration(triton.layout(request(tmp_path, signature=signature), tmp_path))
    assert (list(found.input[0].dims), list(found.input[0].reshape.shape)) == ([1], [])


def test_every_dtype_that_a_signature_can_have_is_one_of_tritons(tmp_path: Path) -> None:
    from isoform.core.signature import DTYPES

    specs = tuple(TensorSpec(dtype, dtype, ("n", 2)) for dtype in DTYPES)
    found = configuration(triton.layout(request(tmp_path, signature=Signature(specs, specs)), tmp_path))
    kinds = [one.data_type for one in found.input]
    assert model_config_pb2.TYPE_INVALID not in kinds
    assert len(set(kinds)) == len(DTYPES)


def test_torchscript_goes_by_place_and_savedmodel_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    script = triton.layout(request(tmp_path / "a", "torchscript"), tmp_path)
    found = configuration(script)
    assert (found.backend, found.input[0].name, found.output[0].name) == ("pytorch", "image__0", "scores__0")
    assert set(script.copies) == {"net/1/model.pt"}
    saved = triton.layout(request(tmp_path, "savedmodel", version=3), tmp_path)
    assert configuration(saved).platform == "tensorflow_savedmodel"
    assert set(saved.copies) == {
        "net/3/model.savedmodel/saved_model.pb", "net/3/model.savedmodel/variables/variables.index",
    }  # fmt: skip


def test_weights_beside_a_model_keep_the_name_that_it_calls_them_by(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    (tmp_path / "model.onnx.data").write_bytes(b"weights")
    assert set(triton.layout(wanted, tmp_path).copies) == {"net/1/model.onnx", "net/1/model.onnx.data"}


TEXT = Signature(
    (TensorSpec("ids", "int32", ("batch", "length")),), (TensorSpec("scores", "float32", ("batch", 2)),)
)  # fmt: skip


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_json(fit(["good film", "bad film", "good good"], 10)))
    return path


def test_a_tokenizer_stands_before_the_model_in_an_ensemble(tmp_path: Path, tokenizer: Path) -> None:
    layout = triton.layout(request(tmp_path, signature=TEXT, tokenizer=tokenizer), tmp_path)
    assert layout.versions == ("net/1", "net_tokenizer/1", "net_text/1")
    assert layout.copies["net_tokenizer/1/tokenizer.json"] == tokenizer
    ensemble, first = configuration(layout, "net_text"), configuration(layout, "net_tokenizer")
    assert (first.backend, first.output[0].data_type) == ("python", model_config_pb2.TYPE_INT32)
    one, two = ensemble.ensemble_scheduling.step
    assert (one.model_name, two.model_name) == ("net_tokenizer", "net")
    assert one.output_map[first.output[0].name] == two.input_map["ids"]
    assert two.output_map["scores"] == ensemble.output[0].name == "scores"


def test_the_tokenizers_code_answers_as_tritons_backend_calls_it(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tokenizers")
    layout = triton.layout(request(tmp_path, signature=TEXT, tokenizer=tokenizer), tmp_path)
    answers: list[tuple[str, np.ndarray[Any, Any]]] = []
    backend = ModuleType("triton_python_backend_utils")
    backend.__dict__.update(
        get_output_config_by_name=lambda config, name: config["output"][0],
        triton_string_to_numpy={"TYPE_INT32": np.int32}.__getitem__,
        get_input_tensor_by_name=lambda asked, name: asked,
        Tensor=lambda name, array: answers.append((name, array)),
        InferenceResponse=lambda **given: given,
        TritonError=str,
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend)
    names: dict[str, Any] = {"__name__": "model"}
    exec(compile(layout.texts["net_tokenizer/1/model.py"], "model.py", "exec"), names)

    class Asked:
        def __init__(self, *texts: bytes) -> None:
            self.texts = texts

        def as_numpy(self) -> np.ndarray[Any, Any]:
            return np.array([[text] for text in self.texts], object)

    (tmp_path / "net" / "1").mkdir(parents=True)
    (tmp_path / "net" / "1" / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    model = names["TritonPythonModel"]()
    model.initialize({
        "model_repository": str(tmp_path / "net"), "model_version": "1",
        "model_config": '{"output": [{"name": "ids", "data_type": "TYPE_INT32"}]}',
    })  # fmt: skip
    answered = model.execute([Asked(b"Good film!", b"bad"), Asked(b""), Asked(b"\xff")])
    vocabulary = fit(["good film", "bad film", "good good"], 10)
    assert [name for name, _ in answers] == ["ids", "ids"]
    assert answers[0][1].dtype == np.int32
    assert answers[0][1].tolist() == [[vocabulary["good"], vocabulary["film"]], [vocabulary["bad"], 0]]
    assert answers[1][1].tolist() == [[0]]
    assert answered[2] == {"error": "'text' holds text that is not UTF-8."}


def test_an_output_that_is_called_as_the_tokenizers(tmp_path: Path, tokenizer: Path) -> None:
    signature = Signature(TEXT.inputs, (TensorSpec("text", "float32", ("batch", 2)),))
    with pytest.raises(UsageError, match="An output is called 'text'"):
        triton.layout(request(tmp_path, signature=signature, tokenizer=tokenizer), tmp_path)


def test_tensorflow_serving_lists_every_model_in_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for version in ("1", "2"):
        (out / "older" / version).mkdir(parents=True)
        (out / "older" / version / "saved_model.pb").write_bytes(b"graph")
    layout = tf_serving.layout(request(tmp_path, "savedmodel", version=2), out)
    assert set(layout.copies) == {"net/2/saved_model.pb", "net/2/variables/variables.index"}
    read = text_format.Parse(layout.lists["models.config"], model_server_config_pb2.ModelServerConfig())
    assert [(one.name, one.base_path, one.model_platform) for one in read.model_config_list.config] == [
        ("net", "/models/net", "tensorflow"), ("older", "/models/older", "tensorflow"),
    ]  # fmt: skip
    assert "max_batch_size {\n  value: 32\n}" in layout.texts["net/2/batching_params.pbtxt"]
    assert "batch_timeout_micros {\n  value: 2500\n}" in layout.texts["net/2/batching_params.pbtxt"]


def test_tensorflow_serving_batches_only_where_it_may(tmp_path: Path) -> None:
    assert not tf_serving.layout(request(tmp_path, "savedmodel", why_not="they depend"), tmp_path).texts


@pytest.mark.parametrize(
    ("format_name", "runtime", "protocol", "address"),
    [
        ("onnx", "kserve-tritonserver", "v2", "gs://bucket/models/net-a"),
        ("savedmodel", "kserve-tensorflow-serving", "v1", "gs://bucket/models/net-a/Net_A"),
    ],
)
def test_kserve_is_told_where_the_model_is(
    tmp_path: Path, format_name: str, runtime: str, protocol: str, address: str
) -> None:
    wanted = request(tmp_path, format_name, name="Net_A", storage="gs://bucket/models/")
    layout = kserve.layout(wanted, tmp_path / "out")
    service = yaml.safe_load(layout.lists["net-a.yaml"])
    jsonschema.validate(service, SERVICE)
    model = service["spec"]["predictor"]["model"]
    assert (model["runtime"], model["protocolVersion"], model["storageUri"]) == (runtime, protocol, address)
    assert layout.versions == ("net-a/Net_A/1",)
    assert all(name.startswith("net-a/Net_A/") for name in (*layout.copies, *layout.configurations))


def test_text_in_a_service_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    layout = kserve.layout(request(tmp_path, name="1", storage='pvc://a: "b" #<c>'), tmp_path)
    service = yaml.safe_load(layout.lists["model-1.yaml"])
    assert service["metadata"]["name"] == "model-1"
    assert service["spec"]["predictor"]["model"]["storageUri"] == 'pvc://a: "b" #<c>/model-1'


def test_kserve_without_a_storage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reads models from a storage"):
        kserve.layout(request(tmp_path), tmp_path)


@pytest.mark.parametrize(("name", "label"), [("Net_A", "net-a"), ("_x.", "x"), ("2d", "model-2d"), ("ß", "model")])
def test_names_become_labels_of_kubernetes(name: str, label: str) -> None:
    assert of_kubernetes(name) == label
