"""What tracing cannot see: Python that decides by a traced tensor, so that one branch of two is written down.

A trace is watched while it is made. A decision by values of the inputs is refused: the trace would keep what the
example happened to take. A decision by sizes is refused where the sizes are dynamic and other sizes could decide
otherwise; two dynamic sizes that are equal at both traced sizes are one size. A statement that only raises
(``assert``, ``if ...: raise``) is let pass. Not aware of formats.
"""

import linecache
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from isoform.errors import IsoformError

_CONVERSIONS = {"__bool__", "__int__", "__float__", "__index__", "item", "tolist", "numpy"}
_COMPARISONS = {"__gt__", "__lt__", "__ge__", "__le__", "__eq__", "__ne__", "gt", "lt", "ge", "le", "eq", "ne"}
_BY_SHAPE = {
    "aten::size", "aten::dim", "aten::numel", "aten::len", "aten::zeros_like", "aten::ones_like", "aten::full_like",
    "aten::empty_like", "aten::new_zeros", "aten::new_ones", "aten::new_full", "aten::new_empty", "prim::dtype",
}  # fmt: skip
"""Operators whose result does not depend on the values of their tensor."""
_TORCH = str(Path(torch.__file__).parent)
_PACKAGE = str(Path(__file__).parents[1])
_INTERNAL = (__file__, f"{_TORCH}/_tensor.py", f"{_TORCH}/overrides.py", f"{_TORCH}/utils/_device.py")
_SHOWN = 3


@dataclass(frozen=True)
class Decision:
    """One conversion of a traced tensor to a Python value.

    Attributes:
        place: file, line and statement of the model's own code.
        is_by_value: values of an input decide, not sizes alone.
        operands: what was compared, where a comparison was converted and both sides are numbers.
        is_equality: the comparison was for equality.
    """

    place: str
    is_by_value: bool
    operands: tuple[float, ...] = ()
    is_equality: bool = False


class Watch(TorchFunctionMode):
    """Notes the decisions that a module's Python takes while it is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions: list[Decision] = []
        self._inputs: set[int] = set()  # unique numbers; names change while a graph is traced
        self._compared: dict[int, tuple[torch.Tensor, tuple[float, ...], bool]] = {}

    def inputs(self, tensors: Sequence[torch.Tensor]) -> None:
        """Take ``tensors`` for the inputs of the trace that is being made; without one, nothing is watched."""
        if torch.jit.is_tracing():
            self._inputs = {torch._C._get_value_trace(tensor).unique() for tensor in tensors}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _CONVERSIONS and self._inputs and torch.jit.is_tracing() and isinstance(args[0], torch.Tensor):
            self._note(args[0], sys._getframe(1))
        result = func(*args, **(kwargs or {}))
        if name in _COMPARISONS and isinstance(result, torch.Tensor) and result.ndim == 0:
            operands = tuple(float(arg) for arg in args if _is_number(arg))
            # The tensor is kept as well: its id is not given to another one meanwhile.
            self._compared[id(result)] = result, operands, name.strip("_") in ("eq", "ne")
        return result

    def _note(self, tensor: torch.Tensor, frame: FrameType) -> None:
        value = torch._C._get_value_trace(tensor)
        is_by_value = _reaches(value, self._inputs)
        _, operands, is_equality = self._compared.get(id(tensor), (None, (), False))
        if (is_by_value or operands) and not _only_raises(frame):
            self.decisions.append(Decision(place(frame), is_by_value, operands, is_equality))


def refuse_decisions(trace: Callable[[int], Sequence[Decision]]) -> None:
    """Refuse a module whose Python decides by what it is given.

    Args:
        trace: returns the decisions of a trace, made at the sizes number 0 or number 1.

    Raises:
        IsoformError: the trace would be right for some inputs only; the lines are named.
    """
    first = trace(0)
    by_value = [decision.place for decision in first if decision.is_by_value]
    if by_value:
        raise _refusal("values of its inputs", by_value)
    if not first:
        return
    second = trace(1)
    if [decision.place for decision in first] != [decision.place for decision in second]:
        raise _refusal("its sizes", [decision.place for decision in first])
    by_size = [one.place for one, other in zip(first, second, strict=True) if not _is_settled(one, other)]
    if by_size:
        raise _refusal("its sizes", by_size)


def _is_settled(one: Decision, other: Decision) -> bool:
    """Return whether a comparison comes out alike at all sizes: of fixed sizes, or of one size with itself."""
    if one.operands == other.operands:
        return True
    return one.is_equality and len(set(one.operands)) == len(set(other.operands)) == 1


def _refusal(what: str, places: Sequence[str]) -> IsoformError:
    places = list(dict.fromkeys(places))
    listed = "; ".join(places[:_SHOWN]) + (f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")
    return IsoformError(
        f"The model decides in Python by {what}, and a trace keeps one branch of it: {listed}",
        "Write the decision with torch.where or torch.cond, script that part (torch.jit.script), or fix the dimension.",
        kind="control-flow",
    )


def _is_number(arg: Any) -> bool:
    return isinstance(arg, (int, float)) or (isinstance(arg, torch.Tensor) and arg.ndim == 0)


def _reaches(value: torch._C.Value, inputs: set[int]) -> bool:
    """Return whether ``value`` is computed from the values, not only from the sizes, of one of ``inputs``."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        number = value.unique()
        if number in inputs:
            return True
        node = value.node()
        if number not in seen and node.kind() not in _BY_SHAPE:
            pending.extend(node.inputs())
        seen.add(number)
    return False


def _frames(frame: FrameType | None) -> list[FrameType]:
    frames = []
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_INTERNAL):
            frames.append(frame)
        frame = frame.f_back
    return frames


def place(frame: FrameType) -> str:
    """Return the innermost line outside PyTorch; where PyTorch's own code decides, who called it is what helps."""
    frames = _frames(frame)
    own = [frame for frame in frames if not frame.f_code.co_filename.startswith(_TORCH)]
    chosen = (own or frames)[0]
    return _shown(chosen.f_code.co_filename, chosen.f_lineno)


def raised_at(error: BaseException) -> str | None:
    """Return the innermost line outside PyTorch and of this package that ``error`` came through, None without one."""
    lines = [(entry.filename, entry.lineno or 0) for entry in traceback.extract_tb(error.__traceback__)]
    own = [line for line in lines if not line[0].startswith((_TORCH, _PACKAGE))]
    return _shown(*own[-1]) if own else None


def _shown(path: str, line: int) -> str:
    return f"{Path(path).name}:{line} `{linecache.getline(path, line).strip()}`"


def _only_raises(frame: FrameType) -> bool:
    """Return whether the statement that decides does nothing but raise."""
    innermost = _frames(frame)[0]
    path, line = innermost.f_code.co_filename, innermost.f_lineno
    if linecache.getline(path, line).lstrip().startswith(("assert ", "assert(")):
        return True
    return linecache.getline(path, line + 1).lstrip().startswith("raise ")
