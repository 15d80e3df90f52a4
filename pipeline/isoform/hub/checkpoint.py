"""The variables of a SavedModel, written one slice at a time, so that no second copy of the weights is ever held.

TensorFlow's own writer wants all values in memory at once. Here each weight becomes a checkpoint of its own, cut into
slices where it is large, and these are joined at the end: joining renames files and copies none. What comes out is an
ordinary sharded checkpoint. Not aware of where the weights come from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from isoform.errors import IsoformError

Array = npt.NDArray[Any]
LARGEST_SLICE_BYTES = 64 << 20
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class Contents:
    """What a weight holds.

    Attributes:
        read: gives an array, which may be a view of a mapped file in any order of its axes.
        release: gives back the memory of that mapping, once nothing refers to the array any more.
    """

    read: Callable[[], Array]
    release: Callable[[], None]


def placeholder(shape: tuple[int, ...], dtype: Any, name: str) -> Any:
    """Return a variable without a value, of which TensorFlow writes all but the value into a SavedModel."""
    return UninitializedVariable(trainable=True, name=name, shape=shape, dtype=dtype)


def fill(variables: Path, holder: str, contents: Mapping[str, Contents]) -> None:
    """Add values to a checkpoint whose variables were written without them.

    Args:
        variables: the prefix of the checkpoint.
        holder: the attribute of the root object that is a dictionary of the variables by name.
        contents: the value of each variable of that dictionary.
    """
    keys = _keys(variables, holder)
    prefixes = [_set_aside(variables)]
    for number, (name, weight) in enumerate(contents.items()):
        prefixes.extend(_write(f"{variables}_{number}", keys[name], weight.read()))
        weight.release()
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=prefixes,
        destination_prefix=str(variables),
        delete_old_dirs=False,
        allow_missing_files=False,
    )


def _write(prefix: str, key: str, array: Array) -> list[str]:
    """Write a checkpoint for each slice of one weight and return their prefixes."""
    written = []
    for part, (text, slice_) in enumerate(_slices(array)):
        written.append(f"{prefix}_{part}")
        tf.raw_ops.SaveV2(
            prefix=written[-1], tensor_names=[key], shape_and_slices=[text], tensors=[tf.constant(slice_)]
        )
    return written


def _set_aside(variables: Path) -> str:
    """Rename the checkpoint, so that the joined one can have its name, and return the new prefix."""
    aside = variables.with_name(f"{variables.name}_without_values")
    for file in list(variables.parent.glob(f"{variables.name}.*")):
        file.rename(file.with_name(aside.name + file.name.removeprefix(variables.name)))
    return str(aside)


def _keys(variables: Path, holder: str) -> dict[str, str]:
    """Return the key under which the checkpoint has each variable of the dictionary ``holder``."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(tf.train.load_checkpoint(str(variables)).get_tensor(_OBJECT_GRAPH))
    names = {child.local_name: child.node_id for child in graph.nodes[0].children}
    if holder not in names:
        raise IsoformError(
            f"The checkpoint {variables} has no object '{holder}'.",
            "Report this with TensorFlow's version.",
            kind="bug",
        )
    children = graph.nodes[names[holder]].children
    return {child.local_name: graph.nodes[child.node_id].attributes[0].checkpoint_key for child in children}


def _slices(array: Array) -> Iterator[tuple[str, Array]]:
    """Yield the array in parts along its first axis, each with what SaveV2 is told of it: '8 3 4,4:-'."""
    if array.nbytes <= LARGEST_SLICE_BYTES or array.ndim == 0:
        yield "", np.ascontiguousarray(array)
        return
    rows = max(1, LARGEST_SLICE_BYTES * array.shape[0] // array.nbytes)
    shape, rest = " ".join(map(str, array.shape)), ":-" * (array.ndim - 1)
    for start in range(0, array.shape[0], rows):
        part = array[start : start + rows]
        yield f"{shape} {start},{len(part)}{rest}", np.ascontiguousarray(part)
