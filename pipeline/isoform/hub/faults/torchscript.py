"""Faults in a TorchScript program: its graphs are edited and its tensors changed in place, then it is saved again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature
from isoform.hub import torchscript
from isoform.hub.faults.table import Fault, drawn, frozen_sizes, named, pair_of_outputs
from isoform.hub.faults.torch_layers import CONVOLUTIONS, LAYERS, NORMALISATIONS, VIEWS, of_weights, weight_of
from isoform.hub.faults.weights import Weight


@dataclass(frozen=True)
class Script:
    """A program and what is known of its inputs and outputs."""

    module: Any
    signature: Signature


FAULTS: dict[str, Fault[Script]] = {}
planted = named(FAULTS)


@dataclass(frozen=True)
class Place:
    """A node of one of the program's graphs; what is inserted stands before it."""

    graph: Any
    node: Any

    def operand(self, place: int) -> Any:
        return list(self.node.inputs())[place]

    def place(self, name: str) -> int:
        arguments = torch._C.parse_schema(self.node.schema()).arguments
        return [argument.name for argument in arguments].index(name)

    def constant(self, value: Any) -> Any:
        self.graph.setInsertPoint(self.node)
        return self.graph.insertConstant(value)

    def add(self, kind: str, *inputs: Any) -> Any:
        """Return what an operator gives that is inserted here, of the type of its first input."""
        self.graph.setInsertPoint(self.node)
        result = self.graph.insertNode(self.graph.create(kind, list(inputs), 1)).output()
        result.setType(inputs[0].type())
        return result

    def give_way(self, value: Any) -> None:
        """Let ``value`` stand wherever the node's output is read, and remove the node."""
        self.node.output().replaceAllUsesWith(value)
        self.node.destroy()

    def told(self, what: str) -> str:
        return f"'%{self.node.output().debugName()}' ({self.node.kind().removeprefix('aten::')}): {what}"


def opened(artifact: Artifact) -> Script:
    """Return the program of an artifact."""
    return Script(torchscript.opened(artifact.model), artifact.signature)


def save(script: Script, target: Path) -> None:
    """Write the program as a file."""
    torch.jit.save(script.module, str(target))


@planted
def another_epsilon(script: Script, rng: np.random.Generator) -> str | None:
    spot = drawn(_places(script, *NORMALISATIONS), rng)
    if spot is None:
        return None
    place = spot.place("eps")
    epsilon = 10 * spot.operand(place).toIValue()
    spot.node.replaceInput(place, spot.constant(epsilon))
    return spot.told(f"epsilon {epsilon:g}")


@planted
def the_other_gelu(script: Script, rng: np.random.Generator) -> str | None:
    """Take the hyperbolic tangent's approximation for the error function's GELU, or the other way."""
    spot = drawn(_places(script, "gelu"), rng)
    if spot is None:
        return _tanh_for_erf(script, rng)
    place = spot.place("approximate")
    other = "none" if spot.operand(place).toIValue() == "tanh" else "tanh"
    spot.node.replaceInput(place, spot.constant(other))
    return spot.told(f"approximate {other}")


@planted
def padding_off_by_one(script: Script, rng: np.random.Generator) -> str | None:
    """Pad one less before and one more after: the size stays, the places do not."""
    spot = drawn([spot for spot in _places(script, *CONVOLUTIONS) if _is_padded(spot)], rng)
    if spot is None:
        return None
    moved = spot.add("aten::constant_pad_nd", spot.operand(0), spot.constant([-1, 1]), spot.constant(0))
    spot.node.replaceInput(0, moved)
    return spot.told("its input is moved by one")


@planted
def a_leaking_relu(script: Script, rng: np.random.Generator) -> str | None:
    spot = drawn(_places(script, "relu", "relu_"), rng)
    if spot is None:
        return None
    told = spot.told("leaky_relu 0.01")
    spot.give_way(spot.add("aten::leaky_relu", spot.operand(0), spot.constant(0.01)))
    return told


@planted
def a_softmax_over_another_axis(script: Script, rng: np.random.Generator) -> str | None:
    spot = drawn(_places(script, "softmax", "log_softmax"), rng)
    if spot is None:
        return None
    axis = spot.operand(1).toIValue()
    other = axis - 1 if axis else 1
    spot.node.replaceInput(1, spot.constant(other))
    return spot.told(f"axis {other}")


