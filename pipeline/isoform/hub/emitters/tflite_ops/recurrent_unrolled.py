"""A recurrent layer step by step, for lengths that are fixed and short: no loop, more operators, less time.

A turn of a loop costs LiteRT about as much as five steps that stand one after the other.
"""

import numpy as np

from isoform.hub.emitters.tflite_builder import FlatFile, Tensor
from isoform.hub.emitters.tflite_ops.call import Call
from isoform.hub.emitters.tflite_ops.recurrent_layer import Layer, packed, reversed_in_time, unpacked

MOST_STEPS = 64
"""A layer that is longer becomes a loop."""
MOST_STEPS_OF_A_FILE = 256
"""What all layers of a file may take together, about 3,000 operators; those that follow become loops."""


def may_unroll(file: FlatFile, length: int | None) -> bool:
    """Return whether a layer of this length is written step by step; None stands for a dynamic length."""
    return length is not None and length <= MOST_STEPS and file.unrolled_steps + length <= MOST_STEPS_OF_A_FILE


def unrolled_layer(call: Call, layer: Layer) -> tuple[Tensor, list[Tensor]]:
    """Return the states of all steps [length, batch, units], meaningless where not read, and the last states."""
    now = unpacked(call.graph, layer.projected(call))
    call.graph.file.unrolled_steps += len(now)
    zeros = call.graph.constant(np.zeros((1, layer.cell.units), np.float32), f"{call.node.name}/zeros")
    states, put_out = [given or zeros for given in layer.initial], []
    for each in now:
        states = layer.cell.step(call.graph, each, states)
        put_out.append(states[0])
    if not layer.has_sequence:
        return states[0], states
    sequence = packed(call.graph, put_out)
    return reversed_in_time(call, sequence) if layer.is_reversed else sequence, states
