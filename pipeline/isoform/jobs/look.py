"""The job behind ``isoform inspect``: what a graph holds, read and never run."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from isoform.core.signature import Signature
from isoform.errors import IsoformError

_TRANSPOSES = ("TRANSPOSE", "Transpose")
_OF_IMAGES = {
    "AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "QLinearConv", "Resize",
    "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR",
}  # fmt: skip


def look(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return signature, operators, parameters and precision of ``arguments["path"]``.

    Raises:
        IsoformError: it cannot be read.
    """
    return _READERS[arguments["format"]](Path(arguments["path"]))


def _of_onnx(path: Path) -> dict[str, Any]:
    from isoform.hub.graph import load

    return _of_graph(load(path))


def _of_ort(path: Path) -> dict[str, Any]:
    from isoform.hub.importers.ort import load

    return _of_graph(load(path))


def _of_graph(model: Any) -> dict[str, Any]:
    from isoform.jobs.describe import ONNX_DTYPES, onnx_specs

    precision: Counter[str] = Counter()
    for value in model.graph.initializers.values():
        if value.const_value is not None:
            name = value.const_value.dtype.name
            precision[ONNX_DTYPES.get(name, name.lower())] += value.const_value.size
    operators = Counter(node.op_type for node in model.graph.all_nodes())
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    return {
        "signature": Signature(onnx_specs(inputs), onnx_specs(model.graph.outputs)).to_json(),
        "operators": dict(sorted(operators.items())),
        "layout_changes": _layout_changes(
            (node.op_type, node.inputs, node.outputs) for node in model.graph.all_nodes()
        ),
        "parameters": sum(precision.values()),
        "precision": dict(precision.most_common()),
    }


def _of_tflite(path: Path) -> dict[str, Any]:
    from isoform.core.signature import Dim, TensorSpec
    from isoform.hub.importers.tflite_file import SubGraph, read

    file = read(path)
    precision: Counter[str] = Counter()
    for tensor in (tensor for graph in file.sub_graphs for tensor in graph.tensors):
        if tensor.array is not None:
            precision[tensor.dtype] += tensor.array.size
    operators = Counter(operator.name for graph in file.sub_graphs for operator in graph.operators)

    def specs(graph: SubGraph, places: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        found = []
        for position, tensor in enumerate(graph.tensors[place] for place in places):
            dims: list[Dim] = [size if size is not None else f"dim_{position}_{axis}"
                               for axis, size in enumerate(tensor.shape)]  # fmt: skip
            found.append(TensorSpec(tensor.name, tensor.dtype, tuple(dims)))
        return tuple(found)

    main = file.sub_graphs[0]
    return {
        "signature": Signature(specs(main, main.inputs), specs(main, main.outputs)).to_json(),
        "operators": dict(sorted(operators.items())),
        "layout_changes": sum(
            _layout_changes((each.name, each.inputs, each.outputs) for each in graph.operators)
            for graph in file.sub_graphs
        ),
        "parameters": sum(precision.values()),
        "precision": dict(precision.most_common()),
    }


def _layout_changes(nodes: Iterable[tuple[str, Sequence[Any], Sequence[Any]]]) -> int:
    """Return how many transposes read what a convolution or a pooling gives, or give what one reads first.

    Weights are transposed beforehand, so that one of those would be of an image.
    """
    held = list(nodes)
    images = [(inputs[:1], outputs) for name, inputs, outputs in held if name in _OF_IMAGES]
    read = {value for inputs, _ in images for value in inputs}
    given = {value for _, outputs in images for value in outputs}
    return sum(name in _TRANSPOSES and (inputs[0] in given or outputs[0] in read) for name, inputs, outputs in held)


def _of_saved_model(path: Path) -> dict[str, Any]:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    try:
        proto.ParseFromString((path / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf raises a type that it does not export in every version
        raise IsoformError(
            f"{path}/saved_model.pb: truncated or damaged.", "Save the model again.", kind="damaged"
        ) from error
    operators: Counter[str] = Counter()
    for graph in (item.graph_def for item in proto.meta_graphs):
        operators.update(node.op for node in graph.node)
        for function in graph.library.function:
            operators.update(node.op for node in function.node_def)
    names = sorted({name for item in proto.meta_graphs for name in item.signature_def})
    return {"operators": dict(sorted(operators.items())), "signatures": names}


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "onnx": _of_onnx, "ort": _of_ort, "savedmodel": _of_saved_model, "tflite": _of_tflite,
}  # fmt: skip
