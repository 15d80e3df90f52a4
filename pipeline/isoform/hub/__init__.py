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


def _own(graph: "Graph") -> Any:
    import onnx_ir as ir

    from isoform.hub import graph as hub_graph

    # Emitting rewrites the graph: a model of the caller's is copied, weights shared.
    return graph.clone() if isinstance(graph, ir.Model) else hub_graph.load(graph)
