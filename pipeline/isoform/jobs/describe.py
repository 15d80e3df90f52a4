"""What a source says of its own inputs and outputs, asked of the file or found by running it at two sizes.

Where the file does not say (a PyTorch checkpoint), the inputs are declared by the user and the outputs are observed:
a dimension that follows a dynamic input dimension at both sizes gets its name.
"""

import importlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from isoform import registry
from isoform.core import format as formats
from isoform.core.artifact import Artifact
from isoform.core.cases import Tensors
from isoform.core.protocols import RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.jobs.observe import Observation, named_dim, observed, observed_with_free_names

ONNX_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}


def describe(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return signature, workable sizes and model file of ``arguments["source"]``.

    A PyTorch checkpoint becomes one safetensors file under the network's own names; ``unwrapped`` says how.

    Raises:
        IsoformError: the file cannot be opened, or does not run on the declared inputs.
    """
    source = Artifact.from_json(arguments["source"])
    steps: tuple[str, ...] = ()
    if source.format == "torch":
        from isoform.jobs.checkpoint import opened_checkpoint

        source, steps = opened_checkpoint(source, arguments)
    found = _DESCRIBERS[source.format](source)
    return {
        "signature": found.signature.to_json(),
        "sizes": dict(found.sizes),
        "model": str(source.model),
        "architecture": source.architecture.to_json() if source.architecture else None,
        "unwrapped": steps,
    }


def _of_torch(source: Artifact) -> Observation:
    import torch

    from isoform.hub.torch_checkpoint import refuse_nonfinite
    from isoform.hub.torch_source import call, load
    from isoform.hub.torch_structure import named_tensors

    if source.format == "torchscript":
        module = torch.jit.load(str(source.model)).eval()
    else:
        module = load(source)
        refuse_nonfinite(module, source.model)

    @torch.no_grad()
    def run(arrays: Tensors) -> Mapping[str, Any]:
        found = dict(
            named_tensors(call(module, source.signature, [torch.from_numpy(array) for array in arrays.values()]))
        )
        return apart(found, arrays)

    return observed(source.signature.inputs, run)


def apart(outputs: Mapping[str, Any], inputs: Collection[str]) -> dict[str, Any]:
    """Return ``outputs`` with another name for each that is called as an input: a graph has one name for one tensor.

    ``sample`` becomes ``output_sample``; a name that is taken gets the next number.
    """
    taken = {*inputs, *outputs}
    found = {}
    for name, tensor in outputs.items():
        if name in inputs:
            name = next(free for free in _candidates(f"output_{name}") if free not in taken)
            taken.add(name)
        found[name] = tensor
    return found


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def _of_runtime(source: Artifact) -> Observation:
    """Return what the format's own runtime reads from the file, under the user's names for dimensions."""
    row = registry.runtime(formats.lookup(source.format).runtime)
    session = importlib.import_module(row.module).load(source, RunOptions())
    try:
        inputs = [_free(spec, position) for position, spec in enumerate(session.signature.inputs)]
        return observed_with_free_names(_declared(source, inputs), session.run)
    finally:
        session.close()


def _declared(source: Artifact, inputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """Return ``inputs`` with what the user declares of them: names of dimensions, fixed sizes, ranges."""
    declared = {spec.name: spec for spec in source.signature.inputs}
    return [declared.get(spec.name, spec) for spec in inputs]


def _free(spec: TensorSpec, position: int) -> TensorSpec:
    sizes = (dim if isinstance(dim, int) else None for dim in spec.shape)
    return replace(spec, shape=tuple(named_dim(size, f"dim_{position}", axis) for axis, size in enumerate(sizes)))


def _of_keras(source: Artifact) -> Observation:
    from isoform.hub.keras_source import load
    from isoform.runtimes import keras_eager

    model = load(source)
    inputs = _declared(source, _keras_specs(model.inputs))
    names = getattr(model, "output_names", None) or [model.layers[-1].name]  # a Sequential has one output, unnamed
    outputs = _keras_specs(model.outputs, names)
    session = keras_eager.load(replace(source, signature=Signature(tuple(inputs), outputs)), RunOptions())
    try:
        return observed_with_free_names(inputs, session.run)
    finally:
        session.close()


def _keras_specs(tensors: Any, names: Any = None) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            names[position] if names else tensor.name,
            str(tensor.dtype),
            tuple(named_dim(dim, f"dim_{position}", axis) for axis, dim in enumerate(tensor.shape)),
        )
        for position, tensor in enumerate(tensors)
    )


def _of_onnx(source: Artifact) -> Observation:
    from isoform.hub.graph import load

    graph = load(source.model).graph
    inputs = _declared(source, onnx_specs([value for value in graph.inputs if not value.is_initializer()]))
    if find_spec("onnxruntime") is None:  # the reference evaluator would take too long to look for sizes
        return Observation(Signature(tuple(inputs), onnx_specs(graph.outputs)), {})
    session = importlib.import_module("isoform.runtimes.ort").load(source, RunOptions())
    try:
        return observed(inputs, session.run)
    finally:
        session.close()


def onnx_specs(values: Any) -> tuple[TensorSpec, ...]:
    """Return what the graph declares of ``values``.

    Raises:
        IsoformError: one of them has no type or no shape.
    """
    for value in values:
        if value.dtype is None or value.name is None:
            raise IsoformError(
                f"The graph declares no type for '{value.name}'.", "Export the model again.", kind="signature"
            )
    return tuple(
        TensorSpec(value.name, ONNX_DTYPES.get(value.dtype.name, value.dtype.name.lower()), _onnx_dims(value, position))
        for position, value in enumerate(values)
    )


def _onnx_dims(value: Any, position: int) -> tuple[Dim, ...]:
    if value.shape is None:
        raise IsoformError(
            f"The graph declares no shape for '{value.name}'.",
            "Run onnx.shape_inference on it first.",
            kind="signature",
        )
    return tuple(
        dim if isinstance(dim, int) else (dim.value or f"dim_{position}_{axis}") for axis, dim in enumerate(value.shape)
    )


_DESCRIBERS: dict[str, Callable[[Artifact], Observation]] = {
    "keras": _of_keras,
    "onnx": _of_onnx,
    "pt2": _of_runtime,
    "savedmodel": _of_runtime,
    "tflite": _of_runtime,
    "torch": _of_torch,
    "torchscript": _of_torch,
}
