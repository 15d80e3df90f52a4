"""A TorchScript program, asked operator by operator: libtorch computes any of its tensors, in float32 and in float64.

Tensors are called as PyTorch prints them, ``%x.1``; inputs as in the signature. Of what is changed in place later only
the last state is shown.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isoform.core.artifact import Artifact
from isoform.core.cases import Array, Tensors
from isoform.core.numerics import UNIT_ROUNDOFF
from isoform.core.protocols import Perturbation, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import float64, onednn, torch_source, torchscript
from isoform.hub.divergence.file import Observed, Operator, RunFile
from isoform.hub.divergence.moments import chunks

_SOURCE = re.compile(r"([^\s:\"]+\.py)(?:\(|:|\", line )(\d+)")
_LIBRARIES = ("site-packages", "__torch__", str(Path(__file__).parents[2]))
_SHOWN = (int, float, bool, str)
_MOST_RUNS = 2
"""Runs after which libtorch has optimised a program."""


class ScriptFile(RunFile):
    """A TorchScript file and libtorch."""

    form = "torchscript"
    runs = _MOST_RUNS
    refusals = (RuntimeError, IndexError, ValueError)
    """What libtorch raises where an operator does not take these sizes."""

    def __init__(self, artifact: Artifact, load: Callable[[Artifact], Session]) -> None:
        super().__init__(artifact, load)
        self._script = torchscript.opened(artifact.model)
        self._graph = _named(self._script.inlined_graph, artifact.signature)
        self.steps, self.outputs = _operators(self._graph), _outputs(self._graph)
        self.inputs = tuple(spec.name for spec in artifact.signature.inputs)
        self.single = Fetched(self._script, self._graph, is_plain=True)
        wide, disturbed = (torchscript.opened(artifact.model).double() for _ in range(2))
        torch_source.disturb(disturbed, Perturbation(0, UNIT_ROUNDOFF["float32"]))
        self.exact, self.disturbed = (Fetched(each, self._graph, is_wide=True) for each in (wide, disturbed))

    @property
    def zeros(self) -> set[str]:
        """The weights that are zero throughout."""
        return {name for name, tensor in self._script.state_dict().items() if tensor.numel() > 1 and not tensor.any()}

    @contextmanager
    def observed(self, names: Sequence[str]) -> Iterator[Observed]:
        """Give what libtorch holds in its tensors when it runs the program as it does."""
        fetched = Fetched(self._script, self._graph)
        yield lambda case: [fetched.values(case, names) for _ in range(_MOST_RUNS)][-1]

    def part(self, inputs: Sequence[str], output: str) -> tuple["Fetched", "Fetched"]:
        """Return what lies between: the same program, which is given those inputs."""
        return self.exact, self.single

    def write(self, given: Mapping[str, Array], output: str, folder: Path) -> tuple[Path, dict[str, str]]:
        """Write a part as a program of its own, its weights constants."""
        graph = _part(self._graph, list(given), [output])
        _hold_weights(graph, self._script)
        path = folder / "model.ts"
        torch._C._create_function_from_graph("forward", graph).save(str(path))
        return path, {**{name: f"input_{place}" for place, name in enumerate(given)}, output: "output"}

    def run_part(self, given: Mapping[str, Array], output: str, folder: Path) -> Array:
        """Return what libtorch gives for a part."""
        path, names = self.write(given, output, folder)
        inputs = tuple(TensorSpec(names[name], str(array.dtype), array.shape) for name, array in given.items())
        signature = Signature(inputs, (TensorSpec("output", "float32", ()),))
        session = self._load(Artifact(self.form, path, signature))
        try:
            arrays = {names[name]: np.ascontiguousarray(array) for name, array in given.items()}
            return [session.run(arrays) for _ in range(_MOST_RUNS)][-1]["output"]
        finally:
            session.close()


class Fetched:
    """A program whose tensors can be had by name."""

    def __init__(self, script: Any, graph: Any, *, is_wide: bool = False, is_plain: bool = False) -> None:
        """Prepare nothing yet: each set of tensors is a program of its own.

        Args:
            is_wide: compute in float64; what ``script`` holds is.
            is_plain: one operator after the other, by libtorch's own kernels.
        """
        self._script, self._graph, self._is_wide, self._is_plain = script, graph, is_wide, is_plain
        self._programs: dict[tuple[tuple[str, ...], tuple[str, ...], bool], Any] = {}

    def values(self, case: Tensors, names: Collection[str]) -> dict[str, Array]:
        """Return tensors of one case, or of what is given instead of tensors on the way."""
        wanted = tuple(name for name in names if name not in case and name in _tensors(self._graph))
        if not wanted:
            return {}
        found = self._called(case, wanted, is_sized=False)
        return {name: np.array(array.detach().numpy()) for name, array in zip(wanted, found, strict=True)}

    def run(self, case: Tensors, observe: Callable[[str, Array], None]) -> None:
        """Show every tensor of one case, a few at a time."""
        names = tuple(_tensors(self._graph))
        sizes = self._called(case, names, is_sized=True)
        for chunk in chunks(dict(zip(names, map(int, sizes), strict=True))):
            for name, array in self.values(case, chunk).items():
                observe(name, array)

    def _called(self, case: Tensors, names: tuple[str, ...], *, is_sized: bool) -> Sequence[Any]:
        key = (tuple(case), names, is_sized)
        if key not in self._programs:
            graph = _part(self._graph, list(case), list(names), is_sized=is_sized)
            self._programs[key] = torch._C._create_function_from_graph("fetched", graph)
        with self._computing():
            found = self._programs[key](self._script, *(self._tensor(array) for array in case.values()))
        return found if len(names) > 1 else (found,)

    def _tensor(self, array: Array) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.double() if self._is_wide and tensor.is_floating_point() else tensor

    @contextmanager
    def _computing(self) -> Iterator[None]:
        wide = float64.throughout() if self._is_wide else nullcontext()
        plain = torch.jit.optimized_execution(not (self._is_plain or self._is_wide))
        with torch.no_grad(), wide, plain, onednn.switched(is_on=not self._is_plain):
            yield


def _named(graph: Any, signature: Signature) -> Any:
    """Return a copy whose inputs are called as in the signature; those behind them have defaults."""
    own = graph.copy()
    for value, spec in zip(list(own.inputs())[1:], signature.inputs, strict=False):
        value.setDebugName(spec.name)
    return own


def _name(value: Any) -> str:
    is_input = value.node().kind() == "prim::Param"
    return str(value.debugName()) if is_input else f"%{value.debugName()}"


def _is_tensor(value: Any) -> bool:
    return bool(value.type().isSubtypeOf(torch._C.TensorType.get()))


def _tensors(graph: Any) -> list[str]:
    """Return the tensors that a run can show: not weights, and not what is changed in place further on."""
    changed = {
        _name(next(node.inputs())) for node in graph.nodes() if _is_in_place(node)
    }  # fmt: skip
    return [
        _name(value) for node in graph.nodes() if node.kind() not in ("prim::GetAttr", "prim::Constant")
        for value in node.outputs() if _is_tensor(value) and _name(value) not in changed
    ]  # fmt: skip


def _outputs(graph: Any) -> tuple[str, ...]:
    found: list[str] = []

    def flatten(value: Any) -> None:
        if _is_tensor(value):
            found.append(_name(value))
        elif value.node().kind() in ("prim::TupleConstruct", "prim::ListConstruct"):
            for inner in value.node().inputs():
                flatten(inner)
        elif value.node().kind() == "prim::DictConstruct":
            for inner in list(value.node().inputs())[1::2]:
                flatten(inner)

    for value in graph.outputs():
        flatten(value)
    return tuple(found)


def _operators(graph: Any) -> tuple[Operator, ...]:
    """Return the operators that give tensors, in order; what makes their lists and numbers is a part of them."""
    shown = set(_tensors(graph))
    found: list[Operator] = []
    for node in graph.nodes():
        outputs = tuple(name for name in map(_name, node.outputs()) if name in shown)
        if not outputs:
            continue
        inputs, weights = dict[str, None](), dict[str, None]()
        settings: dict[str, object] = {}
        for name, value in _read(node):
            _gather(value, shown, inputs, weights)
            constant = value.toIValue()
            if name and isinstance(constant, _SHOWN):
                settings[name] = constant
        found.append(
            Operator(len(found), _kind(node), outputs[0], tuple(inputs), outputs, tuple(weights), _line(node), settings)
        )
    return tuple(found)


def _kind(node: Any) -> str:
    """Return the operator's name; where a list is only taken apart, of what has made it."""
    while node.kind() in ("prim::ListUnpack", "prim::TupleUnpack", "prim::TupleIndex"):
        node = next(node.inputs()).node()
    return str(node.kind()).rpartition("::")[2]


