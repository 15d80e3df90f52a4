"""TensorFlow: a SavedModel folder, through its signature ``serving_default``, or the only one it has.

A SavedModel keeps outputs by name only, sorted; their order comes from the artifact, and a name that is missing or
extra shows in the signature that is read back. Not aware of how the folder was written.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util
from tensorflow.python.saved_model import loader_impl

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, Perturbation, RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.importers.tensorflow import float64
from isoform.hub.serving import opened, pick

_ESCAPE = re.compile(r"\.(S|\.)")


class SavedModelSession:
    """A loaded SavedModel; ``run`` feeds it by name."""

    def __init__(self, loaded: object, function: object, signature: Signature) -> None:
        self._loaded = loaded  # the variables live as long as this object does
        self._function = function
        self.signature = signature

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in signature order."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors."""
        tensors = {spec.name: tf.constant(inputs[spec.name], getattr(tf, spec.dtype)) for spec in self.signature.inputs}
        return Bound.of(
            lambda: self._function(**tensors),  # type: ignore[operator]
            lambda outputs: {spec.name: outputs[spec.name].numpy() for spec in self.signature.outputs},
        )

    def close(self) -> None:
        self._loaded = self._function = None


class Float64Session:
    """A SavedModel's graph, widened; it answers in float64."""

    def __init__(self, function: Callable[..., Sequence[Any]], signature: Signature) -> None:
        self._function = function
        self.signature = signature

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in signature order."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors."""
        tensors = [tf.constant(inputs[spec.name]) for spec in self.signature.inputs]
        return Bound.of(lambda: self._function(*tensors), functools.partial(named, self.signature))

    def close(self) -> None:
        del self._function


def named(signature: Signature, outputs: Sequence[Any]) -> dict[str, Array]:
    """Return tensors in signature order as arrays by name."""
    return {spec.name: value.numpy() for spec, value in zip(signature.outputs, outputs, strict=True)}


def load(artifact: Artifact, options: RunOptions) -> SavedModelSession | Float64Session:
    """Open the folder ``artifact.model``.

    Raises:
        IsoformError: it is no SavedModel, has several signatures and none is
            ``serving_default``, the device or thread count cannot be had, or float64 is asked for and cannot be.
    """
    _refuse_what_is_not_here(options)
    set_threads(options.threads)
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not options.is_optimised})
    loaded = opened(artifact.model)
    function = pick(loaded, artifact.model, artifact.entry)
    if options.is_float64:
        return Float64Session(float64.widened(function, artifact.signature), artifact.signature)
    if options.perturbation is not None:
        _disturb(function.variables, options.perturbation)
    return SavedModelSession(loaded, function, _read_signature(function, artifact.signature))


def set_threads(count: int) -> None:
    """Let TensorFlow use ``count`` threads inside an operation; 0 leaves the choice to it.

    Raises:
        IsoformError: TensorFlow has run in this process already with another count, and cannot change it.
    """
    if count == 0 or tf.config.threading.get_intra_op_parallelism_threads() == count:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1 if count == 1 else 2)
    except RuntimeError as error:
        raise IsoformError(
            f"TensorFlow is running already and cannot change to {count} threads.",
            "Measure each thread count in a fresh process.",
            kind="threads",
        ) from error


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return the variables of the folder by name, and the constants of its graphs that are no shapes or fillings."""
    return _variables(artifact) | _constants(artifact.model)


def _variables(artifact: Artifact) -> dict[str, Array]:
    reader = (
        tf.train.load_checkpoint(str(artifact.model / "variables" / "variables")) if _has_variables(artifact) else None
    )
    found: dict[str, Array] = {}
    if reader is not None:
        for name in sorted(reader.get_variable_to_shape_map()):
            value = reader.get_tensor(name)
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiV" and "SAVEABLE" not in name.upper():
                found[_plain(name)] = value
    return found


def unused(artifact: Artifact) -> list[str]:
    """Return the variables that the signature does not read, where the folder has several signatures."""
    loaded = opened(artifact.model)
    if len(loaded.signatures) < 2:
        return []
    read: dict[tuple[int, ...], list[Array]] = {}
    for variable in pick(loaded, artifact.model, artifact.entry).variables:
        read.setdefault(tuple(variable.shape), []).append(variable.numpy())
    return [
        name
        for name, array in _variables(artifact).items()
        if not any(np.array_equal(array, other) for other in read.get(array.shape, ()))
    ]


def _disturb(variables: Sequence[Any], perturbation: Perturbation) -> None:
    """Multiply every float variable by 1+d; constants of the graph stay as they are."""
    factors = perturbation.draws()
    for variable in variables:
        if variable.dtype.is_floating:
            value = variable.numpy()
            variable.assign((value * factors(value.shape)).astype(value.dtype))


def _plain(name: str) -> str:
    """Return a variable's own name for its name in the checkpoint, where ``/`` and ``.`` are escaped."""
    plain = name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").removeprefix("weights/")
    return _ESCAPE.sub(lambda found: "/" if found[1] == "S" else ".", plain)


def _refuse_what_is_not_here(options: RunOptions) -> None:
    if options.device != "cpu" and not tf.config.list_physical_devices("GPU"):
        raise IsoformError(
            f"TensorFlow sees no device '{options.device}'.", "Run on the CPU: --device cpu.", kind="device"
        )


def _read_signature(function: object, wanted: Signature) -> Signature:
    inputs = function.structured_input_signature[1]  # type: ignore[attr-defined]
    outputs = function.structured_outputs  # type: ignore[attr-defined]
    return Signature(_specs(inputs, wanted.inputs), _specs(outputs, wanted.outputs))


def _specs(found: Mapping[str, tf.TensorSpec], wanted: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """Return the specs of ``found``: those that are wanted in their order, then whatever else there is."""
    by_name = {spec.name: spec for spec in wanted}
    order = [name for name in by_name if name in found] + [name for name in found if name not in by_name]
    return tuple(TensorSpec(name, found[name].dtype.name, _shape(found[name], by_name.get(name))) for name in order)


def _shape(found: tf.TensorSpec, wanted: TensorSpec | None) -> tuple[Dim, ...]:
    if found.shape.rank is None:
        raise IsoformError(
            f"'{found.name}' has no known rank in this SavedModel.", "Export it with declared shapes.", kind="signature"
        )
    names = wanted.shape if wanted and len(wanted.shape) == found.shape.rank else ()
    dims: list[Dim] = []
    for axis, size in enumerate(found.shape):
        name = names[axis] if axis < len(names) else None
        dims.append(size if size is not None else name if isinstance(name, str) else f"dim_{axis}")
    return tuple(dims)


def _has_variables(artifact: Artifact) -> bool:
    return (artifact.model / "variables" / "variables.index").is_file()


def _constants(folder: Path) -> dict[str, Array]:
    graph = loader_impl.parse_saved_model(str(folder)).meta_graphs[0].graph_def
    places = [("", graph.node)] + [(f"{each.signature.name}/", each.node_def) for each in graph.library.function]
    found: dict[str, Array] = {}
    for place, nodes in places:
        for node in nodes:
            if node.op == "Const":
                value = tensor_util.MakeNdarray(node.attr["value"].tensor)
                is_filling = value.size != 1 and bool((value == value.ravel()[:1]).all())
                is_weight = value.dtype.kind in "fV" or (value.dtype in (np.int8, np.uint8) and value.ndim > 1)
                if is_weight and not is_filling:
                    found[place + node.name] = value
    return found
