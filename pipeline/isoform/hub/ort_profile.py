"""What ONNX Runtime's profiler tells of a session: the graph that really ran, and every execution of a node in it.

The session writes down its graph as it runs it, after fusing, so each event has its node, and each node its weights.
Events know sizes, also inside loops; weights that were packed before are missing in them. Not aware of what is made of
them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.errors import IsoformError
from isoform.hub.macs import Shape, declared

_GRAPH, _WEIGHTS = "graph.onnx", "weights.bin"
_SMALLEST_EXTERNAL_BYTES = 1024
_ERRORS_ONLY = 3
_SUFFIX = "_kernel_time"


@dataclass(frozen=True)
class Event:
    """One execution of a node.

    Attributes:
        node: None where the graph that was written down has none of this name.
        dtype: of the first input, as ONNX Runtime calls it; None without inputs.
    """

    name: str
    operator: str
    provider: str
    node: ir.Node | None
    dtype: str | None
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    time_ns: int


@dataclass
class Run:
    """One inference: its events in the order in which they ran."""

    model: ir.Model
    events: Sequence[Event]
    given: Mapping[str, Shape]
    _known: dict[str, Shape] = field(default_factory=dict)

    def steps(self) -> Iterator[tuple[Event, ir.Node]]:
        """Yield what ran and has a node; `sizes` then tells the sizes that this execution met."""
        self._known = dict(self.given)
        for event in self.events:
            if event.node is not None:
                self._note([value for value in event.node.inputs if value is not None], event.inputs)
                self._note([value for value in event.node.outputs if value.name], event.outputs)
                yield event, event.node

    def sizes(self, value: ir.Value | None) -> Shape | None:
        """Return the sizes of a value at this point of the run, or None where no event told them."""
        if value is None:
            return None
        if value.const_value is not None:
            return tuple(value.const_value.shape.numpy())
        return self._known.get(str(value.name)) or declared(value)

    def _note(self, values: Sequence[ir.Value], shapes: Sequence[Shape]) -> None:
        if len(values) == len(shapes):  # else some were packed before, or are no tensors
            self._known.update((str(value.name), shape) for value, shape in zip(values, shapes, strict=True))


def arm(settings: Any, folder: Path) -> None:
    """Let a session of these SessionOptions leave its graph and its profile in ``folder``."""
    settings.enable_profiling = True
    settings.profile_file_prefix = str(folder / "profile")
    settings.optimized_model_filepath = str(folder / _GRAPH)
    prefix = "session.optimized_model_external_initializers_"
    settings.add_session_config_entry(f"{prefix}file_name", _WEIGHTS)
    settings.add_session_config_entry(f"{prefix}min_size_in_bytes", str(_SMALLEST_EXTERNAL_BYTES))


def as_it_stands(path: Path, inputs: Mapping[str, Array], folder: Path) -> Run:
    """Return an inference in which every operator of an ONNX file ran, nothing fused or packed.

    Raises:
        IsoformError: ONNX Runtime does not open or run it.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.add_session_config_entry("session.disable_prepacking", "1")  # events then tell the sizes of all inputs
    settings.log_severity_level = _ERRORS_ONLY
    arm(settings, folder)
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        (run,) = runs(session, inputs, folder, 1)
    except Exception as error:  # the binding raises a type of its own for every status
        raise IsoformError(
            f"ONNX Runtime does not run {path.name} unoptimised: {str(error).strip().splitlines()[0][:300]}",
            "Export the model again.",
            kind="load",
        ) from error
    return run


def runs(session: Any, inputs: Mapping[str, Array], folder: Path, count: int, warm_up: int = 0) -> list[Run]:
    """Run an armed session and return ``count`` inferences, those after the warm-up."""
    for _ in range(warm_up + count):
        session.run(None, dict(inputs))
    record = json.loads(Path(session.end_profiling()).read_text())
    given = {name: tuple(array.shape) for name, array in inputs.items()}
    return read(record, ir.load(folder / _GRAPH), given)[warm_up:]


def read(record: Sequence[Mapping[str, Any]], model: ir.Model, given: Mapping[str, Shape]) -> list[Run]:
    """Return the inferences of a profile in the order in which they ran.

    Args:
        record: the profile: events in the Trace Event Format of Chrome, times in microseconds.
        model: the graph that the session wrote down.
    """
    spans = sorted((each["ts"], each["ts"] + each["dur"]) for each in record if each["name"] == "model_run")
    kernels = [each for each in record if each["cat"] == "Node" and each["name"].endswith(_SUFFIX)]
    kernels.sort(key=lambda each: each["ts"])
    nodes = _nodes(model, kernels)
    return [
        Run(model, [_event(each, nodes) for each in kernels if begin <= each["ts"] <= end], given)
        for begin, end in spans
    ]


def _event(entry: Mapping[str, Any], nodes: Mapping[tuple[str, str], ir.Node]) -> Event:
    name, told = entry["name"].removesuffix(_SUFFIX), entry["args"]
    inputs = told.get("input_type_shape", ())
    return Event(
        name, told["op_name"], told["provider"], nodes.get((name, told["op_name"])),
        next((dtype for each in inputs for dtype in each), None), _shapes(inputs),
        _shapes(told.get("output_type_shape", ())), 1000 * int(entry["dur"]),
    )  # fmt: skip


def _shapes(told: Sequence[Mapping[str, Sequence[int]]]) -> tuple[Shape, ...]:
    return tuple(tuple(shape) for each in told for shape in each.values())


def _nodes(model: ir.Model, kernels: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], ir.Node]:
    """Return the node behind each name and operator of an event.

    One without a name is called by its operator and place there. They are matched in order where all of them ran.
    """
    named: dict[tuple[str, str], ir.Node] = {}
    nameless: dict[str, list[ir.Node]] = {}
    for node in model.graph.all_nodes():
        if node.name:
            named.setdefault((node.name, node.op_type), node)
        else:
            nameless.setdefault(node.op_type, []).append(node)
    for operator, nodes in nameless.items():
        names = dict.fromkeys(
            (each["name"].removesuffix(_SUFFIX), operator) for each in kernels if each["args"]["op_name"] == operator
        )
        unmatched = [key for key in names if key not in named]
        if len(unmatched) == len(nodes):
            named.update(zip(unmatched, nodes, strict=True))
    return named
