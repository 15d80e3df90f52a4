"""What a KServe cluster reads: an InferenceService, and the model as its server wants it in the storage.

https://kserve.github.io/website: InferenceService, serving.kserve.io/v1beta1. A SavedModel is served by TensorFlow
Serving (protocol v1), every other format by Triton (Open Inference Protocol, v2).
"""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from isoform.errors import UsageError
from isoform.stages.package import tf_serving, triton
from isoform.stages.package.layout import Layout, Request, of_kubernetes

FORMATS = triton.FORMATS
_MODEL_FORMATS = {
    "onnx": ("onnx", "1"), "openvino": ("triton", "2"), "savedmodel": ("tensorflow", "2"),
    "torchscript": ("pytorch", "1"),
}  # fmt: skip


def layout(request: Request, out: Path) -> Layout:
    """Return the InferenceService, and the folder that is uploaded to the storage under the service's name.

    Raises:
        UsageError: where the cluster reads models from is not given.
    """
    if request.storage is None:
        raise UsageError(
            "A KServe cluster reads models from a storage.",
            "Say which: --storage gs://bucket/models, s3://bucket/models or pvc://claim/models.",
        )
    service = of_kubernetes(request.name)
    is_saved_model = request.artifact.format == "savedmodel"
    inside = out / service
    inner = tf_serving.layout(request, inside) if is_saved_model else triton.layout(request, inside)
    upload = {**inner.configurations, **({} if is_saved_model else inner.lists)}
    address = f"{request.storage.rstrip('/')}/{service}"
    manifest = _manifest(request, service, f"{address}/{request.name}" if is_saved_model else address)
    return replace(
        inner,
        versions=tuple(f"{service}/{version}" for version in inner.versions),
        copies={f"{service}/{name}": source for name, source in inner.copies.items()},
        texts={f"{service}/{name}": text for name, text in inner.texts.items()},
        configurations={f"{service}/{name}": text for name, text in upload.items()},
        lists={f"{service}.yaml": manifest},
        start=f"copy {out.resolve() / service} to {address}, then: kubectl apply -f {out.resolve() / service}.yaml",
    )  # fmt: skip


def _manifest(request: Request, service: str, address: str) -> str:
    name, version = _MODEL_FORMATS[request.artifact.format]
    is_saved_model = request.artifact.format == "savedmodel"
    values: dict[str, Any] = {
        "service": service,
        "format": name,
        "format_version": version,
        "runtime": "kserve-tensorflow-serving" if is_saved_model else "kserve-tritonserver",
        "protocol": "v1" if is_saved_model else "v2",
        "address": address,
    }
    text = (resources.files("isoform.stages.package") / "resources" / "inference_service.yaml.j2").read_text("utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return environment.from_string(text).render(values)
