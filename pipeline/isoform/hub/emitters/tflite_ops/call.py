"""One node being emitted: its inputs as tensors of the file, its attributes, and where its results go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import OpTable
from isoform.hub.emitters.tflite_builder import Array, Shape, SubGraph, Tensor
from isoform.hub.passes.fold_weights import constant
from isoform.hub.passes.quantized import noted
from isoform.hub.source_line import named

Emit = Callable[["Call"], Tensor | Sequence[Tensor]]
OPERATORS: OpTable[Emit] = OpTable("TFLite")
op = OPERATORS.op

Code = schema.BuiltinOperator
_Activation = schema.ActivationFunctionType
_CLIPPED: dict[tuple[float, ...], int] = {(0.0, 6.0): _Activation.RELU6, (-1.0, 1.0): _Activation.RELU_N1_TO_1}


@dataclass
class Scope:
    """What is emitted already.

    Attributes:
        model: the hub graph, whose opsets the nodes of every sub-graph are of.
        values: tensors of the sub-graph by the values of the hub graph.
        done: nodes that an earlier one took into itself.
        narrowed: tensors of sizes or places as int32, by what they are.
        sizes: the same of values that are read of shapes alone.
        asked: the sizes of tensors, by tensor and dtype.
        targets: the targets of Reshapes that copy named dimensions, by what they say.
        deferred: nodes that are emitted only if something reads their result, by that; most are taken in.
    """

    graph: SubGraph
    model: ir.Model
    values: dict[ir.Value, Tensor] = field(default_factory=dict)
    done: set[ir.Node] = field(default_factory=set)
    narrowed: dict[Tensor, Tensor] = field(default_factory=dict)
    sizes: dict[ir.Value, Tensor] = field(default_factory=dict)
    asked: dict[tuple[Tensor, str], Tensor] = field(default_factory=dict)
    targets: dict[tuple[int | str, ...], Tensor] = field(default_factory=dict)
    deferred: dict[ir.Value, Callable[[], None]] = field(default_factory=dict)

    def emit_deferred(self, value: ir.Value) -> None:
        """Emit what makes ``value`` now, where that waits."""
        if value in self.deferred:
            self.deferred.pop(value)()


@dataclass
class Call:
    """A node and its scope.

    Attributes:
        last: the node whose output the emitted operator fills; later than ``node`` where that took others in.
    """

    node: ir.Node
    opset: int
    scope: Scope
    last: ir.Node = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.node

    @property
    def graph(self) -> SubGraph:
        return self.scope.graph

    def __getitem__(self, index: int) -> Tensor:
        """Return input ``index`` as a tensor, which has to be there."""
        tensor = self.get(index)
        if tensor is None:
            raise self.refusal(f"input {index} is absent")
        return tensor

    def get(self, index: int) -> Tensor | None:
        """Return input ``index``, a constant made a tensor of the file; None where it is absent."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            return None
        self.scope.emit_deferred(value)
        if value not in self.scope.values:
            array = constant(value)
            assert array is not None, "every value is computed before it is read"
            self.scope.values[value] = self.graph.constant(array, value.name or "constant", noted(value))
        return self.scope.values[value]

    def has(self, index: int) -> bool:
        """Return whether input ``index`` is there; asking makes no tensor."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def array(self, index: int) -> Array | None:
        """Return input ``index`` where it is constant."""
        return constant(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def ints_of(self, name: str, index: int) -> list[int] | None:
        """Return integers that older opsets have as an attribute and newer ones as a constant input."""
        if name in self.node.attributes:
            return self.ints(name)
        if index >= len(self.node.inputs) or self.node.inputs[index] is None:
            return None
        array = self.array(index)
        if array is None:
            raise self.refusal(f"'{name}' is computed while the model runs")
        return [int(number) for number in array.reshape(-1)]

    def constant(self, values: Any, dtype: str = "int32") -> Tensor:
        """Return a new constant of the file."""
        return self.graph.constant(np.array(values, dtype), f"{self.node.name}/constant")

    def make(
        self, code: Any, inputs: Sequence[Tensor | None], shape: Shape, options: Any = None, dtype: str | None = None
    ) -> Tensor:
        """Append an operator with one result and return that; its dtype is that of the first input unless given."""
        return self.graph.make(code, inputs, shape, options, dtype)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes of the first output; None where a size is dynamic."""
        return sizes(self.node.outputs[0], self)

    @property
    def dtype(self) -> str:
        """The dtype of the first output."""
        return dtype_of(self.node.outputs[0], self)

    def take_bias(self, units: int) -> Tensor | None:
        """Return the bias that the next node adds to this one's only result, and take that node in."""
        follower = self.only_follower("Add")
        if follower is None:
            return None
        for value in follower.inputs:
            array = constant(value)
            if array is not None and value is not None and array.size == units == (array.shape or (1,))[-1]:
                self.take(follower)
                return self.graph.constant(array.reshape(-1), value.name or "bias")
        return None

    def take_activation(self) -> int:
        """Return the activation that the next node applies to this one's only result, and take that node in."""
        for name in ("Relu", "Clip"):
            follower = self.only_follower(name)
            activation = _Activation.NONE if follower is None else _activation(follower)
            if follower is not None and activation != _Activation.NONE and self.dtype == "float32":
                self.take(follower)
                return activation
        return _Activation.NONE

    def refusal(self, why: str) -> IsoformError:
        """Return the error for a form of this operator that TFLite cannot have."""
        return IsoformError(
            f"{named(self.node, f'opset {self.opset}')}: {why}, which has no TFLite form here.",
            "Other formats can carry it: --to onnx,savedmodel,torchscript",
            kind="unsupported-operator",
        )

    def only_follower(self, op_type: str) -> ir.Node | None:
        """Return the node of this type that is all that reads what is emitted so far; None where there is none."""
        value = self.last.outputs[0]
        users = [use.node for use in value.uses()]
        is_private = len(users) == 1 and not value.is_graph_output() and users[0].graph is self.node.graph
        return users[0] if is_private and users[0].op_type == op_type and users[0].domain == "" else None

    def take(self, node: ir.Node) -> None:
        """Let the operator that is emitted stand for ``node``, too, whose output it fills."""
        self.scope.done.add(node)
        self.last = node

    def int(self, name: str, default: int) -> int:
        return self.node.attributes[name].as_int() if name in self.node.attributes else default

    def float(self, name: str, default: float) -> float:
        return self.node.attributes[name].as_float() if name in self.node.attributes else default

    def string(self, name: str, default: str) -> str:
        return self.node.attributes[name].as_string() if name in self.node.attributes else default

    def ints(self, name: str) -> list[Any] | None:
        return list(self.node.attributes[name].as_ints()) if name in self.node.attributes else None


def _activation(node: ir.Node) -> int:
    """Return the activation that LiteRT fuses for a Relu or Clip; NONE for other bounds."""
    if node.op_type == "Relu":
        return int(_Activation.RELU)
    bounds = [constant(value) for value in node.inputs[1:3]]
    known = tuple(float(bound) for bound in bounds if bound is not None and bound.size == 1)
    return _CLIPPED.get(known, int(_Activation.NONE))


def sizes(value: ir.Value, call: Call) -> tuple[Any, ...]:
    """Return the sizes of a value of the hub graph, None for each dynamic one."""
    if value.shape is None:
        raise call.refusal(f"the rank of '{value.name}' is unknown")
    return tuple(dim if isinstance(dim, int) else None for dim in value.shape)


def dtype_of(value: ir.Value, call: Call) -> str:
    if value.dtype is None:
        raise call.refusal(f"the dtype of '{value.name}' is unknown")
    return str(value.dtype.numpy())
