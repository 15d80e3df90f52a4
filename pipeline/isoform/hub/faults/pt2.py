"""Faults in an exported program: its graph is edited and its tensors changed in place, then it is saved again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature
from isoform.hub import pt2_archive
from isoform.hub.faults.table import Fault, drawn, frozen_sizes, named, pair_of_outputs
from isoform.hub.faults.torch_layers import CONVOLUTIONS, LAYERS, NORMALISATIONS, VIEWS, of_weights, weight_of
from isoform.hub.faults.weights import Weight


@dataclass(frozen=True)
class Program:
    """A program and what is known of its inputs and outputs."""

    exported: torch.export.ExportedProgram
    signature: Signature


FAULTS: dict[str, Fault[Program]] = {}
planted = named(FAULTS)


def opened(artifact: Artifact) -> Program:
    """Return the program of an artifact."""
    return Program(pt2_archive.opened(artifact.model), artifact.signature)


def save(program: Program, target: Path) -> None:
    """Write the program as a file."""
    torch.export.save(program.exported, str(target))


@planted
def another_epsilon(program: Program, rng: np.random.Generator) -> str | None:
    node = drawn(_nodes(program, *NORMALISATIONS), rng)
    if node is None:
        return None
    epsilon = 10 * _argument(node, "eps")
    _set(node, "eps", epsilon)
    return _told(node, f"epsilon {epsilon:g}")


@planted
def the_other_gelu(program: Program, rng: np.random.Generator) -> str | None:
    """Take the hyperbolic tangent's approximation for the error function's GELU, or the other way."""
    node = drawn(_nodes(program, "gelu"), rng)
    if node is None:
        return _tanh_for_erf(program, rng)
    other = "none" if _argument(node, "approximate") == "tanh" else "tanh"
    _set(node, "approximate", other)
    return _told(node, f"approximate {other}")


@planted
def padding_off_by_one(program: Program, rng: np.random.Generator) -> str | None:
    """Pad one less before and one more after: the size stays, the places do not."""
    node = drawn([node for node in _nodes(program, *CONVOLUTIONS) if any(_padding(node))], rng)
    if node is None:
        return None
    moved = _before(node, torch.ops.aten.constant_pad_nd.default, node.args[0], [-1, 1])
    node.update_arg(0, moved)
    return _told(node, "its input is moved by one")


@planted
def a_leaking_relu(program: Program, rng: np.random.Generator) -> str | None:
    node = drawn(_nodes(program, "relu", "relu_"), rng)
    if node is None:
        return None
    told = _told(node, "leaky_relu 0.01")
    _give_way(program, node, _before(node, torch.ops.aten.leaky_relu.default, node.args[0], 0.01))
    return told


@planted
def a_softmax_over_another_axis(program: Program, rng: np.random.Generator) -> str | None:
    node = drawn(_nodes(program, "softmax", "_softmax", "log_softmax", "_log_softmax"), rng)
    if node is None:
        return None
    axis = _argument(node, "dim")
    other = axis - 1 if axis else 1
    _set(node, "dim", other)
    return _told(node, f"axis {other}")


@planted
def swapped_outputs(program: Program, rng: np.random.Generator) -> str | None:
    specs, listed = program.signature.outputs, program.exported.graph_signature.output_specs
    pair = pair_of_outputs(specs, rng) if len(specs) == len(listed) else None
    if pair is None:
        return None
    one, other = pair
    [results] = program.exported.graph.output_node().args
    order = list(results)
    order[one], order[other] = order[other], order[one]
    program.exported.graph.output_node().args = (tuple(order),)
    listed[one].arg, listed[other].arg = listed[other].arg, listed[one].arg
    return f"'{specs[one].name}' and '{specs[other].name}'"


@planted
def a_frozen_axis(program: Program, rng: np.random.Generator) -> str | None:
    """Give the first dynamic axis of an input the size that a trace has seen."""
    names = program.exported.graph_signature.user_inputs
    for name, spec in zip(names, program.signature.inputs, strict=False):
        node = next(node for node in program.exported.graph.nodes if node.name == name)
        sizes, users = frozen_sizes(spec), list(node.users)
        if sizes is None or not users:
            continue
        first = next(each for each in program.exported.graph.nodes if each.op != "placeholder")
        fixed = _before(first, torch.ops.aten.view.default, node, sizes, like=node)
        for user in users:
            user.replace_input_with(node, fixed)
        return f"axis {sizes.index(2)} of '{spec.name}' is 2"
    return None


def _tanh_for_erf(program: Program, rng: np.random.Generator) -> str | None:
    """Replace erf(x) by tanh(2/sqrt(pi) (x + 0.08943 x^3)): what the approximation of GELU puts in its place."""
    node = drawn(_nodes(program, "erf"), rng)
    if node is None:
        return None
    told, x, aten = _told(node, "tanh"), node.args[0], torch.ops.aten
    cube = _before(node, aten.mul.Tensor, _before(node, aten.mul.Tensor, x, x), x)
    inner = _before(node, aten.add.Tensor, x, _before(node, aten.mul.Tensor, cube, 0.08943))
    scaled = _before(node, aten.mul.Tensor, inner, float(2 / np.sqrt(np.pi)))
    _give_way(program, node, _before(node, aten.tanh.default, scaled))
    return told


def _weights(program: Program) -> Iterator[tuple[Weight, torch.Tensor]]:
    """Yield the kernels and the biases that layers read, named as in the program."""
    exported, signature = program.exported, program.exported.graph_signature
    held: dict[str, str] = {
        **signature.inputs_to_parameters, **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }  # fmt: skip
    tensors = {**exported.constants, **exported.state_dict}
    for node in _nodes(program, *LAYERS):
        for operand in _operands(node):
            name = held.get(operand.name, "")
            found = weight_of(_kind(node), name, tensors.get(name))
            if found is not None:
                yield found


FAULTS |= of_weights(_weights)


def _operands(node: Node) -> Iterator[Node]:
    """Yield what a node takes, what stands in the lists that it takes, and what a view is a view of."""
    for operand in node.all_input_nodes:
        while _kind(operand) in VIEWS:
            operand = operand.all_input_nodes[0]
        yield operand


def _kind(node: Node) -> str:
    return node.target._schema.name.removeprefix("aten::") if isinstance(node.target, torch._ops.OpOverload) else ""


def _nodes(program: Program, *kinds: str) -> list[Node]:
    return [node for node in program.exported.graph.nodes if _kind(node) in kinds]


def _argument(node: Node, name: str) -> Any:
    """Return an argument, or what the operator takes where it is not given."""
    assert isinstance(node.target, torch._ops.OpOverload)
    arguments = node.target._schema.arguments
    place = [argument.name for argument in arguments].index(name)
    given = node.args[place] if place < len(node.args) else node.kwargs.get(name)
    return arguments[place].default_value if given is None else given


def _set(node: Node, name: str, value: Any) -> None:
    assert isinstance(node.target, torch._ops.OpOverload)
    place = [argument.name for argument in node.target._schema.arguments].index(name)
    if place < len(node.args):
        node.update_arg(place, value)
    else:
        node.update_kwarg(name, value)


def _padding(node: Node) -> Sequence[int]:
    padding = _argument(node, "padding")
    return [] if isinstance(padding, str) else padding


def _before(node: Node, target: Any, *operands: Any, like: Node | None = None) -> Node:
    """Return a new node in front of ``node`` that calls ``target``, its result said to be like that of ``like``."""
    with node.graph.inserting_before(node):
        made = node.graph.call_function(target, operands)
    source = like or next(each for each in operands if isinstance(each, Node))
    made.meta.update(source.meta)
    return made


def _give_way(program: Program, node: Node, other: Node) -> None:
    """Let ``other`` stand wherever ``node`` is read, in the program's signature too, and remove ``node``."""
    node.replace_all_uses_with(other)
    for spec in program.exported.graph_signature.output_specs:
        if getattr(spec.arg, "name", None) == node.name:
            spec.arg.name = other.name
    node.graph.erase_node(node)


def _told(node: Node, what: str) -> str:
    return f"'{node.name}' ({_kind(node)}): {what}"
