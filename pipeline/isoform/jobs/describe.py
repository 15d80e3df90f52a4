"""What a source says of its own inputs and outputs, asked of the file or found by running it at two sizes.

Where the file does not say (a PyTorch checkpoint), the inputs are declared by the user and the outputs are observed:
a dimension that follows a dynamic input dimension at both sizes gets its name.
"""

import importlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.core import format as formats
from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Tensors
from isoform.core.finite import nonfinite
from isoform.core.protocols import RunOptions
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.jobs.observe import Observation, Run, named_dim, observed, observed_of_file, observed_with_free_names

Weights = Iterable[tuple[str, Array]]
ONNX_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}


def describe(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return signature, workable sizes and model file of ``arguments["source"]``.

    A PyTorch checkpoint becomes one safetensors file under the network's own names; ``notes`` says how, and which
    dimensions run at one size only.

    Raises:
        IsoformError: the file cannot be opened, or does not run on the declared inputs.
    """
    source = Artifact.from_json(arguments["source"])
    steps: tuple[str, ...] = ()
    if source.format == "torch":
        from isoform.jobs.checkpoint import opened_checkpoint

        source, steps = opened_checkpoint(source, arguments)
    found, weights = _described(source)
    if not arguments.get("allow_nonfinite"):
        _refuse_nonfinite(source.model, weights)
    return {
        "signature": found.signature.to_json(),
        "sizes": dict(found.sizes),
        "model": str(source.model),
        "architecture": source.architecture.to_json() if source.architecture else None,
        "notes": [*steps, *map(_fixed, found.fixed.items())],
    }


def _fixed(entry: tuple[str, int]) -> str:
    name, size = entry
    return f"'{name}' is fixed to {size}: of the sizes that were tried it runs at no other"


def _described(source: Artifact) -> tuple[Observation, Weights]:
    try:
        return _DESCRIBERS.get(source.format, _of_runtime)(source)
    except (IsoformError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # loaders raise many types for bytes that are not what they seem
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        title = formats.lookup(source.format).title
        raise IsoformError(
            f"{source.model}: damaged, or no {title} that opens here ({reason}).",
            "Fetch or export it again.",
            kind="damaged",
        ) from error


def _refuse_nonfinite(path: Path, weights: Weights) -> None:
    names = nonfinite(weights)
    if names:
        raise IsoformError(
            f"{path.name}: {len(names)} weights hold NaN or infinities: {', '.join(names[:5])}.",
            "Take an earlier checkpoint: the outputs mean nothing with these. If they are meant: --allow-nonfinite",
            kind="non-finite-weights",
        )


def _of_torch(source: Artifact) -> tuple[Observation, Weights]:
    import torch

    from isoform.hub.torch_checkpoint import arrays as arrays_of
    from isoform.hub.torch_source import call, load
    from isoform.hub.torch_structure import named_tensors

    module = torch.jit.load(str(source.model)).eval() if source.format == "torchscript" else load(source)

    @torch.no_grad()
    def run(arrays: Tensors) -> Mapping[str, Any]:
        found = dict(
            named_tensors(call(module, source.signature, [torch.from_numpy(array) for array in arrays.values()]))
        )
        return apart(found, arrays)

    return observed(source.signature.inputs, run), arrays_of(module)


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


def _of_runtime(source: Artifact) -> tuple[Observation, Weights]:
    """Return what the format's own runtime reads from the file, under the user's names for dimensions."""
    module = importlib.import_module(registry.runtime(formats.lookup(source.format).runtime).module)
    session = module.load(source, RunOptions())
    try:
        inputs = [_free(spec, position) for position, spec in enumerate(session.signature.inputs)]
        found = _of_file(source, inputs, observed_with_free_names, session.run)
        return found, module.weights(source).items()
    finally:
        session.close()


def _of_file(
    source: Artifact, inputs: Sequence[TensorSpec], found: Callable[..., Observation], run: Run
) -> Observation:
    return observed_of_file(_declared(source, inputs), {spec.name for spec in source.signature.inputs}, found, run)


def _declared(source: Artifact, inputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """Return ``inputs`` with what the user declares of them: names of dimensions, fixed sizes, ranges."""
    declared = {spec.name: spec for spec in source.signature.inputs}
    return [declared.get(spec.name, spec) for spec in inputs]


def _free(spec: TensorSpec, position: int) -> TensorSpec:
    sizes = (dim if isinstance(dim, int) else None for dim in spec.shape)
    return replace(spec, shape=tuple(named_dim(size, f"dim_{position}", axis) for axis, size in enumerate(sizes)))


def _of_keras(source: Artifact) -> tuple[Observation, Weights]:
    from isoform.hub.keras_source import is_float, load, output_names
    from isoform.runtimes import keras_eager

    model = load(source)
    inputs = _declared(source, _keras_specs(model.inputs))
    outputs = _keras_specs(model.outputs, output_names(model))
    session = keras_eager.load(replace(source, signature=Signature(tuple(inputs), outputs)), RunOptions())
    try:
        weights = ((each.path, each.numpy()) for each in model.weights if is_float(each))
        return _of_file(source, inputs, observed_with_free_names, session.run), weights
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


def _of_onnx(source: Artifact) -> tuple[Observation, Weights]:
    from isoform.hub.reading import read

    graph = read(source).graph
    weights = ((name, each.const_value.numpy()) for name, each in graph.initializers.items() if each.const_value)
    inputs = _declared(source, onnx_specs([value for value in graph.inputs if not value.is_initializer()]))
    if find_spec("onnxruntime") is None:  # the reference evaluator would take too long to look for sizes
        return Observation(Signature(tuple(inputs), onnx_specs(graph.outputs)), {}), weights
    session = importlib.import_module("isoform.runtimes.ort").load(source, RunOptions())
    try:
        return _of_file(source, inputs, observed, session.run), weights
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


_DESCRIBERS: dict[str, Callable[[Artifact], tuple[Observation, Weights]]] = {
    "keras": _of_keras,
    "onnx": _of_onnx,
    "ort": _of_onnx,
    "torch": _of_torch,
    "torchscript": _of_torch,
}
"""Formats that are asked otherwise than through their own runtime."""
