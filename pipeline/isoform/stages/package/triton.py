"""A model repository of Triton Inference Server: ``config.pbtxt`` from the signature, one folder a version.

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html; the
schema is ModelConfig of model_config.proto. A model with a tokenizer gets two more: one in Python that turns text into
ids, and the ensemble of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from isoform.core.format import files_of
from isoform.core.signature import Dim, TensorSpec
from isoform.errors import UsageError
from isoform.stages.package.layout import Layout, Request
from isoform.stages.package.textproto import Enum, written

_TYPES = {
    "bool": "TYPE_BOOL", "uint8": "TYPE_UINT8", "uint16": "TYPE_UINT16", "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64", "int8": "TYPE_INT8", "int16": "TYPE_INT16", "int32": "TYPE_INT32", "int64": "TYPE_INT64",
    "float16": "TYPE_FP16", "float32": "TYPE_FP32", "float64": "TYPE_FP64", "bfloat16": "TYPE_BF16",
    "string": "TYPE_STRING",
}  # fmt: skip
_IMAGES = {"NCHW": Enum("FORMAT_NCHW"), "NHWC": Enum("FORMAT_NHWC")}
_TEXT, _IDS = "text", "ids"


@dataclass(frozen=True)
class _Backend:
    """How Triton runs a format.

    Attributes:
        file_name: what it looks for in a version's folder.
        is_positional: knows inputs and outputs by their place only, so that their names end with it.
    """

    name: str
    file_name: str
    is_positional: bool = False


_BACKENDS = {
    "onnx": _Backend("onnxruntime", "model.onnx"),
    "openvino": _Backend("openvino", "model.xml"),
    "savedmodel": _Backend("tensorflow", "model.savedmodel"),
    "torchscript": _Backend("pytorch", "model.pt", is_positional=True),
}
FORMATS = tuple(_BACKENDS)


def layout(request: Request, out: Path) -> Layout:
    """Return the files of a model repository; ``out`` is the repository.

    Raises:
        UsageError: an output has a name that the ensemble with the tokenizer needs.
    """
    version = f"{request.name}/{request.version}"
    backend = _BACKENDS[request.artifact.format]
    copies = _copies(request, f"{version}/{backend.file_name}")
    configurations = {f"{request.name}/config.pbtxt": written(_config(request, backend))}
    versions, texts = [version], {}
    if _reads_text(request):
        _check_names(request)
        tokenizer, ensemble = f"{request.name}_tokenizer", f"{request.name}_text"
        versions += [f"{name}/{request.version}" for name in (tokenizer, ensemble)]
        assert request.artifact.tokenizer is not None  # told by _reads_text
        copies[f"{tokenizer}/{request.version}/tokenizer.json"] = request.artifact.tokenizer
        texts[f"{tokenizer}/{request.version}/model.py"] = _tokenizer_code()
        texts[f"{ensemble}/{request.version}/README"] = f"Triton puts {tokenizer} and {request.name} together here.\n"
        configurations[f"{tokenizer}/config.pbtxt"] = written(_tokenizer_config(request, tokenizer))
        configurations[f"{ensemble}/config.pbtxt"] = written(_ensemble_config(request, backend, ensemble, tokenizer))
    start = f"tritonserver --model-repository={out.resolve()}"
    return Layout(tuple(versions), copies, texts, configurations, {}, start)


def _copies(request: Request, target: str) -> dict[str, Path]:
    """Return where each file of the model goes: files beside it keep their names, which it calls them by."""
    model = request.artifact.model
    if model.is_dir():
        return {f"{target}/{path.relative_to(model).as_posix()}": path for path in files_of(model)}
    folder = target.rpartition("/")[0]
    return {target if path == model else f"{folder}/{path.name}": path for path in files_of(model)}


def _config(request: Request, backend: _Backend) -> dict[str, Any]:
    signature = request.signature
    is_batched = signature.has_batch_axis
    return {
        "name": request.name,
        "backend": backend.name,
        **({"platform": "tensorflow_savedmodel"} if backend.name == "tensorflow" else {}),
        "max_batch_size": request.max_batch if is_batched else 0,
        "input": [
            _tensor(spec, _named(spec, place, backend), is_batched=is_batched, is_input=True)
            for place, spec in enumerate(signature.inputs)
        ],
        "output": [
            _tensor(spec, _named(spec, place, backend), is_batched=is_batched, is_input=False)
            for place, spec in enumerate(signature.outputs)
        ],
        **_batching(request),
    }


def _batching(request: Request) -> dict[str, Any]:
    if request.why_not_batched or request.max_batch == 1:
        return {}
    return {"dynamic_batching": {"max_queue_delay_microseconds": request.delay_us}}


def _tensor(spec: TensorSpec, name: str, *, is_batched: bool, is_input: bool) -> dict[str, Any]:
    dims = _dims(spec.shape[1:] if is_batched else spec.shape)
    found: dict[str, Any] = {"name": name, "data_type": Enum(_TYPES[spec.dtype])}
    if is_input and is_batched and spec.layout in _IMAGES:
        found["format"] = _IMAGES[spec.layout]
    if dims:
        return found | {"dims": dims}
    return found | {"dims": [1], "reshape": {"shape": []}}  # Triton wants at least one; the model has none


def _dims(shape: tuple[Dim, ...]) -> list[int]:
    return [-1 if isinstance(dim, str) else dim for dim in shape]


def _named(spec: TensorSpec, place: int, backend: _Backend) -> str:
    return f"{spec.name}__{place}" if backend.is_positional else spec.name


def _reads_text(request: Request) -> bool:
    """Tell whether a tokenizer can stand before the model: it has one input of ids, [batch, length]."""
    signature = request.signature
    is_of_ids = len(signature.inputs) == 1 and len(signature.inputs[0].shape) == 2
    return request.artifact.tokenizer is not None and is_of_ids and signature.has_batch_axis


def _check_names(request: Request) -> None:
    taken = {spec.name for spec in request.signature.outputs} & {_TEXT, _IDS}
    if taken:
        raise UsageError(
            f"An output is called '{min(taken)}', as what the tokenizer reads or writes is.", "Rename the output."
        )


def _tokenizer_config(request: Request, name: str) -> dict[str, Any]:
    ids = {"name": _IDS, "data_type": Enum(_TYPES[request.signature.inputs[0].dtype]), "dims": [-1]}
    return {
        "name": name,
        "backend": "python",
        "max_batch_size": request.max_batch,
        "input": [{"name": _TEXT, "data_type": Enum("TYPE_STRING"), "dims": [1]}],
        "output": [ids],
        "instance_group": [{"kind": Enum("KIND_CPU")}],
    }


def _ensemble_config(request: Request, backend: _Backend, name: str, tokenizer: str) -> dict[str, Any]:
    outputs = _config(request, backend)["output"]
    steps = [
        _step(tokenizer, {_TEXT: _TEXT}, {_IDS: _IDS}),
        _step(
            request.name, {_named(request.signature.inputs[0], 0, backend): _IDS},
            {output["name"]: output["name"] for output in outputs},
        ),
    ]  # fmt: skip
    return {
        "name": name,
        "platform": "ensemble",
        "max_batch_size": request.max_batch,
        "input": [{"name": _TEXT, "data_type": Enum("TYPE_STRING"), "dims": [1]}],
        "output": [{key: output[key] for key in ("name", "data_type", "dims")} for output in outputs],
        "ensemble_scheduling": {"step": steps},
    }


def _step(model: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "model_name": model,
        "model_version": -1,
        "input_map": [{"key": key, "value": value} for key, value in inputs.items()],
        "output_map": [{"key": key, "value": value} for key, value in outputs.items()],
    }


def _tokenizer_code() -> str:
    return (resources.files("isoform.stages.package") / "resources" / "triton_tokenizer.py").read_text("utf-8")
