"""What a source says of its own inputs and outputs, asked of the file or found by running it at two sizes.

Where the file does not say (a PyTorch checkpoint), the inputs are declared by the user and the outputs are observed:
a dimension that follows a dynamic input dimension at both sizes gets its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError, UsageError

_SIZES = ((2, 17, 33, 49), (3, 19, 37, 53))
"""Two sizes for each dynamic dimension in turn, none a multiple of another."""

_ONNX_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}


def describe(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the signature and the model file of ``arguments["source"]``; a pickled state dict becomes safetensors.

    Raises:
        IsoformError: the file cannot be opened, or does not run on the declared inputs.
    """
    source = Artifact.from_json(arguments["source"])
    if source.format == "torch":
        source = replace(source, model=_as_safetensors(source.model, Path(arguments["workspace"])))
        signature = _observed(source)
    else:
        signature = {"keras": _of_keras, "onnx": _of_onnx}[source.format](source)
    return {"signature": signature.to_json(), "model": str(source.model)}


def _as_safetensors(path: Path, workspace: Path) -> Path:
    if path.suffix == ".safetensors":
        return path
    import safetensors.torch
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the loader raises many types for what it refuses; all mean the same here
        reason = str(error).strip().splitlines()[0][:300]
        raise IsoformError(
            f"{path}: not a state dict that loads without running code ({reason})",
            "Save the weights alone: torch.save(model.state_dict(), PATH), or as .safetensors.",
            kind="unsafe-checkpoint",
        ) from error
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise IsoformError(
            f"{path}: holds a {type(found).__name__}, not a state dict.",
            "Save the weights alone: torch.save(model.state_dict(), PATH).",
            kind="not-a-state-dict",
        )
    workspace.mkdir(parents=True, exist_ok=True)
    target = workspace / f"{path.stem}.safetensors"
    safetensors.torch.save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, target)
    return target


def _observed(source: Artifact) -> Signature:
    import torch

    from isoform.hub.torch_source import load

    model = load(source)
    inputs = source.signature.inputs
    runs = []
    for sizes in _SIZES:
        symbols = dict(zip(source.signature.symbols, sizes, strict=False))
        arrays = [torch.from_numpy(_example(spec, spec.sizes(symbols))) for spec in inputs]
        with torch.no_grad():
            runs.append((symbols, _flat(model(*arrays))))
    return Signature(inputs, tuple(_output(name, runs) for name in runs[0][1]))


def _output(name: str, runs: list[tuple[dict[str, int], dict[str, Any]]]) -> TensorSpec:
    (first_sizes, first), (second_sizes, second) = runs
    dims = _dims(name, first_sizes, first[name].shape, second_sizes, second[name].shape)
    return TensorSpec(name, str(first[name].dtype).removeprefix("torch."), dims)


def _flat(outputs: Any) -> dict[str, Any]:
    """Return the tensors of a module's answer by name: the dictionary's own, else output, or output_0, output_1 ..."""
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if not isinstance(outputs, (tuple, list)):
        return {"output": outputs}
    return {f"output_{index}" if len(outputs) > 1 else "output": tensor for index, tensor in enumerate(outputs)}


def _example(spec: TensorSpec, shape: tuple[int, ...]) -> Any:
    rng = np.random.default_rng(0)
    if spec.dtype.startswith(("int", "uint")):
        return rng.integers(spec.low or 0, spec.high or (spec.low or 0) + 2, shape).astype(spec.dtype)
    return rng.random(shape).astype(spec.dtype)


def _dims(
    name: str, first_sizes: Mapping[str, int], first: Any, second_sizes: Mapping[str, int], second: Any
) -> tuple[Dim, ...]:
    if len(first) != len(second):
        raise UsageError(f"The output '{name}' has another rank at another size.", "Fix the dimension in --input.")
    dims: list[Dim] = []
    for axis, (one, two) in enumerate(zip(first, second, strict=True)):
        followed = [key for key in first_sizes if first_sizes[key] == one and second_sizes[key] == two]
        dims.append(one if one == two else followed[0] if followed else f"{name}_{axis}")
    return tuple(dims)


def _of_keras(source: Artifact) -> Signature:
    from isoform.hub.keras_source import load

    model = load(source)
    return Signature(_keras_specs(model.inputs), _keras_specs(model.outputs, model.output_names))


def _keras_specs(tensors: Any, names: Any = None) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            names[position] if names else tensor.name,
            str(tensor.dtype),
            tuple(_named(dim, position, axis) for axis, dim in enumerate(tensor.shape)),
        )
        for position, tensor in enumerate(tensors)
    )


def _named(dim: int | None, position: int, axis: int) -> Dim:
    if dim is not None:
        return dim
    return "batch" if axis == 0 else f"dim_{position}_{axis}"


def _of_onnx(source: Artifact) -> Signature:
    from isoform.hub.graph import load

    model = load(source.model)
    return Signature(_onnx_specs(model.graph.inputs), _onnx_specs(model.graph.outputs))


def _onnx_specs(values: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            value.name, _ONNX_DTYPES.get(value.dtype.name, value.dtype.name.lower()), _onnx_dims(value, position)
        )
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
