"""The Keras source: a network with its weights, called by the names of a signature.

Shared by the runtime that gives the reference outputs and by the converters that start from Keras. Not aware of
graphs or of other formats.
"""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from isoform.core.artifact import Architecture, Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import hdf5_file
from isoform.hub.architecture import construct
from isoform.intake import keras_config

_FLOATS = ("float16", "bfloat16", "float32", "mixed_float16", "mixed_bfloat16")


def load(source: Artifact, *, is_float64: bool = False) -> Any:
    """Return the keras.Model of ``source`` with its weights; in float64, the same weights upcast exactly.

    Raises:
        IsoformError: the network cannot be built, or the file does not hold exactly its weights.
    """
    if not source.model.is_file():
        raise IsoformError(f"{source.model}: no such file.", "Check the path, or train the model first.")
    contents = hdf5_file.looked_through(source.model)
    model = _build(source.architecture) if source.architecture else _load_network(source.model, contents)
    if source.architecture:
        _load_weights(model, source.model, contents)
    return _upcast(model, source.architecture) if is_float64 else model


def is_float(variable: Any) -> bool:
    """Tell whether a keras.Variable is a floating-point parameter, not a counter or a seed."""
    return keras.backend.is_float_dtype(variable.dtype)


def output_names(model: Any) -> list[str]:
    """Return what ``model`` calls its outputs; a Sequential has one, which bears the name of the last layer.

    A layer that returns its states too gives all of them its name: the later ones are numbered.
    """
    names = list(getattr(model, "output_names", None) or [model.layers[-1].name])
    found: list[str] = []
    for place, name in enumerate(names):
        candidates = (name, *(f"{name}_{number}" for number in range(1, len(names) + 1)))
        taken = {*found, *(each for each in names[place + 1 :] if each != name)}
        found.append(next(each for each in candidates if each not in taken))
    return found


def call_arguments(model: Any, signature: Signature, tensors: Sequence[Any]) -> Any:
    """Return ``tensors``, given in signature order, in the structure that ``model`` is called with."""
    names = [spec.name for spec in signature.inputs]
    wanted = [tensor.name for tensor in getattr(model, "inputs", None) or ()]
    if wanted and len(wanted) != len(names):
        raise IsoformError(
            f"The network takes {len(wanted)} inputs ({', '.join(wanted)}), the signature names {len(names)}.",
            f"Declare all of them: {', '.join(wanted)}.",
            kind="signature",
        )
    order = [names.index(name) for name in wanted] if sorted(wanted) == sorted(names) else range(len(wanted))
    for index, tensor in zip(order, getattr(model, "inputs", None) or (), strict=True):
        _refuse_fixed_axis(signature.inputs[index], tensor.shape)
    tensors = [tensors[index] for index in order] if wanted else tensors
    structure = getattr(model, "_inputs_struct", None)  # Keras offers no public form of the nesting
    if structure is not None:
        return keras.tree.pack_sequence_as(structure, list(tensors))
    return tensors[0] if len(tensors) == 1 else list(tensors)


def _refuse_fixed_axis(spec: TensorSpec, built: Sequence[int | None]) -> None:
    for axis, (declared, size) in enumerate(zip(spec.shape, built, strict=False)):
        if isinstance(declared, str) and size is not None:
            raise IsoformError(
                f"Axis {axis} of '{spec.name}' is declared dynamic ('{declared}'), the network fixes it at {size}.",
                "Build the network without a fixed size there, or declare the size.",
                kind="frozen-axis",
            )


def flat_outputs(signature: Signature, outputs: Any) -> list[Any]:
    """Return the tensors of ``outputs`` in signature order: by key for a dict with these names, else as they come."""
    names = [spec.name for spec in signature.outputs]
    if isinstance(outputs, Mapping) and set(outputs) == set(names):
        return [outputs[name] for name in names]
    flat = keras.tree.flatten(outputs)
    if len(flat) != len(names):
        raise IsoformError(
            f"The network gives {len(flat)} outputs, the signature names {len(names)}.",
            "Declare every output of the network, in its order.",
            kind="signature",
        )
    return flat


