"""What running a model shows: the sizes that its dynamic dimensions can have, and what its outputs are.

An output's axis that follows an input's axis at two sizes gets its name.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from isoform.core.cases import Array, Tensors
from isoform.core.generation import BATCH_NAMES, draw, usual_sizes
from isoform.core.signature import Dim, Signature, TensorSpec
from isoform.errors import IsoformError, UsageError

_DOES_NOT_RUN, _FROZEN = "does-not-run", "frozen-axis"
Run = Callable[[Tensors], Mapping[str, Any]]
_FIRST = (13, 32, 64, 128, 224, 1600)
"""Where a dimension is looked for first: networks of halvings run at multiples of 32 only, those of waves at 400 or
more samples."""
_MORE = (64, 96, 160, 128, 224, 960, 1200, 2000)
_ENOUGH = 3
_ALONE = (*_FIRST, 256, 512, 480, 1024, 16000)
"""What one dimension may have to be where all others have to be 1: networks of a stream take one chunk, of one size."""


@dataclass(frozen=True)
class Observation:
    """What a model was seen to do.

    Attributes:
        sizes: by dynamic dimension, sizes at which it runs.
        fixed: by dimension that the file calls dynamic, the only size at which it was seen to run.
    """

    signature: Signature
    sizes: Mapping[str, tuple[int, ...]]
    fixed: Mapping[str, int] = field(default_factory=dict)


def observed(inputs: Sequence[TensorSpec], run: Run) -> Observation:
    """Return the signature of a model with these inputs: its outputs as ``run`` gives them, dimensions named.

    Args:
        run: returns the model's outputs by name for arrays by input name.

    Raises:
        IsoformError: it runs at none of the sizes that are tried, or at one of a dimension's only.
    """
    probe = _Probe(tuple(inputs), run)
    base = probe.base(probe.symbols)
    sizes = {symbol: usual_sizes(symbol) if symbol in BATCH_NAMES else probe.workable(symbol, base) for symbol in base}
    return _observation(probe, sizes, base)


def observed_with_free_names(inputs: Sequence[TensorSpec], run: Run) -> Observation:
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


def observed_of_file(
    inputs: Sequence[TensorSpec], declared: Collection[str], found: Callable[..., Observation], run: Run
) -> Observation:
    """Return what ``found`` observes of a file's inputs; a dimension that runs at one size only is fixed to it.

    Files call axes dynamic that are not: of a state whose batch is one, of a stream that takes chunks of one length.

    Args:
        declared: names of the inputs that the user declares: what is dynamic there is asked for, and stays.
        found: `observed` or `observed_with_free_names`.

    Raises:
        IsoformError: as `observed`; nothing that may be fixed lets it run.
    """
    try:
        return found(inputs, run)
    except IsoformError as error:
        fixed = _with_fixed(inputs, declared, run) if error.kind in (_DOES_NOT_RUN, _FROZEN) else None
        if fixed is None:
            raise
        return fixed


def _with_fixed(inputs: Sequence[TensorSpec], declared: Collection[str], run: Run) -> Observation | None:
    """Return what is observed with dimensions fixed that run at one size only; None where none may be."""
    probe = _Probe(tuple(inputs), run)
    base = next((sizes for sizes in _with_ones(probe.symbols) if probe.runs(sizes)), None)
    if base is None:
        return None
    sizes = {symbol: probe.workable(symbol, base) for symbol in base}
    fixed = {symbol: base[symbol] for symbol, found in sizes.items() if len(found) == 1}
    if not fixed or fixed.keys() & {dim for spec in inputs if spec.name in declared for dim in spec.shape}:
        return None
    sized = [replace(spec, shape=tuple(fixed.get(str(dim), dim) for dim in spec.shape)) for spec in inputs]
    left = {symbol: found for symbol, found in sizes.items() if symbol not in fixed}
    found = _observation(_Probe(tuple(sized), run), left, {symbol: base[symbol] for symbol in left})
    return replace(found, fixed=fixed)


def _observation(probe: "_Probe", sizes: Mapping[str, tuple[int, ...]], base: Mapping[str, int]) -> Observation:
    """Return what two runs show, at ``base`` and at others of ``sizes``."""
    other = _distinct(sizes, base)
    one, two = (base, probe.answer(base)), (other, probe.answer(other))
    outputs = tuple(_output(name, [one, two]) for name in one[1])
    return Observation(Signature(probe.inputs, outputs), sizes)


def _with_ones(symbols: Sequence[str]) -> Iterator[dict[str, int]]:
    """Yield sizes where a batch is one, then such where every dimension is but one, then ones."""
    for size in _FIRST:
        yield {symbol: 1 if is_batch(symbol, place) else size for place, symbol in enumerate(symbols)}
    for size in _ALONE:
        for symbol in symbols:
            yield dict.fromkeys(symbols, 1) | {symbol: size}
    yield dict.fromkeys(symbols, 1)


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


@dataclass(frozen=True)
class _Probe:
    """A model that is run to see at which sizes it does."""

    inputs: tuple[TensorSpec, ...]
    run: Run

    @property
    def symbols(self) -> tuple[str, ...]:
        return Signature(self.inputs, ()).symbols

    def base(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return sizes, one a dimension and no two alike, at which the model runs, with finite outputs if it can."""
        errors, silent = [], []
        for size in _FIRST:
            step = 1 if size % 32 else 32
            sizes = {
                symbol: 2 if is_batch(symbol, place) else size + step * place for place, symbol in enumerate(symbols)
            }
            try:
                answer = self.answer(sizes)
            except IsoformError as error:
                errors.append(error)
                continue
            if len(_says(answer)) == len(answer):
                return sizes
            silent.append(sizes)
        if silent:
            return silent[0]
        raise errors[0]

    def runs(self, sizes: Mapping[str, int]) -> bool:
        """Return whether the model runs at these sizes."""
        try:
            self.answer(sizes)
        except IsoformError:
            return False
        return True

    def workable(self, symbol: str, base: Mapping[str, int]) -> tuple[int, ...]:
        """Return at least `_ENOUGH` sizes at which one dimension runs, the usual ones first; fewer if there are not.

        What is too small for a network may leave it nothing to compute with: where an output is empty or not finite,
        and is not at ``base``, the size does not count.
        """
        usual, says = usual_sizes(symbol), _says(self.answer(base))
        found: list[int] = []
        for position, size in enumerate(dict.fromkeys(chain(usual, _MORE, [base[symbol]]))):
            if position >= len(usual) and len(found) >= _ENOUGH:
                break
            try:
                answer = self.answer({**base, symbol: size})
            except IsoformError:
                continue
            if says <= _says(answer):
                found.append(size)
        return tuple(found) or (base[symbol],)

    def answer(self, sizes: Mapping[str, int]) -> Mapping[str, Any]:
        """Return the outputs at these sizes, or raise IsoformError with the reason why there are none."""
        arrays = {spec.name: example(spec, spec.sizes(sizes)) for spec in self.inputs}
        try:
            return self.run(arrays)
        except (MemoryError, IsoformError):
            raise
        except Exception as error:  # runtimes and user code raise types of their own; all mean that it does not run
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            at = ", ".join(f"{name}={size}" for name, size in sizes.items()) or "fixed sizes"
            raise IsoformError(
                f"The model does not run on its declared inputs at {at}: {type(error).__name__}: {reason}",
                "Correct --input: order, dtype, shape; a number for an axis that has to have one size.",
                kind=_DOES_NOT_RUN,
            ) from error


