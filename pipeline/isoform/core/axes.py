"""Dynamic axes one by one: kept, frozen or wrong, at which sizes that was seen, and what the runtime says it broke on.

Not aware of files: it looks at what was declared, what a runtime read, and what ran.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isoform.core.cases import Tensors
from isoform.core.signature import Signature, TensorSpec

KEPT, FROZEN, WRONG = "kept", "frozen", "wrong"
_OPERATORS = (
    re.compile(r"while running (?P<op>\w+) node\. Name:'(?P<node>[^']*)'"),  # ONNX Runtime
    re.compile(r"Node number (?P<node>\d+) \((?P<op>\w+)\)"),  # LiteRT
    re.compile(r"\{\{node (?P<node>[^}]+)\}\}()(?P<op>)"),  # TensorFlow
    re.compile(r"torch\.(?P<op>\w+)\((?P<node>[^)]*)\)"),  # TorchScript: its own code, constants included
)


@dataclass(frozen=True)
class Axis:
    """What became of one dynamic axis of an input or output.

    Attributes:
        name: of the dimension.
        tried: the sizes that it was given, or had to have.
        failed: those at which the file does not run, or gives another size.
        by: the operator that breaks there with its constant, as the runtime names them; "" where it names none.
    """

    tensor: str
    axis: int
    name: str
    verdict: str
    tried: tuple[int, ...]
    failed: tuple[int, ...] = ()
    by: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"tensor": self.tensor, "axis": self.axis, "name": self.name, "verdict": self.verdict,
                "tried": list(self.tried), "failed": list(self.failed), "by": self.by}  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Axis":
        return cls(**{**record, "tried": tuple(record["tried"]), "failed": tuple(record["failed"])})

    @property
    def told(self) -> str:
        """One line for people."""
        where = f"axis {self.axis} of '{self.tensor}' ('{self.name}'): {self.verdict}"
        failed = f", not at {', '.join(map(str, self.failed))}" if self.failed else ""
        return f"{where}; tried {', '.join(map(str, self.tried))}{failed}{f'; {self.by}' if self.by else ''}"


def axes(
    declared: Signature,
    found: Signature,
    inputs: Sequence[Tensors],
    reference: Sequence[Tensors],
    outputs: Mapping[int, Tensors],
    failures: Mapping[int, str],
) -> tuple[Axis, ...]:
    """Return every dynamic axis of ``declared``, inputs first.

    Args:
        found: what the runtime read from the file.
        reference: what the source answers to each of ``inputs``.
        outputs: what the export answers, by case; failures: why a case did not run.
    """
    made = [
        _input(spec, axis, _static(spec, axis, found.inputs), inputs, failures)
        for spec in declared.inputs for axis, dim in enumerate(spec.shape) if isinstance(dim, str)
    ]  # fmt: skip
    made += [
        _output(spec, axis, reference, outputs)
        for spec in declared.outputs for axis, dim in enumerate(spec.shape) if isinstance(dim, str)
    ]  # fmt: skip
    return tuple(made)


def _input(
    spec: TensorSpec, axis: int, static: int | None, inputs: Sequence[Tensors], failures: Mapping[int, str]
) -> Axis:
    sizes = [case[spec.name].shape[axis] for case in inputs]
    ran = {size for case, size in enumerate(sizes) if case not in failures}
    failed = tuple(sorted({size for size in sizes if size not in ran}))
    tried = tuple(sorted(set(sizes)))
    by = next((_named(failures[case]) for case, size in enumerate(sizes) if case in failures and size in failed), "")
    if static is not None:
        wrong = tuple(size for size in tried if size != static)
        return Axis(spec.name, axis, str(spec.shape[axis]), FROZEN, tried, wrong, by or f"the file says {static}")
    return Axis(spec.name, axis, str(spec.shape[axis]), FROZEN if failed else KEPT, tried, failed, by)


def _output(spec: TensorSpec, axis: int, reference: Sequence[Tensors], outputs: Mapping[int, Tensors]) -> Axis:
    wanted = [case[spec.name].shape[axis] for case in reference]
    pairs = [
        (wanted[case], answer[spec.name].shape[axis])
        for case, answer in outputs.items()
        if spec.name in answer and answer[spec.name].ndim == len(spec.shape)
    ]
    right = {size for size, given in pairs if size == given} - {size for size, given in pairs if size != given}
    tried = tuple(sorted(set(wanted)))
    failed = tuple(size for size in tried if size not in right)
    given = sorted({size for _, size in pairs})
    verdict = KEPT if not failed else WRONG if len(given) > 1 and any(size != each for size, each in pairs) else FROZEN
    by = f"it is {', '.join(map(str, given))}" if failed else ""
    return Axis(spec.name, axis, str(spec.shape[axis]), verdict, tried, failed, by)


def _static(spec: TensorSpec, axis: int, found: Sequence[TensorSpec]) -> int | None:
    other = next((each for each in found if each.name == spec.name and len(each.shape) == len(spec.shape)), None)
    size = other.shape[axis] if other is not None else None
    return size if isinstance(size, int) else None


def _named(reason: str) -> str:
    """Return which operator a runtime says it broke on, and what it says of it."""
    for pattern in _OPERATORS:
        match = pattern.search(reason)
        if match is not None:
            node, op = match["node"], match["op"]
            return f"{f'{op} ' if op else ''}'{node}': {reason[match.end() :].strip() or reason}"
    return reason
