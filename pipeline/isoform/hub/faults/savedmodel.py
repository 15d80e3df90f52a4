"""Faults in a SavedModel folder: nodes of its graph's functions are edited, and the values of its variables."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import loader_impl

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array
from isoform.core.signature import Signature
from isoform.hub.faults.table import Fault, drawn, frozen_sizes, named, pair_of_outputs
from isoform.hub.faults.weights import WEIGHT_FAULTS, Change, Weight
from isoform.hub.serving import DEFAULT


@dataclass(frozen=True)
class Folder:
    """A folder's graph, and the variables whose values are to be other ones.

    Attributes:
        entry: the signature that is run.
        changed: by key of the checkpoint.
    """

    path: Path
    proto: saved_model_pb2.SavedModel
    signature: Signature
    entry: str
    changed: dict[str, Array] = field(default_factory=dict)


FAULTS: dict[str, Fault[Folder]] = {}
planted = named(FAULTS)
_PREFIX = "variables/variables"
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_WRAPPER = "__inference_signature_wrapper"
_ADDED = ("bias", "beta")
_LARGEST_EPSILON = 0.1
_OUTPUTS = {"Const": "output", "EnsureShape": "output", "Pad": "output", "StridedSlice": "output", "Sum": "output",
            "Exp": "y", "Tanh": "y"}  # fmt: skip
"""What an operator calls its result; "z" where it stands not here."""


def opened(artifact: Artifact) -> Folder:
    """Return the folder of an artifact."""
    proto = loader_impl.parse_saved_model(str(artifact.model))
    there = [name for name in proto.meta_graphs[0].signature_def if not name.startswith("__")]
    entry = artifact.entry or (there[0] if len(there) == 1 else DEFAULT)
    return Folder(artifact.model, proto, artifact.signature, entry)


def save(folder: Folder, target: Path) -> None:
    """Write the folder anew; its fingerprint, which nobody checks, is left out."""
    leave = ["saved_model.pb", "fingerprint.pb", *(["variables"] if folder.changed else [])]
    shutil.copytree(folder.path, target, ignore=shutil.ignore_patterns(*leave))
    (target / "saved_model.pb").write_bytes(folder.proto.SerializeToString())
    if folder.changed:
        (target / "variables").mkdir()
        values = _values(folder)
        tf.raw_ops.SaveV2(
            prefix=str(target / _PREFIX), tensor_names=list(values), shape_and_slices=[""] * len(values),
            tensors=list(map(tf.constant, values.values())),
        )  # fmt: skip


@planted
def another_epsilon(folder: Folder, rng: np.random.Generator) -> str | None:
    found = drawn([*_nodes(folder, "FusedBatchNormV3"), *_epsilons(folder)], rng)
    if found is None:
        return None
    _, node = found
    if node.op == "Const":
        epsilon = 10 * float(tf.make_ndarray(node.attr["value"].tensor))
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(epsilon, tf.float32))
    else:
        epsilon = node.attr["epsilon"].f = 10 * node.attr["epsilon"].f
    return _told(node, f"epsilon {epsilon:g}")


@planted
def the_other_gelu(folder: Folder, rng: np.random.Generator) -> str | None:
    """Replace erf(x) by tanh(2/sqrt(pi) (x + 0.08943 x^3)): what the approximation of GELU puts in its place."""
    found = drawn(_nodes(folder, "Erf", "Erfc"), rng)
    if found is None:
        return None
    function, node = found
    made, x, told = _Nodes(function, node.name), node.input[0], _told(node, "tanh")
    cube = made.add("Mul", made.add("Mul", x, x), x)
    inner = made.add("AddV2", x, made.add("Mul", cube, made.constant(np.array(0.08943, np.float32))))
    result = made.add("Tanh", made.add("Mul", inner, made.constant(np.array(2 / np.sqrt(np.pi), np.float32))))
    if node.op == "Erfc":
        result = made.add("Sub", made.constant(np.array(1, np.float32)), result)
    made.stand_for(node, "y", result)
    return told


@planted
def padding_off_by_one(folder: Folder, rng: np.random.Generator) -> str | None:
    """Move a padded image by one: the size stays, the places do not."""
    found = drawn([found for found in _nodes(folder, *_CONVOLUTIONS) if _is_padded(*found)], rng)
    if found is None:
        return None
    function, node = found
    made = _Nodes(function, node.name)
    padded = made.add("Pad", node.input[0], made.constant(np.array([[0, 0], [0, 0], [1, 0], [0, 0]], np.int32)))
    begin, end, step = (made.constant(np.array(each, np.int32)) for each in ([0] * 4, [0, 0, -1, 0], [1] * 4))
    node.input[0] = made.add("StridedSlice", padded, begin, end, step, begin_mask=0b1111, end_mask=0b1011)
    return _told(node, "its input is moved by one")


@planted
def a_leaking_relu(folder: Folder, rng: np.random.Generator) -> str | None:
    found = drawn(_nodes(folder, "Relu"), rng)
    if found is None:
        return None
    _, node = found
    node.op = "LeakyRelu"
    node.attr["alpha"].f = 0.01
    return _told(node, "LeakyRelu 0.01")


@planted
def a_softmax_over_another_axis(folder: Folder, rng: np.random.Generator) -> str | None:
    found = drawn(_nodes(folder, "Softmax"), rng)
    if found is None:
        return None
    function, node = found
    made, told = _Nodes(function, node.name), _told(node, "axis -2")
    powers = made.add("Exp", node.input[0])
    total = made.add("Sum", powers, made.constant(np.array([-2], np.int32)), keep_dims=True)
    made.stand_for(node, "softmax", made.add("RealDiv", powers, total))
    return told


@planted
def swapped_outputs(folder: Folder, rng: np.random.Generator) -> str | None:
    specs = sorted(folder.signature.outputs, key=lambda spec: spec.name)  # their order in the file
    pair = pair_of_outputs(specs, rng)
    if pair is None:
        return None
    one, other = pair
    for function in _wrappers(folder):
        names = [argument.name for argument in function.signature.output_arg]
        if len(names) == len(specs):
            first, second = function.ret[names[one]], function.ret[names[other]]
            function.ret[names[one]], function.ret[names[other]] = second, first
    return f"'{specs[one].name}' and '{specs[other].name}'"


@planted
def a_frozen_axis(folder: Folder, rng: np.random.Generator) -> str | None:
    """Hold the first dynamic axis of an input to the size that a trace has seen; a Reshape would be optimised away."""
    for spec in folder.signature.inputs:
        sizes = frozen_sizes(spec)
        for function in _wrappers(folder) if sizes is not None else ():
            readers = [node for node in function.node_def if spec.name in node.input]
            made = _Nodes(function, "frozen", tf.as_dtype(spec.dtype).as_datatype_enum)
            shape = tf.TensorShape([None if size == -1 else size for size in sizes or ()]).as_proto()
            fixed = made.add("EnsureShape", spec.name, shape=shape) if readers else ""
            for node in readers:
                node.input[list(node.input).index(spec.name)] = fixed
            if readers:
                return f"axis {(sizes or []).index(2)} of '{spec.name}' is 2"
    return None


def _of_weights(change: Change) -> Fault[Folder]:
    def fault(folder: Folder, rng: np.random.Generator) -> str | None:
        changed = change(list(_weights(folder)), rng)
        if changed is None:
            return None
        name, array = changed
        folder.changed[name] = array
        return f"'{name}'"

    return fault


FAULTS |= {name: _of_weights(change) for name, change in WEIGHT_FAULTS.items()}


def _weights(folder: Folder) -> Iterator[Weight]:
    """Yield the variables, outputs along the last axis as TensorFlow has them: matrices and filters, and what is added.

    A recurrent kernel is one by its name.
    """
    for name, array in _values(folder).items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.size < 2:
            continue
        plain = name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").lower()
        if array.ndim > 1:
            gates = 4 if "lstm" in plain else 3 if "gru" in plain else 0
            is_recurrent = bool(gates) and array.shape[-1] % gates == 0 and "kernel" in plain
            yield Weight(
                name, array, channels=-1, window=(0, 1) if array.ndim == 4 else None,
                gates=(gates, array.ndim - 1) if is_recurrent else None,
            )  # fmt: skip
        elif plain.endswith(_ADDED):
            yield Weight(name, array, is_kernel=False)


def _values(folder: Folder) -> dict[str, Any]:
    """Return what the checkpoint holds, changed values in place of its own."""
    if not (folder.path / f"{_PREFIX}.index").is_file():
        return {}
    reader = tf.train.load_checkpoint(str(folder.path / _PREFIX))
    held = {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    return held | folder.changed


def _functions(folder: Folder) -> list[Any]:
    """Return the functions that the signature in question calls: a fault in another one makes no difference."""
    meta = folder.proto.meta_graphs[0]
    by_name = {each.signature.name: each for each in meta.graph_def.library.function}
    outputs = meta.signature_def[folder.entry].outputs.values()
    begin = {_source(each.name) for each in outputs}
    waiting = [node for node in meta.graph_def.node if node.name in begin]
    called: set[str] = set()
    while waiting:
        for name in _called(waiting.pop()):
            if name in by_name and name not in called:
                called.add(name)
                waiting += by_name[name].node_def
    return [each for name, each in by_name.items() if name in called]


def _called(node: Any) -> Iterator[str]:
    for attribute in node.attr.values():
        for function in (attribute.func, *attribute.list.func):
            yield function.name


def _wrappers(folder: Folder) -> list[Any]:
    return [each for each in _functions(folder) if each.signature.name.startswith(_WRAPPER)]


def _nodes(folder: Folder, *ops: str) -> list[tuple[Any, Any]]:
    """Return the nodes of these operators, each with the function that it stands in."""
    return [(each, node) for each in _functions(folder) for node in each.node_def if node.op in ops]


def _epsilons(folder: Folder) -> Iterator[tuple[Any, Any]]:
    """Yield the small constants that are added to what a root is taken of."""
    for function in _functions(folder):
        nodes = {node.name: node for node in function.node_def}
        for node in function.node_def:
            added = nodes.get(_source(node.input[0])) if node.op in ("Rsqrt", "Sqrt") else None
            for name in added.input if added is not None and added.op in ("Add", "AddV2") else ():
                constant = nodes.get(_source(name))
                if constant is not None and constant.op == "Const":
                    value = tf.make_ndarray(constant.attr["value"].tensor)
                    if value.size == 1 and value.dtype == np.float32 and 0 < value < _LARGEST_EPSILON:
                        yield function, constant


def _is_padded(function: Any, node: Any) -> bool:
    source = next((each for each in function.node_def if each.name == _source(node.input[0])), None)
    is_pad = source is not None and source.op in ("Pad", "PadV2")
    return node.attr["data_format"].s != b"NCHW" and (node.attr["padding"].s != b"VALID" or is_pad)


class _Nodes:
    """New nodes of one function, named after the one that they are made for."""

    def __init__(self, function: Any, name: str, dtype: int = tf.float32.as_datatype_enum) -> None:
        self._function, self._name, self._dtype = function, name, dtype

    def constant(self, value: Array) -> str:
        dtype = tf.as_dtype(value.dtype).as_datatype_enum
        return self._made("Const", [], dtype=dtype, value=tf.make_tensor_proto(value))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Return the name of what an operator gives for ``inputs``; its indices, if any, are int32."""
        index = {"Pad": "Tpaddings", "StridedSlice": "Index", "Sum": "Tidx"}.get(op)
        if index is not None:
            attributes[index] = tf.int32.as_datatype_enum
        return self._made(op, inputs, T=self._dtype, **attributes)

    def stand_for(self, node: Any, result: str, value: str) -> None:
        """Let every reader of ``node``'s ``result`` read ``value``."""
        before = f"{node.name}:{result}:0"
        for each in self._function.node_def:
            each.input[:] = [value if name == before else name for name in each.input]
        for name, returned in self._function.ret.items():
            self._function.ret[name] = value if returned == before else returned

    def _made(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{self._name}/fault_{len(self._function.node_def)}"
        node = self._function.node_def.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            _set(node.attr[key], value, is_type=key in ("T", "dtype", "Tpaddings", "Index", "Tidx"))
        return f"{name}:{_OUTPUTS.get(op, 'z')}:0"


def _set(attribute: Any, value: Any, *, is_type: bool) -> None:
    if is_type:
        attribute.type = value
    elif isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    elif isinstance(value, TensorShapeProto):
        attribute.shape.CopyFrom(value)
    else:
        attribute.tensor.CopyFrom(value)


def _source(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _told(node: Any, what: str) -> str:
    return f"'{node.name}' ({node.op}): {what}"
