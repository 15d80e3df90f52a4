"""The hub: one ONNX graph in the middle, written into a framework that this process holds already.

A graph is a path, an onnx.ModelProto or an onnx_ir.Model; the emitters work on a copy, so the caller's stays as it is.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from isoform.core.signature import TensorSpec
    from isoform.hub.graph import Graph


def to_torch(graph: "Graph") -> Any:
    """Return ``graph`` as a torch.nn.Module called with tensors in input order.

    Raises:
        IsoformError: the graph cannot be read, or holds what PyTorch has no form for here.
    """
    from isoform.hub.emitters import torch

    return torch.emit(_own(graph))


def to_tensorflow(graph: "Graph") -> Any:
    """Return ``graph`` as a tf.Module whose ``serve`` is a tf.function of the inputs.

    Raises:
        IsoformError: the graph cannot be read, or holds what TensorFlow has no form for here.
    """
    from isoform.hub.emitters import tensorflow

    return tensorflow.emit(_own(graph))


def to_tflite(graph: "Graph") -> bytes:
    """Return ``graph`` as the bytes of a TFLite file.

    Raises:
        IsoformError: the graph cannot be read, or holds what TFLite has no form for here.
    """
    from isoform.hub.emitters import tflite

    return tflite.emit(_own(graph))


def from_tflite(source: "str | Path | bytes", signature: str | None = None) -> Any:
    """Return the TFLite file at a path, or the content of one, as an onnx_ir.Model; weights stay mapped from it.

    Args:
        signature: its key, where the file has several; ``serving_default``, or the only one, unless given.

    Raises:
        IsoformError: the file cannot be read, or holds what ONNX has no form for here.
    """
    from isoform.hub.importers import tflite

    return tflite.load(source, signature)


def from_keras(model: Any, inputs: "Sequence[str | TensorSpec] | None" = None) -> Any:
    """Return a keras.Model as an onnx_ir.Model; its weights are views of Keras' own, under their paths.

    Args:
        inputs: ``name:dtype[dim,dim,...]`` of each, for a network of one's own class that does not say what it takes.

    Raises:
        IsoformError: the network cannot be traced, or holds what ONNX has no form for here.
    """
    from isoform.hub.importers.tensorflow import keras

    return keras.from_keras(model, inputs)


def from_saved_model(path: "str | Path", signature: str | None = None) -> Any:
    """Return a signature of the SavedModel folder at ``path`` as an onnx_ir.Model; its outputs come sorted by name.

    Args:
        signature: its name; ``serving_default``, or the only one, unless given.

    Raises:
        IsoformError: the folder cannot be read, has no such signature, or holds what ONNX has no form for here.
    """
    from isoform.hub.importers.tensorflow import saved_model

    return saved_model.from_saved_model(path, signature)


def from_function(function: Any) -> Any:
    """Return a tf.function with an input_signature, or one of its concrete functions, as an onnx_ir.Model.

    Raises:
        IsoformError: it does not say what it is called with, or holds what ONNX has no form for here.
    """
    from isoform.hub.importers.tensorflow import callable as tf_callable

    return tf_callable.from_function(function)


def from_torch(module: Any, inputs: Any, dynamic_shapes: Any = None, exporter: str = "export") -> Any:
    """Return a torch.nn.Module as an onnx_ir.Model; its weights are shared with the module, under their own names.

    Args:
        inputs: example tensors, in order or by argument name; their integers bound those of other examples.
        dynamic_shapes: by input, the name of each dynamic axis: ``{"image": {0: "batch"}}``, as torch.export has it.
        exporter: "export" for torch.export, "trace" for PyTorch's older one; each carries models that the other does
            not.

    Raises:
        IsoformError: the exporter fails, froze a dynamic axis or a decision, or the graph answers otherwise than the
            module at sizes that were not traced.
    """
    from isoform.hub import torch_entry

    return torch_entry.from_torch(module, inputs, dynamic_shapes, exporter)


def from_torchscript(program: Any, inputs: Any, dynamic_shapes: Any = None, exporter: str = "export") -> Any:
    """Return a TorchScript program, a path or a ScriptModule, as an onnx_ir.Model.

    Args:
        inputs: as in `from_torch`.
        dynamic_shapes: as in `from_torch`.
        exporter: "export" carries the graph out for torch.export; "trace" keeps branches and loops as If and Loop.

    Raises:
        IsoformError: as `from_torch`; or, by "export", a decision by values.
    """
    from isoform.hub import torch_entry

    return torch_entry.from_torchscript(program, inputs, dynamic_shapes, exporter)


def from_exported_program(program: Any) -> Any:
    """Return a torch.export.ExportedProgram, or the .pt2 file of one, as an onnx_ir.Model with its dynamic sizes.

    Raises:
        IsoformError: the file holds what could run code, an operator has no form, or the graph answers otherwise.
    """
    from isoform.hub import torch_entry

    return torch_entry.from_exported_program(program)


def save(graph: Any, path: "str | Path") -> None:
    """Write a hub graph as an ONNX file, large weights streamed to ``<path>.data`` beside it."""
    from pathlib import Path

    from isoform.hub import graph as hub_graph

    hub_graph.save(graph, Path(path))


def _own(graph: "Graph") -> Any:
    import onnx_ir as ir

    from isoform.hub import graph as hub_graph

    # Emitting rewrites the graph: a model of the caller's is copied, weights shared.
    return graph.clone() if isinstance(graph, ir.Model) else hub_graph.load(graph)
