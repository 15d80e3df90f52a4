"""What TensorFlow Serving reads: a SavedModel for each version, the list of models, batching per model.

https://www.tensorflow.org/tfx/serving/serving_config; the list is ModelServerConfig of model_server_config.proto.
Batching is set in each version's own folder, because one model's samples may depend on each other and the next one's
not: ``--enable_per_model_batching_parameters``.
"""

from pathlib import Path
from typing import Any

from isoform.core.format import files_of
from isoform.stages.package.layout import Layout, Request
from isoform.stages.package.textproto import written

FORMATS = ("savedmodel",)
_LIST = "models.config"
_MOUNTED = "/models"
_WAITING_BATCHES = 64


def layout(request: Request, out: Path) -> Layout:
    """Return the files of a model base path; ``out`` is the folder that the server sees as /models."""
    version = f"{request.name}/{request.version}"
    model = request.artifact.model
    copies = {f"{version}/{path.relative_to(model).as_posix()}": path for path in files_of(model)}
    texts = {} if request.why_not_batched else {f"{version}/batching_params.pbtxt": written(_batching(request))}
    names = sorted({request.name, *(found.parts[-3] for found in out.glob("*/*/saved_model.pb"))})
    start = (
        f"docker run -p 8501:8501 -v {out.resolve()}:{_MOUNTED} tensorflow/serving "
        f"--model_config_file={_MOUNTED}/{_LIST} --enable_batching --enable_per_model_batching_parameters"
    )
    return Layout((version,), copies, texts, {}, {_LIST: written(_list(names))}, start)


def _list(names: list[str]) -> dict[str, Any]:
    models = [{"name": name, "base_path": f"{_MOUNTED}/{name}", "model_platform": "tensorflow"} for name in names]
    return {"model_config_list": {"config": models}}


def _batching(request: Request) -> dict[str, Any]:
    """Return BatchingParameters; requests of different lengths are not padded, which would change what they ask."""
    return {
        "max_batch_size": {"value": request.max_batch},
        "batch_timeout_micros": {"value": request.delay_us},
        "max_enqueued_batches": {"value": _WAITING_BATCHES},
        "pad_variable_length_inputs": False,
    }
