"""How control flow stays control flow in TorchScript: bodies are traced, the branch or loop around them is scripted.

A module that is being traced pauses, traces the body with the values at hand, and calls a scripted function in which
the traced body stands; that call is recorded with its loop. Outside of tracing the same functions run as Python.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from isoform.errors import IsoformError

Body = Callable[[list[Tensor]], list[Tensor]]


@contextmanager
def paused() -> Iterator[None]:
    """Leave the trace that is being made, and take it up again afterwards: traces do not nest by themselves."""
    state, modules = torch._C._get_tracing_state(), torch.jit._trace._trace_module_map
    torch._C._set_tracing_state(None)
    torch.jit._trace._trace_module_map = None
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)
        torch.jit._trace._trace_module_map = modules


def traced(label: str, body: Callable[..., Any], values: Sequence[Any]) -> Body:
    """Return ``body`` as a traced function of one list of tensors, ``values`` for example.

    Raises:
        IsoformError: a value that is no tensor, or a body that does not run on ``values``.
    """
    if not all(isinstance(value, torch.Tensor) for value in values):
        raise frozen(label, "a sequence or an optional in control flow")
    with paused(), torch.no_grad():
        examples = [value.detach().clone() for value in values]
        try:
            return torch.jit.trace(lambda given: body(*given), (examples,), check_trace=False, strict=False)
        except (RuntimeError, TypeError, IndexError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise IsoformError(
                f"{label}: does not run on the example that the module is traced with ({reason}).",
                "Trace it with an example on which it runs.",
                kind="trace",
            ) from error


def traced_branch(label: str, branch: Callable[..., Any], values: Sequence[Any], *, is_taken: bool) -> Body:
    """Return a branch as `traced` does; one that does not run on these values, and is not taken, fails when taken."""
    try:
        return traced(label, lambda _, *captured: branch(*captured), values)
    except IsoformError as error:
        if is_taken:
            raise
        return _failing(error.what)


def _failing(reason: str) -> Body:
    lines = [
        "def run(values: List[Tensor]) -> List[Tensor]:",
        f"  raise RuntimeError({reason!r})",
        "  return values",
    ]
    with paused():
        function: Body = torch.jit.CompilationUnit("\n".join([*lines, ""])).run
    return function


def frozen(label: str, what: str) -> IsoformError:
    return IsoformError(
        f"{label}: TorchScript would freeze {what}.",
        "Call the module as it is, or export to ONNX.",
        kind="unsupported-operator",
    )


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    if not torch.jit.is_tracing():
        return function
    with paused():
        return torch.jit.script(function)


def choice(then_branch: Body, else_branch: Body) -> Callable[..., list[Tensor]]:
    """Return a function of a condition and the values of each branch."""

    def run(condition: Tensor, then_values: list[Tensor], else_values: list[Tensor]) -> list[Tensor]:
        return then_branch(then_values) if bool(condition) else else_branch(else_values)

    return _compiled(run)


def loop(body: Body) -> Callable[..., list[Tensor]]:
    """Return a function that repeats ``body`` while it says so: the carried values, then what it gave out, stacked."""

    def run(
        rounds: Tensor,
        goes_on: Tensor,
        carried: list[Tensor],
        captured: list[Tensor],
        blanks: list[Tensor],
    ) -> list[Tensor]:
        rows = [[blank] for blank in blanks]
        count = len(carried)
        last = int(rounds)
        again = bool(goes_on)
        index = 0
        while again and index < last:
            results = body([torch.tensor(index), torch.tensor(again)] + carried + captured)  # noqa: RUF005
            again = bool(results[0])
            carried = results[1 : 1 + count]
            for place, row in enumerate(rows):
                row.append(results[1 + count + place].unsqueeze(0))
            index += 1
        for row in rows:
            carried.append(torch.cat(row[1:]) if index > 0 else row[0])
        return carried

    return _compiled(run)


def scan(body: Body) -> Callable[..., list[Tensor]]:
    """Return a function that gives ``body`` the elements of arrays: the states, then what it gave out, stacked."""

    def run(
        states: list[Tensor],
        arrays: list[Tensor],
        captured: list[Tensor],
        blanks: list[Tensor],
    ) -> list[Tensor]:
        rows = [[blank] for blank in blanks]
        count = len(states)
        length = arrays[0].shape[0]
        for index in range(length):
            results = body(states + [array[index] for array in arrays] + captured)
            states = results[:count]
            for place, row in enumerate(rows):
                row.append(results[count + place].unsqueeze(0))
        for row in rows:
            states.append(torch.cat(row[1:]) if length > 0 else row[0])
        return states

    return _compiled(run)
