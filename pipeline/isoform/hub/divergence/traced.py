"""A file as the steps that it consists of: operators as its format counts them, tensors by the hub's names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.artifact import Artifact
from isoform.errors import IsoformError
from isoform.hub import graph
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.source_line import source_line

_SCOPES = "pkg.torch.onnx.name_scopes"
READABLE = ("onnx", "tflite")
"""Formats whose files are read operator by operator."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operator of a file.

    Attributes:
        place: its position in the file.
        title: what people find it by: the node's name, or the tensor that it gives in a TFLite file.
        nodes: what it is in the hub graph.
        inputs: the computed tensors that it reads, inputs of the graph among them; constants are not.
        outputs: what it gives that something reads.
        line: of the source, as far as the exporter noted it; "" where it did not.
    """

    place: int
    op_type: str
    title: str
    nodes: tuple[ir.Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    line: str = ""

    def __str__(self) -> str:
        return f"{self.title} ({self.op_type})"

    @property
    def constants(self) -> list[ir.Value]:
        """The constants that it reads."""
        return [value for node in self.nodes for value in _read(node) if constant(value) is not None]

    @property
    def attributes(self) -> dict[str, object]:
        """What the nodes say of themselves, those of several nodes together."""
        return {
            name: _plain(attribute) for node in self.nodes for name, attribute in node.attributes.items()
            if attribute.type not in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS, ir.AttributeType.TENSOR)
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Traced:
    """A file that was read.

    Attributes:
        steps: in the order in which the file computes them.
        places: of a TFLite file: the tensor in the file that each value is.
    """

    artifact: Artifact
    model: ir.Model
    steps: tuple[Step, ...]
    places: Mapping[str, int] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(str(value.name) for value in self.model.graph.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(str(value.name) for value in self.model.graph.outputs)

    @property
    def makers(self) -> dict[str, Step]:
        """By tensor, the step that gives it."""
        return {name: step for step in self.steps for name in step.outputs}


def read(artifact: Artifact) -> Traced:
    """Return the steps of an ONNX or TFLite file.

    Raises:
        IsoformError: the file cannot be read so.
    """
    if artifact.format == "onnx":
        return of_graph(artifact, graph.load(artifact.model))
    if artifact.format == "tflite":
        return _tflite(artifact)
    raise IsoformError(
        f"{artifact.model.name}: a {artifact.format} file has no operators that can be compared one by one.",
        f"Compare its {' or '.join(READABLE)} file.",
        kind="no-operators",
    )


def of_graph(artifact: Artifact, model: ir.Model) -> Traced:
    """Return the steps of a graph, one a node; functions are inlined."""
    common.RemoveInitializersFromInputsPass()(model)
    common.InlinePass()(model)
    name_nodes(model)
    nodes = [node for node in model.graph if node.op_type != "Constant"]
    steps = [_step(place, node.op_type, str(node.name), [node]) for place, node in enumerate(nodes)]
    return Traced(artifact, model, tuple(steps))


def _tflite(artifact: Artifact) -> Traced:
    from isoform.hub.importers import tflite  # only where LiteRT's schema is there
    from isoform.hub.importers.tflite_entry import entry_of
    from isoform.hub.importers.tflite_file import read as read_file

    file = read_file(Path(artifact.model))
    entry = entry_of(file, artifact.entry)
    model, frame = tflite.as_it_stands(file, entry)
    by_place = {operator.index: operator for operator in frame.graph.operators}
    steps = []
    for place, nodes in groupby(model.graph, key=lambda node: node.meta.get(tflite.OPERATOR, -1)):
        if place == -1:  # gives an output its name
            steps.append(_step(len(by_place), "output", "output", list(nodes)))
            continue
        operator = by_place[place]
        title = frame.graph.tensors[operator.outputs[0]].name
        steps.append(_step(place, operator.name, title, list(nodes)))
    places = dict(entry.outputs) | {str(value.name): place for place, value in frame.values.items()}
    return Traced(artifact, model, tuple(steps), places)


def _step(place: int, op_type: str, title: str, nodes: Sequence[ir.Node]) -> Step:
    own = set(nodes)
    given = [value for node in nodes for value in node.outputs]
    inputs = dict.fromkeys(
        str(value.name) for node in nodes for value in _read(node)
        if value.producer() not in own and constant(value) is None
    )  # fmt: skip
    outputs = [
        str(value.name) for value in given
        if value.is_graph_output() or any(use.node not in own for use in value.uses())
    ]  # fmt: skip
    return Step(place, op_type, title, tuple(nodes), tuple(inputs), tuple(outputs), _line(nodes))


def _read(node: ir.Node) -> list[ir.Value]:
    """Return what a node reads, sub-graphs inside it as well."""
    found = [value for value in node.inputs if value is not None]
    for attribute in node.attributes.values():
        bodies = [attribute.as_graph()] if attribute.type == ir.AttributeType.GRAPH else []
        for body in bodies:
            inside = {value for each in body for value in each.outputs} | set(body.inputs)
            inside |= set(body.initializers.values())
            found += [value for each in body for value in _read(each) if value not in inside]
    return found


def _line(nodes: Sequence[ir.Node]) -> str:
    """Return ``file:line, code`` as an exporter noted it, or the module that was called."""
    for node in nodes:
        place, code = source_line(node)
        if place:
            return f"{place}, {code}" if code else place
        if _SCOPES in node.metadata_props:
            return str(node.metadata_props[_SCOPES])
    return ""


def _plain(attribute: ir.Attr) -> object:
    value = attribute.value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
