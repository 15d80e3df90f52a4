"""Where the operators of one artifact ran, and on which numbers: the record ``placement`` of ``bench.json``.

Not aware of how a runtime was asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FLOAT, INTEGER, NONE = "float", "integer", "none"
NOT_TOLD = "not told"
"""The target of operators of which the runtime does not say where they ran."""
INSERTED = ("casts", "copies", "transposes", "quantize", "dequantize")


@dataclass(frozen=True)
class PlacedNode:
    """One operator as it ran in one inference.

    Attributes:
        target: the provider or delegate, `NOT_TOLD` where that is open.
        arithmetic: what its multiply-accumulates are of: `FLOAT` or `INTEGER`; `NONE` for an operator without any.
        dtype: of its first input.
        macs: multiply-accumulates over all its runs, padding of the kernel included; None where sizes are not known.
        runs: how often it ran; time_ns: how long, all runs together; None where the runtime does not say.
    """

    name: str
    operator: str
    target: str
    arithmetic: str
    dtype: str | None = None
    macs: int | None = 0
    runs: int | None = None
    time_ns: int | None = None


@dataclass(frozen=True)
class Placement:
    """Where everything ran.

    Attributes:
        target: the provider or delegate that was asked for.
        inserted: by a name of `INSERTED`, operators that the runtime added to those of the file.
        partitions: pieces of the graph that a delegate took.
    """

    target: str
    nodes: tuple[PlacedNode, ...]
    inserted: Mapping[str, int]
    partitions: int | None = None

    def is_off_target(self, node: PlacedNode) -> bool:
        """Return whether a node is known to have run elsewhere."""
        return node.target not in (self.target, NOT_TOLD)

    def mac_share(self, is_meant: Callable[[PlacedNode], bool]) -> float | None:
        """Return the share of multiply-accumulates in some nodes; None without any, or where some are not known."""
        return _share([(node.macs, is_meant(node)) for node in self.nodes])

    def time_share(self, is_meant: Callable[[PlacedNode], bool]) -> float | None:
        """Return the share of all operators' time in some nodes; None where the runtime does not tell times."""
        return _share([(node.time_ns, is_meant(node)) for node in self.nodes])

    def to_json(self) -> dict[str, Any]:
        return {
            "is_known": True, "reason": None, "target": self.target, "partitions": self.partitions,
            "nodes": [asdict(node) for node in self.nodes], "summary": self._summary(),
        }  # fmt: skip

    def _summary(self) -> dict[str, Any]:
        elsewhere = [node.operator for node in self.nodes if self.is_off_target(node)]
        known = [node.macs for node in self.nodes if node.macs is not None]
        return {
            "nodes": len(self.nodes),
            "off_target": len(elsewhere),
            "not_told": sum(node.target == NOT_TOLD for node in self.nodes),
            "off_target_operators": {name: elsewhere.count(name) for name in dict.fromkeys(elsewhere)},
            "inserted": {name: self.inserted.get(name, 0) for name in INSERTED},
            "macs": sum(known) if len(known) == len(self.nodes) else None,
            "mac_share_off_target": self.mac_share(self.is_off_target),
            "mac_share_not_told": self.mac_share(lambda node: node.target == NOT_TOLD),
            "mac_share_integer": self.mac_share(lambda node: node.arithmetic == INTEGER),
            "mac_share_float": self.mac_share(lambda node: node.arithmetic == FLOAT),
            "time_share_off_target": self.time_share(self.is_off_target),
            "time_share_float": self.time_share(lambda node: node.arithmetic == FLOAT),
        }


def _share(amounts: list[tuple[int | None, bool]]) -> float | None:
    whole = meant = 0
    for amount, is_meant in amounts:
        if amount is None:
            return None
        whole += amount
        meant += amount * is_meant
    return meant / whole if whole else None
