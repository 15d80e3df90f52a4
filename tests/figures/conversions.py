"""The conversions that are measured: each function loads its source and returns the work to be timed."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec

Work = Callable[[], object]
MODELS = Path(__file__).parents[2] / "models"


def signature(image_size: int, layout: str) -> Signature:
    """Return the image classifier's signature."""
    shape = {"NCHW": ("batch", 3, image_size, image_size), "NHWC": ("batch", image_size, image_size, 3)}[layout]
    return Signature(
        (TensorSpec("image", "float32", shape, layout),), (TensorSpec("probabilities", "float32", ("batch", 10)),)
    )


def network(framework: str, *arguments: int, model: str = "image_classifier") -> Any:
    """Return a model of this repository with fresh weights; the image classifier is told the size of the images."""
    path = MODELS / model / f"{framework}_model.py"
    spec = importlib.util.spec_from_file_location(f"{framework}_classifier", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build(*arguments)


def keras_to_onnx(target: str, image_size: int = 0, application: str = "") -> Work:
    """Measure the conversion of a loaded Keras network, the writing of the file included."""
    import keras

    from isoform import hub
    from isoform.hub import graph

    model = getattr(keras.applications, application)(weights=None) if application else network("keras", image_size)
    return lambda: graph.save(hub.from_keras(model), Path(target))


def torch_to_onnx(target: str, image_size: int) -> Work:
    """Measure the conversion of a loaded PyTorch module."""
    import torch

    from isoform import hub
    from isoform.hub import graph

    module = network("torch", image_size).eval()
    inputs = (torch.rand(2, 3, image_size, image_size),)
    shapes = ({0: torch.export.Dim("batch", min=1)},)

    def work() -> None:
        model = hub.from_torch(module, inputs, dynamic_shapes=shapes)
        model.graph.outputs[0].name = "probabilities"
        graph.save(model, Path(target))

    return work


def onnx_to(target: str, source: str, image_size: int, layout: str, converter: str) -> Work:
    """Measure a converter from ONNX; what it imports is there before."""
    module = importlib.import_module(f"isoform.converters.{converter}")
    artifact = Artifact("onnx", Path(source), signature(image_size, layout))
    return lambda: module.convert(artifact, Path(target), ConvertOptions())


def zoo_to_onnx(name: str, target: str) -> Work:
    """Measure the way of a loaded PyTorch network of the zoo to ONNX, at the sizes where speed is measured."""
    import torch

    from isoform import hub
    from zoo.catalogue import entries
    from zoo.inputs import drawn

    entry = entries()[name]
    module, inputs = entry.build(), {key: torch.from_numpy(array) for key, array in drawn(entry).items()}
    return lambda: hub.save(hub.from_torch(module, inputs), target)


def onnx_to_tflite(source: str, target: str) -> Work:
    """Measure the emitter, the reading of the one file and the writing of the other included."""
    from isoform.hub import graph
    from isoform.hub.emitters import tflite

    return lambda: tflite.build(graph.load(source)).save(Path(target))


def to_tflite(source: str, work: str, image_size: int) -> Work:
    """Measure the way to TFLite from a loaded network, or from the file of one, the writing of the file included."""
    from isoform.hub.emitters import tflite

    read = _reader(source, Path(work, source), image_size)
    return lambda: tflite.build(read()).save(Path(work, f"{source}.tflite"))


def _reader(source: str, path: Path, image_size: int) -> Callable[[], Any]:
    """Return what reads the image classifier into the hub; a file of it is written first, by another process."""
    from isoform import hub

    if source == "keras":
        model = network("keras", image_size)
        return lambda: hub.from_keras(model)
    if source == "savedmodel":
        _write(source, path, image_size)
        return lambda: hub.from_saved_model(path)
    import torch

    image, shapes = (torch.rand(2, 3, image_size, image_size),), {"image": {0: "batch"}}
    if source == "torch":
        module = network("torch", image_size).eval()
        return lambda: hub.from_torch(module, image, shapes)
    _write(source, path, image_size)
    return lambda: hub.from_torchscript(path, image, shapes)


def _write(source: str, path: Path, image_size: int) -> None:
    command = [sys.executable, "-m", "figures.sources", source, str(path), str(image_size)]
    subprocess.run(command, check=True, capture_output=True)


def peer_keras_export(image_size: int = 0, application: str = "") -> Work:
    """Measure Keras' own ONNX export, the best peer, on a network that was called once as it demands."""
    import keras

    model = getattr(keras.applications, application)(weights=None) if application else network("keras", image_size)
    model(np.zeros((1, *model.inputs[0].shape[1:]), np.float32))
    folder = Path(tempfile.mkdtemp())
    return lambda: model.export(folder / "model.onnx", format="onnx", verbose=False)
