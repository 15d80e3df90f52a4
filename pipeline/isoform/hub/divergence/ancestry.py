"""Which operators give a tensor: back from it to what is known."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from isoform.hub.divergence.file import Step

Found = TypeVar("Found", bound=Step)


def ancestors(makers: Mapping[str, Found], output: str, known: Collection[str]) -> tuple[list[Found], list[str]]:
    """Return the steps that give ``output`` from tensors in ``known`` or the graph's inputs, and which those are.

    Args:
        makers: by tensor, the step that gives it.
    """
    steps, inputs = dict[Found, None](), dict[str, None]()
    waiting = [output]
    while waiting:
        step = makers[waiting.pop()]
        if step in steps:
            continue
        steps[step] = None
        for name in step.inputs:
            if name in known or name not in makers:
                inputs[name] = None
            else:
                waiting.append(name)
    return sorted(steps, key=lambda step: step.place), list(inputs)
