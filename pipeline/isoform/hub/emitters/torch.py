"""The hub graph as PyTorch: a module whose code is one call an operator, with real, named parameters.

One function per operator stands in torch_ops/, in the file of its family; fx arranges their calls. Sizes stay tensors
while the module is traced, so that none is frozen. Not aware of TorchScript's files.
"""

import inspect
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes import common
from torch import fx

from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub.emitters.registry import opset_of
from isoform.hub.emitters.torch_ops import families
from isoform.hub.emitters.torch_ops.dtypes import as_tensor, torch_dtype
from isoform.hub.emitters.torch_ops.table import OPERATORS, Form
from isoform.hub.emitters.torch_ops.weights import attach
from isoform.hub.passes.expand_functions import expand_functions
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.restore_squeeze import restore_squeeze
from isoform.hub.passes.simplify import simplify

__all__ = ["OPERATORS", "emit", "families"]

_DTYPE_ATTRIBUTES = ("to", "dtype")
_SMALLEST_WEIGHT = 2


def emit(model: ir.Model) -> fx.GraphModule:
    """Return ``model`` as a module called with tensors in input order; one output is a tensor, several a tuple.

    It can be trained, traced with dynamic sizes kept, and cast with ``.double()``; the graph is rewritten on the way.

    Raises:
        UnsupportedOperator: nodes that no function here carries, all of them.
        IsoformError: an operator in a form that is not carried.
    """
    simplify(model)
    if expand_functions(model, OPERATORS.carries):
        simplify(model)
    restore_squeeze(model)
    common.RemoveUnusedNodesPass()(model)
    hub_graph.infer_shapes(model)
    OPERATORS.require(model)
    emitted = Emission(model)
    for node in model.graph:
        emitted.add(node)
    return emitted.module()


@dataclass
class Emission:
    """A module being made: its fx graph, and the nodes of it that are values of the hub graph."""

    model: ir.Model
    root: torch.nn.Module = field(default_factory=torch.nn.Module)
    graph: fx.Graph = field(default_factory=fx.Graph)
    values: dict[ir.Value, fx.Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for value in self.model.graph.inputs:
            self.values[value] = self.graph.placeholder(_identifier(str(value.name)))

    def add(self, node: ir.Node) -> None:
        """Append the call of the function that carries ``node``."""
        form = OPERATORS.lookup(node, opset_of(self.model, node))
        assert form is not None, "the pre-flight has seen every node"
        inputs = [self._input(node, index, form) for index in range(len(node.inputs))]
        called = self.graph.call_function(form.function, tuple(inputs), self._attributes(node, form))
        called.name = self.graph._graph_namespace.create_name(_identifier(str(node.outputs[0].name)), called)
        if len(node.outputs) == 1:
            self.values[node.outputs[0]] = called
            return
        for index, value in enumerate(node.outputs):
            if list(value.uses()) or value.is_graph_output():
                self.values[value] = self.graph.call_function(operator.getitem, (called, index))

    def module(self) -> fx.GraphModule:
        """Return the finished module."""
        outputs = [self._value(value, is_trained=False) for value in self.model.graph.outputs]
        self.graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
        return fx.GraphModule(self.root, self.graph, class_name=_identifier(self.model.graph.name or "Model")).eval()

    def _input(self, node: ir.Node, index: int, form: Form) -> Any:
        value = node.inputs[index]
        if value is None:
            return None
        array = constant(value)
        if index in form.known and array is not None:
            return array.tolist()
        arrange = form.arranged.get(index)
        if arrange is None:
            return self._value(value, is_trained=index not in form.buffers)
        if array is None:
            return self.graph.call_function(arrange, (self._value(value, is_trained=False),))
        return self._attached(str(value.name), arrange(as_tensor(array)), is_trained=True)

    def _value(self, value: ir.Value, *, is_trained: bool) -> fx.Node:
        """Return the node of a value; a constant becomes a parameter where it can be trained, else a buffer."""
        if value not in self.values:
            array = constant(value)
            assert array is not None, "every value is computed before it is read"
            self.values[value] = self._attached(str(value.name), as_tensor(array), is_trained=is_trained)
        return self.values[value]

    def _attached(self, name: str, tensor: torch.Tensor, *, is_trained: bool) -> fx.Node:
        can_train = is_trained and tensor.is_floating_point() and tensor.numel() >= _SMALLEST_WEIGHT
        return self.graph.get_attr(attach(self.root, name, tensor, is_trained=can_train))

    def _attributes(self, node: ir.Node, form: Form) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, attribute in node.attributes.items():
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
            return self._attached(f"{node.name}/{name}", as_tensor(attribute.as_tensor().numpy()), is_trained=False)
        if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
            raise IsoformError(
                f"'{node.op_type}' (node {node.name}) holds a sub-graph, which is not carried.",
                "Other formats can carry it: --to onnx",
                kind="unsupported-operator",
            )
        value = attribute.value
        return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else value


def _parameters(form: Form) -> set[str]:
    """Return the names of a function's parameters; torch's builtins do not tell theirs, and take no attributes here."""
    try:
        return set(inspect.signature(form.function).parameters)
    except ValueError:
        return set()


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W", "_", name) or "value"
    return f"_{cleaned}" if cleaned[0].isdigit() else cleaned
