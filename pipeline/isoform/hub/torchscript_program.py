"""A TorchScript program as a plain module: its graph carried out operator by operator, under its own weights' names.

PyTorch's newer exporter takes no ScriptModule; this module it takes. Decisions by sizes and types are followed as the
exporter sees them; a decision by values is refused here, as one branch of two would be kept. Not aware of formats.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.torchscript_python import OF_TENSOR, PLAIN


class Interpreted(torch.nn.Module):
    """The forward method of a ScriptModule; parameters and buffers are shared with it.

    Called as the program is; arguments that are left out take its defaults.

    Raises:
        IsoformError: when called, a decision by values, or an operator that has no form here.
    """

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self._graph = script.inlined_graph
        self._arguments = script.forward.schema.arguments[1:]
        self._scope = _Scope((script,), "")
        shared: dict[tuple[int, torch.Size], torch.nn.Parameter] = {}
        for name, tensor in script.named_parameters(remove_duplicate=False):
            parameter = shared.setdefault(_key(tensor), torch.nn.Parameter(tensor.detach(), requires_grad=False))
            _place(self, name).register_parameter(name.rpartition(".")[2], parameter)
        for name, tensor in script.named_buffers(remove_duplicate=False):
            _place(self, name).register_buffer(name.rpartition(".")[2], tensor)
        self._places = {_key(tensor): name for name, tensor in self.state_dict(keep_vars=True).items()}

        def forward(*given: Any, **named: Any) -> Any:
            rest = self._arguments[len(given) :]
            values = [self._scope, *given, *(named.get(argument.name, argument.default_value) for argument in rest)]
            names = [value.debugName() for value in self._graph.inputs()]
            return _Run(self, dict(zip(names, values, strict=True))).block(self._graph)[0]

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(argument.name, kind) for argument in self._arguments]
        forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        self.forward = forward

    def own(self, value: Any) -> Any:
        """Return this module's tensor where ``value`` is that of the program, so that it keeps its name."""
        name = self._places.get(_key(value)) if isinstance(value, torch.Tensor) else None
        if name is None:
            return value
        path, _, attribute = name.rpartition(".")
        return getattr(self.get_submodule(path), attribute)


def _key(tensor: torch.Tensor) -> tuple[int, torch.Size]:
    return tensor.data_ptr(), tensor.shape


@contextmanager
def unscripted(module: torch.nn.Module) -> Iterator[None]:
    """Put an `Interpreted` in the place of every scripted submodule of ``module``, and the scripted ones back."""
    places = [
        (parent, name, child)
        for parent in module.modules()
        if not isinstance(parent, torch.jit.ScriptModule)
        for name, child in parent.named_children()
        if isinstance(child, torch.jit.ScriptModule)
    ]
    for parent, name, child in places:
        setattr(parent, name, Interpreted(child))
    try:
        yield
    finally:
        for parent, name, child in places:
            setattr(parent, name, child)


@dataclass(frozen=True)
class _Scope:
    """A submodule of the program, and where it stands in it; in a tuple, so that no module adopts it."""

    script: tuple[Any]
    path: str


def _place(module: torch.nn.Module, name: str) -> torch.nn.Module:
    """Return the submodule that holds the tensor ``name``, made where it is not there yet."""
    for part in name.split(".")[:-1]:
        if part not in dict(module.named_children()):
            module.add_module(part, torch.nn.Module())
        module = module.get_submodule(part)
    return module


class _Run:
    """One run of the graph: the values so far, by name."""

    def __init__(self, module: Interpreted, values: dict[str, Any]) -> None:
        self._module = module
        self._values = values

    def block(self, block: Any) -> list[Any]:
        """Return the outputs of a graph or of one of its blocks, its nodes run."""
        for node in block.nodes():
            self._node(node)
        return [self._values[value.debugName()] for value in block.outputs()]

    def _node(self, node: Any) -> None:
        outputs = list(node.outputs())
        inputs = [self._values[value.debugName()] for value in node.inputs()]
        handler = _STRUCTURE.get(node.kind())
        results = handler(self, node, inputs) if handler else _call(node, inputs)
        if handler is None and len(outputs) <= 1:
            results = [results]
        for value, result in zip(outputs, results, strict=False):  # an operator without outputs answers None
            self._values[value.debugName()] = result

    def attribute(self, node: Any, inputs: Sequence[Any]) -> list[Any]:
        scope, name = inputs[0], node.s("name")
        if not isinstance(scope, _Scope):
            return [getattr(scope, name)]
        path = f"{scope.path}.{name}" if scope.path else name
        value = getattr(scope.script[0], name)
        if isinstance(value, torch.jit.ScriptModule):
            return [_Scope((value,), path)]
        if isinstance(value, list):  # an LSTM reads its weights from a list
            return [[self._module.own(item) for item in value]]
        return [self._module.own(value)]

    def branch(self, node: Any, inputs: Sequence[Any]) -> list[Any]:
        _refuse_tensor(node, inputs[0])
        chosen, other = node.blocks()
        return self.block(chosen if inputs[0] else other)

    def loop(self, node: Any, inputs: Sequence[Any]) -> list[Any]:
        trips, goes_on, *carried = inputs
        _refuse_tensor(node, trips)
        [body] = node.blocks()
        names = [value.debugName() for value in body.inputs()]
        trip = 0
        while trip < trips:
            _refuse_tensor(node, goes_on)
            if not goes_on:
                break
            self._values |= dict(zip(names, (trip, *carried), strict=True))
            goes_on, *carried = self.block(body)
            trip += 1
        return carried


