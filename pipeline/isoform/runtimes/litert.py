"""LiteRT, through ai_edge_litert: a TFLite file by its signature, its weights, and the steps of its integers."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.core.artifact import Artifact
from isoform.core.placement import Placement
from isoform.core.protocols import Array, Perturbation, RunOptions, Steps
from isoform.errors import IsoformError
from isoform.hub.importers.tflite_entry import other_entries
from isoform.hub.importers.tflite_file import read
from isoform.hub.litert_session import LitertSession, SignatureSession, opened

_NAMES = {value: name.lower() for name, value in vars(schema.TensorType).items() if name.isupper()}
_SCALED = ("int8", "uint8", "int16")


def load(artifact: Artifact, options: RunOptions) -> LitertSession | SignatureSession:
    """Open ``artifact.model``; without optimisation XNNPACK stays out.

    Raises:
        IsoformError: no such device or signature, or LiteRT refuses the file.
    """
    if options.device != "cpu":
        raise IsoformError("LiteRT runs on the CPU here.", "Leave out the device.", kind="no-device")
    return opened(artifact, options, _model(artifact, options.perturbation))


def placement(artifact: Artifact, options: RunOptions, inputs: Mapping[str, Array]) -> Placement:
    """Return which operators the XNNPACK delegate took.

    Raises:
        IsoformError: as for `load`, or LiteRT does not tell it of this file.
    """
    from isoform.hub.placement import litert

    return litert.placement(artifact, options, inputs)


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the constant tensors by name, mapped from the file, and what integers are in steps of.

    Not those of other signatures' sub-graphs than the one that is meant.
    """
    data = np.memmap(artifact.model, np.uint8, mode="r")
    others = other_entries(read(artifact.model), artifact.entry)
    found: dict[str, Array] = {}
    for name, (tensor, array) in _constants(data, others).items():
        found[name] = array
        quantization = tensor.Quantization()
        if quantization is not None and quantization.ScaleLength():
            found[f"{name}/scale"] = quantization.ScaleAsNumpy()
    return found


def steps(artifact: Artifact) -> Steps | None:
    """Return the steps of inputs and outputs of a file that computes in integers of a scale."""
    if not _computes_in_integers(np.memmap(artifact.model, np.uint8, mode="r")):
        return None
    from isoform.hub.importers import tflite
    from isoform.hub.integer_outputs import steps_of

    return steps_of(tflite.load(artifact.model, artifact.entry))


def _computes_in_integers(data: Array) -> bool:
    """Return whether an operator gives integers that have a scale."""
    model = schema.Model.GetRootAsModel(data, 0)
    graphs = [model.Subgraphs(place) for place in range(model.SubgraphsLength())]
    results = (
        graph.Tensors(place)
        for graph in graphs
        for index in range(graph.OperatorsLength())
        for place in graph.Operators(index).OutputsAsNumpy()
    )
    return any(
        _NAMES[tensor.Type()] in _SCALED and tensor.Quantization() is not None and tensor.Quantization().ScaleLength()
        for tensor in results
    )


def _constants(data: Array, left_out: Collection[int] = ()) -> dict[str, tuple[schema.Tensor, Array]]:
    """Return the constant tensors by name, each with its elements as a view of the file's bytes."""
    model = schema.Model.GetRootAsModel(data, 0)
    found: dict[str, tuple[schema.Tensor, Array]] = {}
    for place in (place for place in range(model.SubgraphsLength()) if place not in left_out):
        graph = model.Subgraphs(place)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            array = _constant(model.Buffers(tensor.Buffer()), tensor, data)
            if array is not None:
                name = tensor.Name().decode(errors="replace")
                found[name if name not in found else f"{name}#{place}.{index}"] = tensor, array
    return found


def _model(artifact: Artifact, perturbation: Perturbation | None) -> dict[str, Any]:
    """Return the file's bytes with every float32 constant multiplied by 1+d, as an argument of the interpreter's."""
    if perturbation is None:
        return {}
    data = np.fromfile(artifact.model, np.uint8)
    factors = perturbation.draws()
    for _, array in _constants(data).values():
        if array.dtype == np.float32:  # a view of the copied bytes
            array[...] = array * factors(array.shape)
    return {"model_content": data.tobytes()}


def _constant(buffer: schema.Buffer, tensor: schema.Tensor, data: Array) -> Array | None:
    if buffer.Offset() > 1:
        content = data[buffer.Offset() : buffer.Offset() + buffer.Size()]
    elif buffer.DataLength():
        content = buffer.DataAsNumpy()
    else:
        return None
    dtype = _NAMES[tensor.Type()]
    if dtype in ("string", "resource", "variant"):
        return None
    return np.frombuffer(content, np.dtype(dtype)).reshape(tensor.ShapeAsNumpy() if tensor.ShapeLength() else ())
