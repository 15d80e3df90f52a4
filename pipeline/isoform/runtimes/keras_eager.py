"""Keras itself on TensorFlow: the source's own outputs, in strict float32 or in float64.

The network runs inside one tf.function, as Keras' own predict does, without XLA. Not aware of other formats.
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, Perturbation, RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import keras_source
from isoform.runtimes.tf import named, set_threads


class KerasSession:
    """A network in memory, called by the names of its signature."""

    def __init__(self, model: Any, signature: Signature, *, is_float64: bool) -> None:
        self._model = model
        self.signature = signature
        self._is_float64 = is_float64
        specs = [tf.TensorSpec(_dynamic(spec), self._dtype(spec), spec.name) for spec in signature.inputs]
        self._function = tf.function(self._call, input_signature=specs, autograph=False)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in signature order; float64 ones for a float64 session."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as tensors."""
        tensors = [tf.constant(inputs[spec.name], self._dtype(spec)) for spec in self.signature.inputs]
        return Bound.of(lambda: self._function(*tensors), functools.partial(named, self.signature))

    def close(self) -> None:
        self._model = self._function = None

    def _call(self, *tensors: Any) -> list[Any]:
        arguments = keras_source.call_arguments(self._model, self.signature, tensors)
        return keras_source.flat_outputs(self.signature, self._model(arguments, training=False))

    def _dtype(self, spec: TensorSpec) -> Any:
        dtype = tf.as_dtype(spec.dtype)
        return tf.float64 if self._is_float64 and dtype.is_floating else dtype


def load(artifact: Artifact, options: RunOptions) -> KerasSession:
    """Build the network of ``artifact`` and give it its weights.

    Raises:
        IsoformError: it cannot be built or loaded, or the device or thread count cannot be had.
    """
    if options.device != "cpu" and not tf.config.list_physical_devices("GPU"):
        raise IsoformError(f"Keras sees no device '{options.device}'.", "Run on the CPU: --device cpu.", kind="device")
    set_threads(options.threads)
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    model = keras_source.load(artifact, is_float64=options.is_float64)
    if options.perturbation is not None:
        _perturb(model, options.perturbation)
    return KerasSession(model, _read_signature(model, artifact.signature), is_float64=options.is_float64)


def weights(artifact: Artifact) -> dict[str, Array]:
    """Return every float parameter of the network by its path in it."""
    model = keras_source.load(artifact)
    return {variable.path: variable.numpy() for variable in model.weights if keras_source.is_float(variable)}


def _perturb(model: Any, perturbation: Perturbation) -> None:
    """Multiply every float weight by 1+d, d uniform in ±magnitude: method.md's ``W(1+d')``."""
    draw = perturbation.draws()
    for variable in model.weights:
        if keras_source.is_float(variable):
            value = variable.numpy()
            factors = draw(value.shape)
            factors *= value
            variable.assign(factors.astype(value.dtype, copy=False))


def _read_signature(model: Any, wanted: Signature) -> Signature:
    """Return ``wanted`` with the shapes that the network itself declares; a subclassed one declares none."""
    inputs = getattr(model, "inputs", None) or ()
    by_name = {tensor.name: tensor for tensor in inputs}
    if set(by_name) == {spec.name for spec in wanted.inputs}:
        inputs = [by_name[spec.name] for spec in wanted.inputs]
    if len(inputs) != len(wanted.inputs):
        return wanted
    return Signature(tuple(map(_as_built, wanted.inputs, inputs)), wanted.outputs)


def _as_built(spec: TensorSpec, tensor: Any) -> TensorSpec:
    if len(tensor.shape) != len(spec.shape):
        raise IsoformError(
            f"'{spec.name}' has {len(spec.shape)} dimensions in the signature, {len(tensor.shape)} in the network.",
            "Declare the shape that the network takes.",
            kind="signature",
        )
    dims: list[Dim] = []
    for axis, (size, declared) in enumerate(zip(tensor.shape, spec.shape, strict=True)):
        dims.append(size if size is not None else declared if isinstance(declared, str) else f"dim_{axis}")
    return TensorSpec(spec.name, spec.dtype, tuple(dims), spec.layout, spec.low, spec.high)


def _dynamic(spec: TensorSpec) -> list[int | None]:
    return [dim if isinstance(dim, int) else None for dim in spec.shape]
