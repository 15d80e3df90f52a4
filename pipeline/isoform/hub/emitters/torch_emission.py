"""A module being made: the fx graph of a hub graph, one call an operator, and those of the sub-graphs inside it.

Weights belong to the outermost module, whoever reads them: the body of a loop or a branch is a module without any,
which is given all that it sees of the graph around it. Not aware of what operators compute.
"""

import inspect
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
from torch import fx

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import opset_of
from isoform.hub.emitters.torch_ops.dtypes import as_tensor, torch_dtype
from isoform.hub.emitters.torch_ops.table import OPERATORS, Form
from isoform.hub.emitters.torch_ops.weights import attach, attach_module
from isoform.hub.passes.fold_weights import constant

_DTYPE_ATTRIBUTES = ("to", "dtype")
_SMALLEST_WEIGHT = 2


class Emission:
    """A graph being emitted.

    Attributes:
        values: the nodes of the fx graph that are values of the hub graph.
        captured: for each node of the graph around this one that is read here, the placeholder that stands for it.
    """

    def __init__(self, model: ir.Model, source: ir.Graph, around: "Emission | None" = None) -> None:
        self.model = model
        self.around = around
        self.root = torch.nn.Module()
        self.graph = fx.Graph()
        self.values: dict[ir.Value, fx.Node] = {}
        self.captured: dict[fx.Node, fx.Node] = {}
        self.arranged: dict[tuple[ir.Value, Callable[..., torch.Tensor]], fx.Node] = {}
        self.last_placeholder: fx.Node | None = None
        self.source = source
        for value in source.inputs:
            self.values[value] = self.last_placeholder = self.graph.placeholder(identifier(str(value.name)))
        for node in source:
            self.add(node)

    def add(self, node: ir.Node) -> None:
        """Append the call of the function that carries ``node``."""
        form = OPERATORS.lookup(node, opset_of(self.model, node))
        assert form is not None, "the pre-flight has seen every node"
        called = self._called_module(node, form) if form.bodies or form.is_module else self._called_function(node, form)
        called.name = self.graph._graph_namespace.create_name(identifier(str(node.outputs[0].name)), called)
        if len(node.outputs) == 1:
            self.values[node.outputs[0]] = called
            return
        for index, value in enumerate(node.outputs):
            if list(value.uses()) or value.is_graph_output():
                self.values[value] = self.graph.call_function(operator.getitem, (called, index))

    def _called_function(self, node: ir.Node, form: Form) -> fx.Node:
        inputs = [self._input(node, index, form) for index in range(len(node.inputs))]
        return self.graph.call_function(form.function, tuple(inputs), self._attributes(node, form))

    def _called_module(self, node: ir.Node, form: Form) -> fx.Node:
        """Return the call of a module that holds the sub-graphs of ``node``, with its inputs and what each captures."""
        bodies = [Emission(self.model, node.attributes[name].as_graph(), self) for name in form.bodies]
        modules = {name: body.body(name) for name, body in zip(form.bodies, bodies, strict=True)}
        module = form.function(str(node.name or node.op_type), node, modules)
        name = attach_module(self.root, identifier(str(node.name or node.op_type)), module)
        inputs = [self._input(node, index, form) for index in range(len(node.inputs))]
        return self.graph.call_module(name, (inputs, *(list(body.captured) for body in bodies)))

    def module(self) -> fx.GraphModule:
        """Return the finished module."""
        outputs = [self.value(value, is_trained=False) for value in self.source.outputs]
        self.graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
        return fx.GraphModule(self.root, self.graph, class_name=identifier(self.source.name or "Model")).eval()

    def body(self, name: str) -> fx.GraphModule:
        """Return a sub-graph's module: its inputs and then what it captures in, a list of its outputs out."""
        self.graph.output([self.value(value, is_trained=False) for value in self.source.outputs])
        return fx.GraphModule(self.root, self.graph, class_name=identifier(self.source.name or name)).eval()

    def _input(self, node: ir.Node, index: int, form: Form) -> Any:
        value = node.inputs[index]
        if value is None:
            return None
        array = constant(value)
        if index in form.known and array is not None:
            return array.tolist()
        arrange = form.arranged.get(index)
        if arrange is None:
            return self.value(value, is_trained=index not in form.buffers)
        if array is None:
            return self.graph.call_function(arrange, (self.value(value, is_trained=False),))
        return self._arranged(value, array, arrange)

    def _arranged(self, value: ir.Value, array: Any, arrange: Callable[[torch.Tensor], torch.Tensor]) -> fx.Node:
        """Return a weight in the form that an operator wants: one parameter, however many read it."""
        if self.around is not None:
            return self._capture(self.around._arranged(value, array, arrange))
        if (value, arrange) not in self.arranged:
            tensor = arrange(as_tensor(array))
            self.arranged[value, arrange] = self._attached(str(value.name), tensor, is_trained=True)
        return self.arranged[value, arrange]

    def value(self, value: ir.Value, *, is_trained: bool) -> fx.Node:
        """Return the node of a value; a constant becomes a parameter where it can be trained, else a buffer."""
        if value in self.values:
            return self.values[value]
        if self.around is not None:
            self.values[value] = self._capture(self.around.value(value, is_trained=is_trained))
            return self.values[value]
        array = constant(value)
        assert array is not None, "every value is computed before it is read"
        self.values[value] = self._attached(str(value.name), as_tensor(array), is_trained=is_trained)
        return self.values[value]

    def _capture(self, node: fx.Node) -> fx.Node:
        """Return the placeholder for a node of the graph around."""
        if node not in self.captured:
            first = self.last_placeholder
            with self.graph.inserting_after(first) if first else self.graph.inserting_before(_first(self.graph)):
                self.captured[node] = self.last_placeholder = self.graph.placeholder(node.name)
        return self.captured[node]

    def _attached(self, name: str, tensor: torch.Tensor, *, is_trained: bool) -> fx.Node:
        if self.around is not None:
            return self._capture(self.around._attached(name, tensor, is_trained=is_trained))
        can_train = is_trained and tensor.is_floating_point() and tensor.numel() >= _SMALLEST_WEIGHT
        return self.graph.get_attr(attach(self.root, name, tensor, is_trained=can_train))

    def _attributes(self, node: ir.Node, form: Form) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, attribute in node.attributes.items():
            if attribute.type != ir.AttributeType.TYPE_PROTO:  # what an optional may hold is seen from what it holds
                found[name] = self._attribute(node, name, attribute)
        for name, array in form.assumed.items():
            if name not in found:
                found[name] = self._attached(f"{node.name}/{name}", as_tensor(array), is_trained=False)
        parameters = _parameters(form)
        if "outputs" in parameters:
            found["outputs"] = len(node.outputs)
        unknown = [name for name in found if name not in parameters]
        if unknown:
            raise IsoformError(
                f"'{node.op_type}' (node {node.name}) has the attribute '{unknown[0]}', which is not carried.",
                "Other formats can carry it: --to onnx,savedmodel",
                kind="unsupported-operator",
            )
        return found

    def _attribute(self, node: ir.Node, name: str, attribute: ir.Attr) -> Any:
        if name in _DTYPE_ATTRIBUTES and attribute.type == ir.AttributeType.INT:
            return torch_dtype(attribute.as_int())
        if attribute.type == ir.AttributeType.TENSOR:
            tensor = as_tensor(attribute.as_tensor().numpy())
            return self._attached(f"{node.name}/{name}", tensor, is_trained=False)
        value = attribute.value
        return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else value


def _first(graph: fx.Graph) -> fx.Node:
    return next(iter(graph.nodes), graph._root)


def _parameters(form: Form) -> set[str]:
    """Return the names of a function's parameters; torch's builtins do not tell theirs, and take no attributes here."""
    try:
        return set(inspect.signature(form.function).parameters)
    except ValueError:
        return set()


def identifier(name: str) -> str:
    """Return ``name`` as Python may call something."""
    cleaned = re.sub(r"\W", "_", name) or "value"
    return f"_{cleaned}" if cleaned[0].isdigit() else cleaned