def _refuse_tensor(node: Any, condition: Any) -> None:
    if isinstance(condition, torch.Tensor):
        raise IsoformError(
            f"The program decides by values at {_source(node)}.",
            "Keep its control flow: the converter torchscript_to_onnx_scripted does.",
            kind="control-flow",
        )


def _source(node: Any) -> str:
    lines = str(node.sourceRange()).strip().splitlines()
    return lines[0].strip() if lines else str(node.kind())


_REPLACED: dict[str, Callable[..., Any]] = {
    # What torch.jit.trace writes of a convolution: flags of one backend at the end.
    "aten::_convolution": lambda *inputs: torch.ops.aten.convolution.default(*inputs[:9]),
}


def _call(node: Any, inputs: Sequence[Any]) -> Any:
    """Return what an operator gives for ``inputs``: in Python for numbers and lists, else PyTorch's own."""
    kind = node.kind()
    has_tensor = any(map(_holds_tensor, inputs))
    function = (OF_TENSOR if has_tensor else PLAIN).get(kind) or _REPLACED.get(kind)
    if function is not None:
        return function(*inputs)
    if has_tensor and kind in ("aten::Int", "aten::Float", "aten::Bool", "aten::item"):
        return inputs[0]  # what uses it decides whether a number is needed
    operator, arguments = _operator(node)
    if operator is None:
        raise IsoformError(
            f"'{kind}' at {_source(node)} has no form here.",
            "Keep the program as it is: the converter torchscript_to_onnx_scripted may carry it.",
            kind="unsupported-operator",
        )
    positional = [value for argument, value in zip(arguments, inputs, strict=True) if not argument.kwarg_only]
    named = {a.name: value for a, value in zip(arguments, inputs, strict=True) if a.kwarg_only and value is not None}
    return operator(*positional, **named)


def _operator(node: Any) -> tuple[Callable[..., Any] | None, list[Any]]:
    schema = node.schema()
    if schema == "(no schema)":
        return None, []
    parsed = torch._C.parse_schema(schema)
    namespace, _, name = parsed.name.partition("::")
    packet = getattr(getattr(torch.ops, namespace), name, None)
    return (None if packet is None else getattr(packet, parsed.overload_name or "default", None)), parsed.arguments


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    return isinstance(value, torch.Tensor)


def _raise(run: _Run, node: Any, inputs: Sequence[Any]) -> list[Any]:
    raise ValueError(f"{inputs[0]} ({_source(node)})")


def _unpacked(run: _Run, node: Any, inputs: Sequence[Any]) -> Iterator[Any]:
    return iter(inputs[0])


_STRUCTURE: dict[str, Callable[[_Run, Any, Sequence[Any]], Any]] = {
    "prim::Constant": lambda run, node, inputs: [node.output().toIValue()],
    "prim::DictConstruct": lambda run, node, inputs: [dict(zip(inputs[::2], inputs[1::2], strict=True))],
    "prim::GetAttr": _Run.attribute,
    "prim::If": _Run.branch,
    "prim::ListConstruct": lambda run, node, inputs: [list(inputs)],
    "prim::ListUnpack": _unpacked,
    "prim::Loop": _Run.loop,
    "prim::RaiseException": _raise,
    "prim::TupleConstruct": lambda run, node, inputs: [tuple(inputs)],
    "prim::TupleIndex": lambda run, node, inputs: [inputs[0][inputs[1]]],
    "prim::TupleSlice": lambda run, node, inputs: [inputs[0][node.i("beg") : node.i("end")]],
    "prim::TupleUnpack": _unpacked,
    "prim::Uninitialized": lambda run, node, inputs: [None],
}