def tensor_spec(spec: TensorSpec, name: str | None = None) -> Any:
    """Return the tf.TensorSpec of ``spec``; a named dimension is None there."""
    dims = [dim if isinstance(dim, int) else None for dim in spec.shape]
    return tf.TensorSpec(dims, spec.dtype, name or spec.name)


def _build(architecture: Architecture) -> Any:
    model = construct(architecture)
    if not isinstance(model, keras.Model):
        raise IsoformError(
            f"'{architecture.factory}' returned {type(model).__name__}, not a keras.Model.",
            "Let the factory return the network.",
            kind="architecture",
        )
    return model


def _load_network(path: Path, contents: hdf5_file.Contents) -> Any:
    is_archive = zipfile.is_zipfile(path)
    if not is_archive and contents.config is None:
        raise IsoformError(
            f"{path}: holds weights only, not the network.",
            "Name the function that builds it: --arch model.py:build or --arch package.module:Class",
            kind="architecture",
        )
    keras_config.refuse_code(path, contents.config, has_code=False)
    try:
        with _called(path, ".keras" if is_archive else ".h5") as file:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # what a configuration makes Keras raise has no end of types
        raise IsoformError(
            f"{path}: Keras does not open it in safe mode ({_first_line(error)}).",
            "If its classes are your own, name the code that builds the network with --arch.",
            kind="load",
        ) from error


def _load_weights(model: Any, path: Path, contents: hdf5_file.Contents) -> None:
    suffix = ".keras" if zipfile.is_zipfile(path) else ".h5" if contents.is_legacy else ".weights.h5"
    try:
        with _called(path, suffix) as file:
            model.load_weights(file)
    except (ValueError, KeyError, OSError) as error:
        raise IsoformError(
            f"{path}: these are not the weights of this network ({_first_line(error)}).",
            "Check the arguments of the factory against those it was trained with.",
            kind="weights",
        ) from error


@contextmanager
def _called(path: Path, suffix: str) -> Iterator[Path]:
    """Give the file under a name that ends with ``suffix``: Keras goes by that, and not by what a file holds."""
    if path.name.endswith(suffix) and (suffix != ".h5" or not path.name.endswith(".weights.h5")):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="isoform-keras.") as folder:
        link = Path(folder) / f"model{suffix}"
        link.symlink_to(path.resolve())
        yield link


def _upcast(model: Any, architecture: Architecture | None) -> Any:
    """Return the same network in float64.

    A functional network is rebuilt from its configuration, where every dtype can be seen; a subclassed one from its
    code, under the policy alone.
    """
    with _float64_policy():
        if hasattr(model, "_inputs_struct") or isinstance(model, keras.Sequential):
            known = {kind.__name__: kind for kind in map(type, model._flatten_layers()) if not _is_kerass_own(kind)}
            config = _in_float64(keras.saving.serialize_keras_object(model))
            # Without code of the user's, safe mode stays on; with it, that code has run already.
            twin = keras.saving.deserialize_keras_object(config, known, safe_mode=architecture is None)
        elif architecture is not None:
            twin = _build(architecture)
        else:
            raise IsoformError("A subclassed network has no configuration.", "Name its code with --arch.")
    for old, new in zip(model.weights, twin.weights, strict=True):
        if is_float(new) and new.dtype != "float64":
            raise IsoformError(
                f"'{new.path}' stays {new.dtype} although float64 was asked for.",
                "Leave the dtype of this layer to Keras' policy.",
                kind="float64",
            )
        new.assign(keras.ops.cast(old.value, new.dtype))
    return twin


def _is_kerass_own(kind: type) -> bool:
    """Return whether Keras finds a class by itself: its layer Add and its operator Add share a name."""
    return kind.__module__.partition(".")[0] == "keras"


@contextmanager
def _float64_policy() -> Iterator[None]:
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def _in_float64(config: Any, key: str = "") -> Any:
    """Return ``config`` with every floating dtype, and every policy of one, replaced by float64."""
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            name = config["config"]["name"]
            return {**config, "config": {"name": "float64"}} if name in _FLOATS else config
        return {name: _in_float64(value, name) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float64(value) for value in config)
    return "float64" if key == "dtype" and config in _FLOATS else config


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
