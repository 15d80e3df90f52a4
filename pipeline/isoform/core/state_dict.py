"""What people wrap a state dict in, and how it comes off: training records, averaged weights, wrappers' prefixes.

Nothing is guessed against the network: a prefix comes off only where more of the network's own names are found without
it, and every step is told. Not aware of PyTorch: what a tensor is, the caller says.
"""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RECORDS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params",
)  # fmt: skip
"""Keys under which training records keep the weights, most telling first."""
AVERAGED = ("ema_state_dict", "state_dict_ema", "model_ema", "model_ema_state_dict", "params_ema", "ema")
"""Keys of exponential moving averages of the weights."""
PREFIXES = ("module.", "model.", "_orig_mod.", "ema_model.", "net.", "network.", "averaged_model.", "ema.")
"""What DistributedDataParallel, Lightning, torch.compile and averaging wrappers put before each name."""
_COMPILED = "_orig_mod."
_COUNTERS = ("n_averaged", "num_updates", "decay")
"""What averaging wrappers keep beside the weights."""
_SHOWN = 5
_DEEPEST = 8


@dataclass(frozen=True)
class Unwrapped:
    """A state dict and how it was come by.

    Attributes:
        steps: one sentence for people each.
    """

    tensors: Mapping[str, Any]
    steps: tuple[str, ...]


def unwrap_record(found: Any, is_tensor: Callable[[Any], bool]) -> Unwrapped | None:
    """Return the state dict in a training record; None where there is none."""
    steps: list[str] = []
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping):
            return None
        key = next((key for key in (*RECORDS, *AVERAGED) if _holds_tensors(found.get(key), is_tensor)), None)
        if key is None:
            break
        steps.append(f"took the weights under '{key}'")
        averaged = [name for name in AVERAGED if name != key and _holds_tensors(found.get(name), is_tensor)]
        if averaged:
            steps.append(f"left the averaged weights under '{averaged[0]}' (save them alone to convert them)")
        found = found[key]
    tensors = {str(name): value for name, value in found.items() if is_tensor(value)}
    others = [str(name) for name in found if str(name) not in tensors]
    if others and tensors:
        steps.append(f"left out what is no tensor: {shown(others)}")
    return Unwrapped(tensors, tuple(steps)) if tensors else None


def _holds_tensors(found: Any, is_tensor: Callable[[Any], bool], depth: int = 0) -> bool:
    if not isinstance(found, Mapping) or depth > _DEEPEST:
        return False
    return any(is_tensor(value) for value in found.values()) or any(
        _holds_tensors(found.get(key), is_tensor, depth + 1) for key in (*RECORDS, *AVERAGED)
    )


def fit_names(state: Mapping[str, Any], wanted: Collection[str]) -> Unwrapped:
    """Return ``state`` under the names that the network has, prefixes taken off as far as more names fit without."""
    tensors, names = dict(state), set(wanted)
    steps: list[str] = []
    for _ in range(_DEEPEST):
        step = _better(tensors, names)
        if step is None:
            break
        steps.append(step.text)
        is_whole = names <= set(step.inside)
        if is_whole and step.outside:
            steps.append(f"left out {len(step.outside)} outside of it: {shown(list(step.outside))}")
        tensors = dict(step.inside) if is_whole else {**step.outside, **step.inside}
    return Unwrapped(tensors, tuple(steps))


@dataclass(frozen=True)
class _Step:
    inside: Mapping[str, Any]
    outside: Mapping[str, Any]
    text: str


def _better(tensors: Mapping[str, Any], names: set[str]) -> _Step | None:
    """Return the prefix to take off: the one that lets most names fit, or the one around all where none fits yet."""
    fitting = len(names & set(tensors))
    best = max((_without(tensors, prefix) for prefix in PREFIXES), key=lambda step: len(names & set(step.inside)))
    if len(names & set(best.inside)) > fitting:
        return best
    rest = [name for name in tensors if name not in _COUNTERS]
    around = next((prefix for prefix in PREFIXES if rest and all(name.startswith(prefix) for name in rest)), None)
    return _without(tensors, around) if around is not None and fitting == 0 else None


def _without(tensors: Mapping[str, Any], prefix: str) -> _Step:
    inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    outside = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    if prefix != _COMPILED:
        return _Step(inside, outside, f"took '{prefix}' off {len(inside)} names")
    # a part of the network may have been compiled alone: the word then stands inside of names
    without = {name.replace(_COMPILED, ""): value for name, value in tensors.items()}
    is_lossless = len(without) == len(tensors)
    return _Step(without if is_lossless else tensors, {}, f"took '{_COMPILED}' out of the names")


def differences(wanted: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]]) -> list[str]:
    """Return what keeps a state dict from fitting: counts, first names, and what names are near; empty if it fits.

    Args:
        wanted: the shape of each tensor of the network.
        found: the shape of each tensor of the file.
    """
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    misshapen = [
        f"{name} {list(found[name])}, the network has {list(shape)}"
        for name, shape in wanted.items()
        if name in found and list(found[name]) != list(shape)
    ]
    problems = [
        f"{len(names)} {word}: {shown(names)}"
        for word, names in (("missing", missing), ("unexpected", extra), ("misshapen", misshapen))
        if names
    ]
    near = [(name, difflib.get_close_matches(name, extra, 1)) for name in missing[:_SHOWN]]
    matches = [f"'{matched[0]}' for '{name}'" for name, matched in near if matched]
    return [*problems, f"near names in the file: {', '.join(matches)}"] if matches else problems


def shown(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
