"""The table of operators that an emitter carries, and the pre-flight that looks for those it does not.

An emitter owns one `OpTable`; the files of its operator families fill it on import. Not aware of any framework.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import onnx_ir as ir

from isoform.errors import UnsupportedOperator
from isoform.hub.source_line import named

Function = TypeVar("Function", bound=Callable)
ONNX_DOMAIN = ""
CHANNELS_LAST_DOMAIN = "isoform.nhwc"
FUSED_DOMAIN = "isoform.fused"
QUANTIZED_DOMAIN = "isoform.quantized"


@dataclass
class OpTable(Generic[Function]):
    """What a target carries: for each operator, one function for each opset from which its meaning changed.

    Attributes:
        target: the target's name in messages.
        rows: (domain, operator) to (first opset, function), newest opset first.
    """

    target: str
    rows: dict[tuple[str, str], list[tuple[int, Function]]] = field(default_factory=dict)

    def op(self, *names: str, since: int = 1, domain: str = ONNX_DOMAIN) -> Callable[[Function], Function]:
        """Return a decorator that registers a function for ``names`` from opset ``since`` on."""

        def register(function: Function) -> Function:
            for name in names:
                row = self.rows.setdefault((domain, name), [])
                if any(start == since for start, _ in row):
                    raise ValueError(f"{self.target} has two functions for {domain}::{name} since opset {since}")
                row.append((since, function))
                row.sort(key=lambda entry: -entry[0])
            return function

        return register

    def lookup(self, node: ir.Node, opset: int) -> Function | None:
        """Return the function for ``node`` under ``opset``, or None where there is none."""
        for since, function in self.rows.get((node.domain, node.op_type), ()):
            if since <= opset or node.domain != ONNX_DOMAIN:
                return function
        return None

    def carries(self, op_type: str, opset: int) -> bool:
        """Tell whether there is a function for a standard operator under ``opset``."""
        return any(since <= opset for since, _ in self.rows.get((ONNX_DOMAIN, op_type), ()))

    def require(self, model: ir.Model) -> None:
        """Raise UnsupportedOperator that names every node, in sub-graphs too, which has no function here."""
        missing = [
            named(node, opset_text(model, node))
            for node in model.graph.all_nodes()
            if self.lookup(node, opset_of(model, node)) is None
        ]
        if missing:
            raise UnsupportedOperator.of(missing, self.target)

    def listed(self) -> list[dict[str, object]]:
        """Return the standard operators with the opsets at which a function of this table begins."""
        return [
            {"operator": name, "since": sorted(since for since, _ in row)}
            for (domain, name), row in sorted(self.rows.items())
            if domain == ONNX_DOMAIN
        ]


def opset_of(model: ir.Model, node: ir.Node) -> int:
    """Return the version of ``node``'s domain that ``model`` imports; 1 where it imports none."""
    domain = ONNX_DOMAIN if node.domain == "ai.onnx" else node.domain
    return node.version or model.opset_imports.get(domain, 1)


def opset_text(model: ir.Model, node: ir.Node) -> str:
    """Return ``opset 18``, with the domain before it where it is not the standard one."""
    prefix = f"{node.domain} " if node.domain else ""
    return f"{prefix}opset {opset_of(model, node)}"
