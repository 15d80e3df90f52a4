"""A SavedModel opened without the values of its variables: each is read from the checkpoint when it is asked for.

TensorFlow restores every variable of a folder, those that no signature reads and those that Keras writes twice as well.
A folder whose opening does more than restore, or whose checkpoint is not by objects, is opened as TensorFlow does. Not
aware of what is converted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.saved_model import loader_impl

from isoform.hub import serving

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"
_PLAIN = {"asset", "bare_concrete_function", "captured_tensor", "constant", "function", "user_object", "variable", None}
"""Kinds of objects of which opening a folder makes nothing but themselves; resources run code of their own."""


@dataclass(frozen=True)
class Stored:
    """The value of a variable, in the checkpoint.

    Attributes:
        read: gives it, a tensor, read now.
    """

    dtype: Any
    shape: tuple[int, ...]
    read: Callable[[], Any]


@dataclass(frozen=True)
class Opened:
    """A loaded folder.

    Attributes:
        stored: of its variables that hold no value, by the id of the handle.
    """

    loaded: Any
    stored: Mapping[int, Stored]


def opened(folder: Path) -> Opened:
    """Return what TensorFlow loads from ``folder``, its values left in the checkpoint where that is all they need.

    Raises:
        IsoformError: TensorFlow does not open it, or its checkpoint is cut off.
    """
    prefix = folder / "variables" / "variables"
    objects = _objects(folder, prefix)
    if objects is not None:
        loaded = serving.opened(folder, has_values=False)
        stored = _stored(loaded, objects, prefix)
        if stored is not None:
            return Opened(loaded, stored)
    return Opened(serving.opened(folder), {})


def _objects(folder: Path, prefix: Path) -> Any:
    """Return the objects that the checkpoint has values of; None where opening the folder does more than read them."""
    if not prefix.with_name("variables.index").is_file():
        return None
    with serving.refusing(folder):
        reader = tf.train.load_checkpoint(str(prefix))
        if not reader.has_tensor(_OBJECT_GRAPH):
            return None
        graph = loader_impl.parse_saved_model(str(folder)).meta_graphs[0].object_graph_def
    written = _reading(prefix, _OBJECT_GRAPH, tf.string)().numpy()
    _refuse_cut(folder, reader, len(written))
    objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(written)
    is_plain = all(node.WhichOneof("kind") in _PLAIN and not node.registered_saver for node in graph.nodes) and all(
        attribute.name == _VALUE for node in objects.nodes for attribute in node.attributes
    )
    return objects if graph.nodes and is_plain else None


def _refuse_cut(folder: Path, reader: Any, written: int) -> None:
    """Refuse data that are shorter than the values in them: what is not asked for would not be missed otherwise."""
    types = reader.get_variable_to_dtype_map()
    wanted = written + sum(
        types[name].size * tf.TensorShape(shape).num_elements()
        for name, shape in reader.get_variable_to_shape_map().items()
        if types[name] != tf.string
    )
    held = sum(file.stat().st_size for file in (folder / "variables").glob("variables.data-*"))
    if held < wanted:
        raise serving.damaged(folder, f"{held} bytes of {wanted}")


def _stored(loaded: Any, objects: Any, prefix: Path) -> dict[int, Stored] | None:
    """Return the value of each variable by the id of its handle; None where one has none there."""
    reader = tf.train.load_checkpoint(str(prefix))
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    found: dict[int, Stored] = {}
    for variable, key in _variables(loaded, objects):
        if key not in shapes or types[key] != variable.dtype or not variable.shape.is_compatible_with(shapes[key]):
            return None
        found[id(variable.handle)] = Stored(types[key], tuple(shapes[key]), _reading(prefix, key, types[key]))
    held = [each for each in tf.train.TrackableView(loaded).descendants() if isinstance(each, tf.Variable)]
    return found if all(id(variable.handle) in found for variable in held) else None


def _variables(loaded: Any, objects: Any) -> Iterator[tuple[Any, str]]:
    """Yield every variable with its key, following the objects and the checkpoint along the same names."""
    view, seen = tf.train.TrackableView(loaded), {0}
    waiting = [(loaded, 0)]
    while waiting:
        held, number = waiting.pop()
        if isinstance(held, tf.Variable):
            keys = [attribute.checkpoint_key for attribute in objects.nodes[number].attributes]
            yield held, keys[0] if keys else ""
        children = view.children(held)
        for child in objects.nodes[number].children:
            if child.node_id not in seen and child.local_name in children:
                seen.add(child.node_id)
                waiting.append((children[child.local_name], child.node_id))


def _reading(prefix: Path, key: str, dtype: Any) -> Callable[[], Any]:
    def read() -> Any:
        with serving.refusing(prefix.parents[1]), tf.device("/cpu:0"):
            (value,) = tf.raw_ops.RestoreV2(
                prefix=str(prefix), tensor_names=[key], shape_and_slices=[""], dtypes=[dtype]
            )
        return value

    return read