def _says(answer: Mapping[str, Any]) -> set[str]:
    """Return the outputs, arrays or tensors, that hold numbers, and only finite ones."""
    arrays = {name: np.asarray(output) for name, output in answer.items()}
    return {
        name for name, array in arrays.items() if array.size and (array.dtype.kind != "f" or np.isfinite(array).all())
    }


def is_batch(symbol: str, place: int) -> bool:
    """Tell whether a dynamic dimension counts samples: by its name, or as the first of all."""
    return place == 0 or symbol in BATCH_NAMES


def _distinct(sizes: Mapping[str, tuple[int, ...]], base: Mapping[str, int]) -> dict[str, int]:
    """Return for each dimension a size other than in ``base``, and other than that of its neighbours if it can be."""
    chosen: dict[str, int] = {}
    for symbol, known in sizes.items():
        others = [size for size in known if size != base[symbol]]
        free = [size for size in others if size not in chosen.values() and size > 1]
        if not others:
            raise IsoformError(
                f"The model runs with '{symbol}' = {base[symbol]} only, of the sizes that were tried.",
                f"Declare a number for it in --input, for example {base[symbol]}.",
                kind=_FROZEN,
            )
        chosen[symbol] = (free or others)[0]
    return chosen


def _tied(dim: Dim, axis: int) -> Dim:
    return dim if isinstance(dim, int) else "batch" if axis == 0 else f"dim_{axis}"


def _output(name: str, runs: list[tuple[Mapping[str, int], Mapping[str, Any]]]) -> TensorSpec:
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