@planted
def swapped_outputs(script: Script, rng: np.random.Generator) -> str | None:
    [result] = script.module.graph.outputs()
    spot, specs = Place(script.module.graph, result.node()), script.signature.outputs
    pair = pair_of_outputs(specs, rng)
    if pair is None or spot.node.kind() != "prim::TupleConstruct":
        return None
    one, other = pair
    first, second = spot.operand(one), spot.operand(other)
    spot.node.replaceInput(one, second)
    spot.node.replaceInput(other, first)
    return f"'{specs[one].name}' and '{specs[other].name}'"


@planted
def a_frozen_axis(script: Script, rng: np.random.Generator) -> str | None:
    """Give the first dynamic axis of an input the size that a trace has seen."""
    graph = script.module.graph
    for value, spec in zip(list(graph.inputs())[1:], script.signature.inputs, strict=False):
        sizes = frozen_sizes(spec)
        users = [use.user for use in value.uses()]
        if sizes is None or not users:
            continue
        spot = Place(graph, next(iter(graph.nodes())))
        fixed = spot.add("aten::view", value, spot.constant(sizes))
        for user in users:
            user.replaceInputWith(value, fixed)
        return f"axis {sizes.index(2)} of '{spec.name}' is 2"
    return None


def _tanh_for_erf(script: Script, rng: np.random.Generator) -> str | None:
    """Replace erf(x) by tanh(2/sqrt(pi) (x + 0.08943 x^3)): what the approximation of GELU puts in its place."""
    spot = drawn(_places(script, "erf"), rng)
    if spot is None:
        return None
    told, x = spot.told("tanh"), spot.operand(0)
    cube = spot.add("aten::mul", spot.add("aten::mul", x, x), x)
    inner = spot.add("aten::add", x, spot.add("aten::mul", cube, spot.constant(0.08943)), spot.constant(1))
    spot.give_way(spot.add("aten::tanh", spot.add("aten::mul", inner, spot.constant(2 / np.sqrt(np.pi)))))
    return told


def _weights(script: Script) -> Iterator[tuple[Weight, torch.Tensor]]:
    """Yield the kernels and the biases that layers read, named as in the program; constants have numbers."""
    graph = script.module.inlined_graph
    for kind in LAYERS:
        for node in graph.findAllNodes(f"aten::{kind}"):
            for value in _operands(node):
                found = weight_of(kind, *_tensor(script.module, value))
                if found is not None:
                    yield found


FAULTS |= of_weights(_weights)


def _operands(node: Any) -> Iterator[Any]:
    """Yield what a node takes, and what stands in the lists that it takes."""
    for value in node.inputs():
        inner = value.node()
        yield from inner.inputs() if inner.kind() == "prim::ListConstruct" else (value,)


def _tensor(module: Any, value: Any) -> tuple[str, torch.Tensor | None]:
    """Return the tensor that a value of the graph reads, and its name."""
    node = value.node()
    while node.kind().removeprefix("aten::") in VIEWS:
        node = next(node.inputs()).node()
    if node.kind() == "prim::Constant" and "value" in node.attributeNames() and node.kindOf("value") == "t":
        return f"the constant %{node.output().debugName()}", node.t("value")
    path: list[str] = []
    while node.kind() == "prim::GetAttr":
        path.insert(0, node.s("name"))
        node = next(node.inputs()).node()
    if not path or node.kind() != "prim::Param":
        return "", None
    held = module
    for name in path:
        held = getattr(held, name)
    return ".".join(path), held if isinstance(held, torch.Tensor) else None


def _places(script: Script, *kinds: str) -> list[Place]:
    """Return the nodes of these kinds, in the graphs of every submodule that has one."""
    graphs = [each.graph for each in script.module.modules() if each._c._has_method("forward")]
    return [Place(graph, node) for graph in graphs for kind in kinds for node in graph.findAllNodes(f"aten::{kind}")]


def _is_padded(spot: Place) -> bool:
    padding = spot.operand(spot.place("padding"))
    numbers = padding.toIValue() or [value.toIValue() for value in padding.node().inputs()]
    return any(isinstance(number, int) and number > 0 for number in numbers)
