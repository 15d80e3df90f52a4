"""Gate 4: does an export of a smaller precision decide as its source does, on samples of its task?

What an output decides depends on its form. One number a row (a probability, a logit) decides for a side; a row of
numbers, or the last axis of what is called scores, logits or probabilities, for the largest of them. Any other output
(an image, features of steps) decides nothing: there a sample agrees if its RMS error is at most `NEAR` of its RMS.

The share of decisions that agree has to be at least `LEAST`, with 95 % certainty: the lower end of the exact binomial
interval over samples (Clopper and Pearson, Biometrika 26, 1934). Where all of n agree that is the share at which they
do so in 5 % of the draws, ``0.05 ** (1 / n)``: 299 are needed to say so of 99 %. A bootstrap over so few that disagree
is too sure of itself: of 512 samples at a true 99 % its lower end is above that in 11 % of the draws.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from isoform.core import generation
from isoform.core.cases import Array, Cases, Tensors
from isoform.core.parity import FAIL, INCONCLUSIVE, PASS, Gate
from isoform.core.signature import Signature, TensorSpec

LEAST = 0.99
NEAR = 0.1
WANTED = 512
"""Samples, where there are so many."""
CALIBRATED = 256
"""Samples that the ranges of activations are taken from."""
TRAINING = "train/"
"""What the names of calibration inputs begin with in a file of samples; the others are of the test data."""
LARGEST_BYTES = 256 << 20
"""Of all samples together: they lie beside the artifact."""
_BATCH = 16
_DOUBT = 0.05
SEED = 20_26
_SCORES = re.compile(r"logit|score|prob|class", re.IGNORECASE)


def fewest() -> int:
    """Return how many samples have to agree where all do."""
    return math.ceil(math.log(_DOUBT) / math.log(LEAST))


def samples(
    signature: Signature, real: Tensors, sizes: Mapping[str, Sequence[int]], count: int = WANTED, seed: int = SEED
) -> Cases:
    """Return at most ``count`` representative inputs in batches: the ``real`` ones, each once, else generated ones.

    Args:
        real: by name, samples along the first axis; empty where there are none. Their other sizes are kept.
        sizes: those that a dynamic dimension can have, where it cannot have the usual ones.
    """
    rng = np.random.default_rng(seed)
    wanted = min((min(len(array), count) for array in real.values()), default=count)
    found: list[dict[str, Array]] = []
    rows, size_bytes = 0, 0
    while rows < wanted and size_bytes < LARGEST_BYTES:
        place = len(found)
        chosen = {symbol: _size(symbol, sizes, place, wanted - rows) for symbol in signature.symbols}
        chosen |= _own_sizes(signature, real)
        case = {
            spec.name: generation.draw(
                spec, "representative", spec.sizes(chosen), rng, _from(real.get(spec.name), rows), 0
            )
            for spec in signature.inputs
        }
        found.append(case)
        rows += _rows(case)
        size_bytes += sum(array.nbytes for array in case.values())
    return Cases(("representative",) * len(found), tuple(found))


def judge(declared: Signature, known: Cases, answers: Sequence[Tensors]) -> Gate:
    """Return the gate for what an export answers to samples.

    Args:
        known: samples with what the source answers.
    """
    gates = []
    for spec in declared.outputs:
        pairs = _pairs(spec, known, answers)
        if len(pairs) < len(known):
            return Gate(FAIL, (f"'{spec.name}' has another shape on {len(known) - len(pairs)} batches of samples",))
        gates.append(_judged(spec.name, np.concatenate(pairs)))
    verdict = next((word for word in (FAIL, INCONCLUSIVE) if word in {gate.verdict for gate in gates}), PASS)
    order = sorted(gates, key=lambda gate: (FAIL, INCONCLUSIVE, PASS).index(gate.verdict))
    return Gate(verdict, tuple(finding for gate in order for finding in gate.findings))


def agreement(declared: Signature, known: Cases, answers: Sequence[Tensors]) -> tuple[float, float]:
    """Return the share of decisions that agree at the output where fewest do, and what it is at least (95 %).

    Where all agree that is 1: how many samples there are is asked by `judge`, not while something is searched for.
    """
    columns = [np.concatenate(_pairs(spec, known, answers)) for spec in declared.outputs]
    ends = [(float(column.mean()), interval(column)[0] if column.min() < 1 else 1.0) for column in columns]
    return min(ends, key=lambda pair: pair[1])


def _pairs(spec: TensorSpec, known: Cases, answers: Sequence[Tensors]) -> list[Array]:
    """Return the share of decisions that agree, by sample, of each batch whose output has the shape it should have."""
    assert known.source is not None
    return [
        _agreeing(spec, teacher[spec.name], answer[spec.name], _rows(case))
        for case, teacher, answer in zip(known.inputs, known.source, answers, strict=True)
        if spec.name in answer and answer[spec.name].shape == teacher[spec.name].shape
    ]


def interval(agreeing: Array) -> tuple[float, float]:
    """Return the exact 90 % interval of the mean share: each end holds with 95 % certainty.

    A sample whose steps agree in part counts by its share, the sum rounded against the end that is asked for.
    """
    count, agreed = len(agreeing), float(agreeing.sum())
    low = _share_at(lambda share: 1 - _at_most(math.floor(agreed) - 1, count, share) >= _DOUBT)
    high = _share_at(lambda share: _at_most(math.ceil(agreed), count, share) < _DOUBT)
    return low if agreed >= 1 else 0.0, high if agreed < count else 1.0


def _share_at(holds: Callable[[float], bool]) -> float:
    """Return the least share for which ``holds``, which is false below it and true above, to 1e-12."""
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _at_most(wanted: int, count: int, share: float) -> float:
    """Return the probability that at most ``wanted`` of ``count`` agree, each with the probability ``share``."""

    def logarithm(agreed: int) -> float:
        ways = math.lgamma(count + 1) - math.lgamma(agreed + 1) - math.lgamma(count - agreed + 1)
        return ways + agreed * math.log(share) + (count - agreed) * math.log1p(-share)

    return sum(math.exp(logarithm(agreed)) for agreed in range(wanted + 1))


def _judged(name: str, agreeing: Array) -> Gate:
    count, share = len(agreeing), float(agreeing.mean())
    low, high = interval(agreeing)
    told = f"'{name}': {share:.2%} of the decisions on {count} samples are the source's"
    if high < LEAST:
        return Gate(FAIL, (f"{told}, at most {high:.2%} where {LEAST:.0%} are wanted",))
    if low < LEAST:
        more = f"{fewest()} that all agree would do" if count < fewest() else "more samples would tell"
        return Gate(INCONCLUSIVE, (f"{told}; they leave open {low:.2%} to {high:.2%}: {more}",))
    return Gate(PASS, (f"{told}, at least {low:.2%}",))


def _agreeing(spec: TensorSpec, teacher: Array, found: Array, rows: int) -> Array:
    """Return the share of decisions that agree, sample by sample."""
    has_rows = teacher.ndim > 0 and len(teacher) == rows
    one, two = (array if has_rows else array[None] for array in (teacher, found))
    if one.dtype.kind != "f":
        return _shares(one == two)
    if not np.isfinite(two).all() and np.isfinite(one).all():
        return np.zeros(len(one))
    if one.ndim == 1 or one.shape[-1] == 1:
        border = 0.5 if one.min() >= 0 and one.max() <= 1 else 0.0
        return _shares((one >= border) == (two >= border))
    if one.ndim == 2 or _SCORES.search(spec.name):
        return _shares(one.argmax(-1) == two.argmax(-1))
    wide = one.reshape(len(one), -1).astype(np.float64), two.reshape(len(two), -1).astype(np.float64)
    error, scale = np.square(wide[1] - wide[0]).mean(1), np.square(wide[0]).mean(1)
    near: Array = (error <= NEAR**2 * scale).astype(np.float64)
    return near


def _shares(is_equal: Array) -> Array:
    shares: Array = is_equal.reshape(len(is_equal), -1).mean(1)
    return shares


def _own_sizes(signature: Signature, real: Tensors) -> dict[str, int]:
    """Return the sizes of dynamic dimensions that real samples have, their number apart."""
    return {
        dim: real[spec.name].shape[axis]
        for spec in signature.inputs if spec.name in real
        for axis, dim in enumerate(spec.shape) if axis and isinstance(dim, str)
    }  # fmt: skip


def _size(symbol: str, sizes: Mapping[str, Sequence[int]], place: int, left: int) -> int:
    known = tuple(sizes.get(symbol, ()))
    if symbol in generation.BATCH_NAMES:
        fitting = [size for size in known if size <= _BATCH]
        return max(fitting or known) if known else min(_BATCH, left)
    choices = known or generation.usual_sizes(symbol)
    return choices[place % len(choices)]


def _from(array: Array | None, begin: int) -> Array | None:
    """Return the samples from one on, at least one: `generation.draw` takes the first of them."""
    return None if array is None else array[begin % len(array) :]


def _rows(case: Tensors) -> int:
    first = next(iter(case.values()))
    return len(first) if first.ndim else 1
