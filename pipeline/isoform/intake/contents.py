"""What a file holds: parameters, precision, operators, and what opening it would execute. Nothing is run here."""

import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isoform.core.signature import Signature, TensorSpec
from isoform.intake import keras_config, openvino_ir, pte_file, saved_model, torch_pickle
from isoform.intake.container import Container
from isoform.intake.pickle_scan import beyond_weights
from isoform.intake.tensor_list import ListedTensor, listed

_CALL = re.compile(r"\b(?:torch\.([a-z_]\w*)|ops\.([\w.]+?))\(")
_ANNOTATIONS = ("jit", "annotate", "_unwrap_optional", "format")
_MOST_TEXT_BYTES = 64 << 20


def described(container: Container) -> dict[str, Any]:
    """Return ``parameters``, ``precision``, ``operators`` and ``would_execute``, as far as the format tells.

    Raises:
        IsoformError: damaged.
    """
    files = container.files or (container.path,)
    found: dict[str, Any] = {"container": container.title, "note": container.note, "would_execute": []}
    if container.format in ("torch", "torchscript"):
        found |= counted(tensor for file in files for tensor in listed(file))
    if container.format == "torch":
        found["would_execute"] = sorted({name for file in files for name in _code(file)})
    elif container.format == "torchscript":
        found["operators"] = _script_operators(container.path)
        found["would_execute"] = ["a TorchScript program, in a child process"]
    elif container.format == "savedmodel":
        found["would_execute"] = list(saved_model.reaching_out(container.path))
    elif container.format == "openvino":
        found |= openvino_ir.described(container.path)
    elif container.format == "executorch":
        found |= pte_file.described(container.path)
    elif container.format == "pt2":
        found["operators"] = _exported_operators(container.path)
    elif container.format == "keras" and zipfile.is_zipfile(container.path):
        found |= _keras_layers(container.path)
    return found


def counted(tensors: Iterable[ListedTensor]) -> dict[str, Any]:
    """Return how many tensors and numbers there are, and how many numbers of each precision."""
    precision: Counter[str] = Counter()
    count = 0
    for tensor in tensors:
        count += 1
        precision[tensor.dtype] += math.prod(tensor.shape)
    return {"tensors": count, "parameters": sum(precision.values()), "precision": dict(precision.most_common())}


def _code(file: Path) -> tuple[str, ...]:
    with file.open("rb") as stream:
        head = stream.read(16)
    is_pickled = head[:4] == b"PK\x03\x04" or torch_pickle.is_pickle(head)
    return beyond_weights(torch_pickle.imports_of(file)) if is_pickled else ()


def _texts(path: Path, suffixes: tuple[str, ...]) -> Iterable[str]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(suffixes) and info.file_size <= _MOST_TEXT_BYTES:
                yield archive.read(info).decode("utf-8", "replace")


def _script_operators(path: Path) -> dict[str, int]:
    found: Counter[str] = Counter()
    for text in _texts(path, (".py",)):
        found.update(plain or spaced for plain, spaced in _CALL.findall(text) if plain not in _ANNOTATIONS)
    return dict(sorted(found.items()))


def _exported_operators(path: Path) -> dict[str, int]:
    found: Counter[str] = Counter()
    for text in _texts(path, ("/model.json", "serialized_exported_program.json")):
        found.update(re.findall(r'"target":\s*"([\w.]+)"', text))
    return dict(sorted(found.items()))


def _keras_layers(path: Path) -> dict[str, Any]:
    """Return the layers by class, and the inputs that the configuration declares."""
    layers: Counter[str] = Counter()
    inputs: dict[str, TensorSpec] = {}
    for item in keras_config.objects(keras_config.read_config(path)):
        if isinstance(item.get("class_name"), str) and isinstance(item.get("config"), dict):
            layers[item["class_name"]] += 1
            if item["class_name"] == "InputLayer":
                _add_input(inputs, item["config"])
    return {
        "operators": dict(sorted(layers.items())),
        "would_execute": [name for name in keras_config.CODE_LAYERS if name in layers],
        "signature": Signature(tuple(inputs.values()), ()).to_json() if inputs else None,
    }


def _add_input(inputs: dict[str, TensorSpec], config: dict[str, Any]) -> None:
    shape, name, dtype = config.get("batch_shape"), config.get("name"), config.get("dtype")
    if isinstance(shape, list) and isinstance(name, str) and isinstance(dtype, str):
        sizes = (size if isinstance(size, int) else f"dim_{len(inputs)}_{axis}" for axis, size in enumerate(shape))
        inputs[name] = TensorSpec(name, dtype, tuple(sizes))
