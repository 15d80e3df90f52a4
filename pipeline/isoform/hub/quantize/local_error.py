"""What rounding does in each layer by itself: given the float graph's own numbers, how far off is what it gives?

All layers are asked in one graph: beside each stands a second one that computes in integers, and what both give is
compared where it is computed, channel by channel, so that a run gives two numbers a channel and memory stays that of
the float graph. Not aware of what a layer's error does to the outputs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import initializer
from isoform.hub.quantization import Quantization
from isoform.hub.quantize import dynamic, static
from isoform.hub.quantize.calibration import Progress, Samples, runs
from isoform.hub.quantize.onnx_form import for_onnx_runtime
from isoform.hub.quantize.scales import UNSATURATED
from isoform.hub.quantize.units import Unit, fused, layers

_SECOND = "/second"
_OWN, _OFF = "/own", "/off"


def signal_to_noise(
    model: ir.Model, about: Mapping[str, Quantization] | None, samples: Samples, progress: Progress
) -> dict[str, float]:
    """Return, by the name of each layer, how far its signal is above what rounding adds to it, in decibels.

    Args:
        about: what the integers of activations stand for, by name; None where weights alone are stored as integers, and
            layers are asked in the operators that ONNX Runtime multiplies them with.
    """
    own = model.clone()
    names = [str(node.name) for node in own.graph]
    originals = {unit.name: unit for unit in layers(own.graph)}
    own.graph.outputs.clear()
    for unit in originals.values():
        _double(own.graph, list(fused(unit)))
    for node in list(own.graph):
        if node.name in names and static.is_only_stored(node):
            _double(own.graph, [node])
    if about is None:
        dynamic.store_layers(own.graph, names, UNSATURATED)
        static.store_rest(own.graph, names, UNSATURATED)
        for_onnx_runtime(own)
    else:
        seconds = [unit for unit in layers(own.graph) if unit.name.endswith(_SECOND)]
        static.insert(own, seconds, _of_seconds(seconds, originals, about), UNSATURATED)
        static.store_rest(own.graph, names, UNSATURATED)
    power: dict[str, list[Array]] = {}
    for place, found in enumerate(runs(own, samples), 1):
        for name, numbers in found.items():
            layer, _, part = name.rpartition("/")
            sums = power.setdefault(layer, [np.zeros(1), np.zeros(1)])
            sums[f"/{part}" == _OFF] = sums[f"/{part}" == _OFF] + numbers
        progress(step="layers", sample=place)
    return {layer: _decibels(*each) for layer, each in power.items()}


def _decibels(signal: Array, noise: Array) -> float:
    """Return the mean over channels of the noise beside the signal: one loud channel does not hide the others."""
    share = np.divide(noise, signal, out=(noise > 0).astype(np.float64), where=signal > 0).mean()
    return float(-10 * np.log10(share)) if share > 0 else float("inf")


def _double(graph: ir.Graph, nodes: Sequence[ir.Node]) -> None:
    """Put a second layer beside ``nodes``, and the sums of squares of what it gives and of how far the two differ."""
    made: dict[ir.Value, ir.Value] = {}
    seconds = []
    for node in nodes:
        inputs = [made.get(value, value) if value is not None else None for value in node.inputs]
        second = ir.Node(
            "", node.op_type, inputs, list(node.attributes.values()), num_outputs=len(node.outputs),
            name=f"{node.name}{_SECOND}",
        )  # fmt: skip
        for old, new in zip(node.outputs, second.outputs, strict=True):
            new.name, new.type, new.shape = f"{old.name}{_SECOND}" if old.name else "", old.type, old.shape
            made[old] = new
        seconds.append(second)
    first = next(value for value in nodes[-1].outputs if value.name)  # the first may be left out
    off = ir.node("Sub", [made[first], first])
    added = [off]
    for value, suffix in ((first, _OWN), (off.outputs[0], _OFF)):
        wide = ir.node("Cast", [value], {"to": int(ir.DataType.DOUBLE)})
        square = ir.node("Mul", [wide.outputs[0], wide.outputs[0]])
        axes = initializer(graph, f"{nodes[0].name}{suffix}/axes", np.array(_other_axes(nodes[0], first), np.int64))
        total = ir.node("ReduceSum", [square.outputs[0], axes], {"keepdims": 0})
        total.outputs[0].name = f"{nodes[0].name}{suffix}"
        total.outputs[0].type, total.outputs[0].shape = ir.TensorType(ir.DataType.DOUBLE), ir.Shape([None])
        graph.outputs.append(total.outputs[0])
        added += [wide, square, total]
    graph.insert_after(nodes[-1], [*seconds, *added])


def _other_axes(node: ir.Node, value: ir.Value) -> list[int]:
    """Return all axes but that of channels: the second of images, the last of rows."""
    rank = len(value.shape) if value.shape is not None else 1
    channels = 1 if node.op_type in ("Conv", "ConvTranspose") else rank - 1
    return [axis for axis in range(rank) if axis != channels]


def _of_seconds(
    seconds: Sequence[Unit], originals: Mapping[str, Unit], about: Mapping[str, Quantization]
) -> dict[ir.Value, Quantization]:
    found: dict[ir.Value, Quantization] = {}
    for unit in seconds:
        original = originals[unit.name.removesuffix(_SECOND)]
        found.update({value: about[str(value.name)] for value in unit.data})
        found[unit.output] = about[str(original.output.name)]
    return found
