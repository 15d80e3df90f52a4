"""The outputs of a model, found by running it at two sizes: an axis that follows an input's axis gets its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.core.generation import draw
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError, UsageError

Run = Callable[[Tensors], Mapping[str, Any]]
_SIZES = ((2, 17, 33, 49), (3, 19, 37, 53))
"""Two sizes for each dynamic dimension in turn, none a multiple of another."""


def observed(inputs: Sequence[TensorSpec], run: Run) -> Signature:
    """Return the signature of a model with these inputs: its outputs as ``run`` gives them, dimensions named.

    Args:
        run: returns the model's outputs by name for arrays by input name.

    Raises:
        IsoformError: it does not run at one of the sizes.
    """
    inputs = tuple(inputs)
    runs = []
    for position in range(len(_SIZES)):
        sizes = _sizes(Signature(inputs, ()).symbols, position)
        arrays = {spec.name: example(spec, spec.sizes(sizes)) for spec in inputs}
        runs.append((sizes, _answer(run, arrays, sizes)))
    return Signature(inputs, tuple(_output(name, runs) for name in runs[0][1]))


def observed_with_free_names(inputs: Sequence[TensorSpec], run: Run) -> Signature:
    """Return `observed`, for inputs whose dimension names are made up here: where they cannot all differ, they agree.

    A file may know that an axis is dynamic, and not that it is the same in two inputs.
    """
    try:
        return observed(inputs, run)
    except IsoformError:
        tied = tuple(
            replace(spec, shape=tuple(_tied(dim, axis) for axis, dim in enumerate(spec.shape))) for spec in inputs
        )
        if tied == tuple(inputs):
            raise
        return observed(tied, run)


def named_dim(dim: int | None, name: str, axis: int) -> Dim:
    """Return a size, or a name for a dynamic axis that the file has none for."""
    return dim if dim is not None else "batch" if axis == 0 else f"{name}_{axis}"


def example(spec: TensorSpec, shape: tuple[int, ...]) -> Array:
    """Return an array that the input ``spec`` may be given."""
    if spec.dtype == "string":
        raise IsoformError(
            f"The input '{spec.name}' takes text, which other formats than SavedModel do not.",
            "Cut the model behind its tokenizer or lookup, and convert the part that takes numbers.",
            kind="string-input",
        )
    return draw(spec, "representative", shape, np.random.default_rng(0))


def _sizes(symbols: Sequence[str], position: int) -> dict[str, int]:
    known = _SIZES[position]
    return {symbol: known[index % len(known)] for index, symbol in enumerate(symbols)}


def _answer(run: Run, arrays: Tensors, sizes: Mapping[str, int]) -> Mapping[str, Any]:
    try:
        return run(arrays)
    except (MemoryError, IsoformError):
        raise
    except Exception as error:  # runtimes and user code raise types of their own; all mean that it does not run
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        at = ", ".join(f"{name}={size}" for name, size in sizes.items()) or "fixed sizes"
        raise IsoformError(
            f"The model does not run on its declared inputs at {at}: {type(error).__name__}: {reason}",
            "Correct --input: order, dtype, shape; a number for an axis that has to have one size.",
            kind="does-not-run",
        ) from error


def _tied(dim: Dim, axis: int) -> Dim:
    return dim if isinstance(dim, int) else "batch" if axis == 0 else f"dim_{axis}"


def _output(name: str, runs: list[tuple[dict[str, int], Mapping[str, Any]]]) -> TensorSpec:
    (first_sizes, first), (second_sizes, second) = runs
    dims = _dims(name, first_sizes, first[name].shape, second_sizes, second[name].shape)
    return TensorSpec(name, str(first[name].dtype).removeprefix("torch."), dims)


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
