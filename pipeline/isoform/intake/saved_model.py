"""What a SavedModel would do beyond computing, told from its bytes before TensorFlow reads them.

Its operators have to be among those listed in saved_model_operators.txt: of the operators that TensorFlow 2.21
registers, those that work on tensors, variables and tables in memory. What reads or writes files, talks to other
machines, calls Python, or is a custom operator is not there.
"""

import functools
import mmap
from importlib.resources import files
from pathlib import Path

from isoform.intake import saved_model_graph
from isoform.intake.saved_model_graph import Graph, Node
from isoform.intake.zip_archive import refusal

_SAVERS = ("SaveV2", "RestoreV2", "MergeV2Checkpoints")
"""They write and read checkpoints; every SavedModel has them to be saved again, none that it serves."""
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_INDEX = "variables/variables.index"


def reaching_out(folder: Path) -> tuple[str, ...]:
    """Return which operators in the SavedModel reach out of it, or may for all that is known here; sorted.

    Raises:
        IsoformError: the graph is truncated or damaged, or its variables are missing.
    """
    graph = _read(folder / "saved_model.pb")
    nodes = list(graph.all_nodes())
    found = {name for node in nodes for name in (node.operator, *node.inner)}
    _refuse_missing_variables(folder, found)
    unknown = found - _computing() - set(_SAVERS) - set(graph.functions)
    inner = {name for node in nodes for name in node.inner}
    return tuple(sorted(unknown | (inner & set(_SAVERS)) | _served_savers(graph)))


def refuse_reaching_out(folder: Path) -> None:
    """Refuse a SavedModel that does more than compute: reads or writes files, talks to other machines, calls Python.

    Raises:
        IsoformError: the operators are named.
    """
    found = reaching_out(folder)
    if found:
        raise refusal(
            folder,
            f"its graph or one of its functions has {', '.join(found)}, which may do more than compute.",
            "Save the model without its input pipeline; a file's contents belong into a constant or an asset.",
            "unsafe-graph",
        )


@functools.cache
def _computing() -> frozenset[str]:
    return frozenset((files("isoform.intake") / "saved_model_operators.txt").read_text().split())


def _read(path: Path) -> Graph:
    size = path.stat().st_size
    if size == 0:
        raise refusal(path, "truncated: the file is empty.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            graph = saved_model_graph.read(data)
        except ValueError as error:
            raise refusal(path, f"truncated or damaged: no graph of a SavedModel ({error}).") from error
    if graph.length > size:
        raise refusal(path, f"truncated: the file should have {graph.length} bytes, it has {size}.")
    if not graph.nodes:
        raise refusal(path, "truncated: there is no graph in it.")
    return graph


def _refuse_missing_variables(folder: Path, operators: set[str]) -> None:
    if not operators & set(_VARIABLES):
        return
    index = folder / _INDEX
    data = list(index.parent.glob("variables.data-*"))
    missing = _INDEX if not index.is_file() else "variables/variables.data-00000-of-00001"
    if not index.is_file() or not data:
        raise refusal(
            folder,
            f"its variables are missing: no {missing}.",
            "Copy the whole folder, with variables/ in it.",
            "no-file",
        )


def _served_savers(graph: Graph) -> set[str]:
    """Return the operators that write or read checkpoints where something that is served leads to them."""
    saving = {name: _savers(nodes) for name, nodes in graph.functions.items()}
    reached = {name for nodes in graph.functions.values() for node in nodes for name in _called(node)}
    by_name = {node.name: node for node in graph.nodes}
    waiting, seen = list(graph.entries), set(graph.entries)
    served = set[str]()
    while waiting:
        node = by_name.get(waiting.pop())
        if node is not None:
            served |= _savers([node])
            reached |= _called(node)
            waiting += [name for name in node.inputs if name not in seen]
            seen |= set(node.inputs)
    return served.union(*(saving.get(name, set()) for name in reached | graph.offered))


def _savers(nodes: list[Node]) -> set[str]:
    return {node.operator for node in nodes} & set(_SAVERS)


def _called(node: Node) -> set[str]:
    return {*node.calls, node.operator}
