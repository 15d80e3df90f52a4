"""The table of builtin operators that are read, and the pre-flight that looks for those that are not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from isoform.errors import UnsupportedOperator
from isoform.hub.importers.tflite_file import TfliteFile

Function = TypeVar("Function", bound=Callable)


class Reading(Enum):
    """What a function is given, and gives, where a tensor is quantised.

    REAL: the numbers that the integers stand for. ALIKE: the integers, where all tensors share scale and zero point,
    else the numbers. STORED: always the tensors as they are stored.
    """

    REAL = "real"
    ALIKE = "alike"
    STORED = "stored"


@dataclass
class ImportTable(Generic[Function]):
    """For each builtin operator, by the schema's name, its function and how that reads quantised tensors."""

    rows: dict[str, tuple[Function, Reading]] = field(default_factory=dict)

    def op(self, *names: str, reading: Reading = Reading.REAL) -> Callable[[Function], Function]:
        """Return a decorator that registers a function for ``names``."""

        def register(function: Function) -> Function:
            for name in names:
                if name in self.rows:
                    raise ValueError(f"two functions for {name}")
                self.rows[name] = function, reading
            return function

        return register

    def require(self, file: TfliteFile) -> None:
        """Raise UnsupportedOperator that names every operator, in all sub-graphs, which has no function here."""
        missing = [
            f"'{operator.name}' (operator {operator.index} of {graph.name or 'the main graph'}, "
            f"version {operator.version})"
            for graph in file.sub_graphs
            for operator in graph.operators
            if operator.name not in self.rows
        ]
        if missing:
            error = UnsupportedOperator.of(missing, "ONNX")
            error.hint = "Export the model without these operators, for example cut before them."
            raise error

    def listed(self) -> list[dict[str, object]]:
        """Return the builtin operators that are read."""
        return [{"operator": name} for name in sorted(self.rows)]
