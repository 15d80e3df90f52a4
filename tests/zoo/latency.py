"""``python -m zoo.latency NAME FILE [PEER]``: milliseconds a call on LiteRT, one thread; with a peer also the ratio."""

import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from figures.blocks import compare
from zoo.catalogue import entries
from zoo.inputs import drawn

_ALONE_S = 2.0


def called(path: str, arrays: Sequence[Any]) -> Callable[[], object]:
    """Return a call of the file on ``arrays`` in the order of its inputs; of none, on zeros at the sizes it states."""
    interpreter = Interpreter(path, num_threads=1)
    details = sorted(interpreter.get_input_details(), key=_place)
    shapes = [[max(1, size) for size in each["shape_signature"]] for each in details]
    given = arrays or [np.zeros(shape, each["dtype"]) for shape, each in zip(shapes, details, strict=True)]
    for each, array in zip(details, given, strict=True):
        interpreter.resize_tensor_input(each["index"], array.shape, strict=True)
    interpreter.allocate_tensors()
    for each, array in zip(details, given, strict=True):
        interpreter.set_tensor(each["index"], array.astype(each["dtype"]))
    return lambda: interpreter.invoke()


def _place(details: dict[str, Any]) -> int:
    """Return the place of an input: litert-torch numbers the arguments, other files hold them in order."""
    number = re.search(r"args_(\d+)", details["name"])
    return int(number[1]) if number else 0


def alone(call: Callable[[], object]) -> float:
    """Return the median of the milliseconds a call over two seconds, and over five calls at least."""
    took: list[float] = []
    end = time.perf_counter() + _ALONE_S
    while len(took) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1e3


def main() -> None:
    name, *files = sys.argv[1:]
    arrays = list(drawn(entries()[name]).values())
    calls = [called(file, arrays) for file in files]
    figures: dict[str, Any] = {"ms": alone(calls[0])}
    if len(calls) > 1:
        figures |= compare(*calls)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