def _read(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an operator reads, by the argument's name, and what is read inside of it."""
    schema = node.schema()
    names = [] if schema == "(no schema)" else [each.name for each in torch._C.parse_schema(schema).arguments]
    inputs = list(node.inputs())
    yield from zip(names or [""] * len(inputs), inputs, strict=False)
    for block in node.blocks():
        for inner in block.nodes():
            yield from (("", value) for _, value in _read(inner))
        yield from (("", value) for value in block.outputs())


def _gather(value: Any, shown: Collection[str], inputs: dict[str, None], weights: dict[str, None]) -> None:
    """Find the computed tensors and the weights behind a value."""
    node = value.node()
    if _name(value) in shown or (node.kind() == "prim::Param" and _is_tensor(value)):
        inputs[_name(value)] = None
    elif node.kind() == "prim::GetAttr":
        weights[_path(value)] = None
    else:
        for inner in node.inputs():
            _gather(inner, shown, inputs, weights)


def _path(value: Any) -> str:
    parts: list[str] = []
    node = value.node()
    while node.kind() == "prim::GetAttr":
        parts.insert(0, node.s("name"))
        node = next(node.inputs()).node()
    return ".".join(parts)


def _line(node: Any) -> str:
    """Return the innermost line of the network's own code."""
    frames = _SOURCE.findall(node.sourceRange())
    own = next(((file, line) for file, line in frames if not any(part in file for part in _LIBRARIES)), None)
    return f"{Path(own[0]).name}:{own[1]}" if own else ""


def _part(graph: Any, given: Sequence[str], wanted: Sequence[str], *, is_sized: bool = False) -> Any:
    """Return the part of a graph that gives some tensors from others, called with the program and those."""
    own = graph.copy()
    values = {_name(value): value for value in own.inputs()}
    values |= {_name(value): value for node in own.nodes() for value in node.outputs()}
    fed = []
    for name in given:
        fed.append(own.addInput())
        fed[-1].setType(torch._C.TensorType.get())
        values[name].replaceAllUsesWith(fed[-1])
    outputs = [values[name] for name in wanted]
    for _ in list(own.outputs()):
        own.eraseOutput(0)
    if is_sized:
        outputs = [own.appendNode(own.create("aten::numel", [value], 1)).output() for value in outputs]
        for value in outputs:
            value.setType(torch._C.IntType.get())
    if len(outputs) > 1:
        bundle = own.appendNode(own.create("prim::TupleConstruct", outputs, 1)).output()
        bundle.setType(torch._C.TupleType([value.type() for value in outputs]))
        outputs = [bundle]
    for value in outputs:
        own.registerOutput(value)
    _drop_unneeded(own)
    for _ in range(len(list(own.inputs())) - len(fed) - 1):
        own.eraseInput(1)
    return own


def _drop_unneeded(graph: Any) -> None:
    """Remove what no output follows from; a change in place of what is needed is needed.

    libtorch's own pass keeps every change in place of what it cannot follow.
    """
    needed = {_name(value) for value in graph.outputs()}
    nodes = list(graph.nodes())
    for node in reversed(nodes):
        changed = list(node.inputs())[:1] if _is_in_place(node) else []
        if any(_name(value) in needed for value in (*node.outputs(), *changed)):
            needed |= {_name(value) for _, value in _read(node)}
        else:
            node.destroy()


def _is_in_place(node: Any) -> bool:
    return bool(node.kind().startswith("aten::") and node.kind().endswith("_"))


def _hold_weights(graph: Any, script: Any) -> None:
    """Put weights into a graph as constants, so that it needs no program around it."""
    for node in list(graph.findAllNodes("prim::GetAttr")):
        held = script
        for name in _path(node.output()).split("."):
            held = getattr(held, name)
        if isinstance(held, (torch.Tensor, list, *_SHOWN)) or held is None:
            graph.setInsertPoint(node)
            node.output().replaceAllUsesWith(_constant(graph, held))
    torch._C._jit_pass_dce(graph)
    graph.eraseInput(0)


def _constant(graph: Any, value: Any) -> Any:
    if not isinstance(value, list):
        return graph.insertConstant(value.detach() if isinstance(value, torch.Tensor) else value)
    items = [_constant(graph, item) for item in value]
    made = graph.insertNode(graph.create("prim::ListConstruct", items, 1)).output()
    made.setType(torch._C.ListType(items[0].type()))
    return made
