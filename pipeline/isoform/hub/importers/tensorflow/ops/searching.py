"""Where a number falls among sorted ones: by counting those below it."""

import numpy as np

from isoform.hub.importers.tensorflow.ops.table import Call, Form

_INT64 = 7


def bucketize(call: Call) -> str:
    """Return how many boundaries are not above each number."""
    boundaries = np.asarray(call.attribute("boundaries"), np.float32)
    x = call.make("Cast", call.inputs, to=1)
    lifted = call.make("Unsqueeze", [x, call.constant([-1], np.int64)])
    return _count(call, call.make("GreaterOrEqual", [lifted, call.constant(boundaries, np.float32)]))


def lower_bound(call: Call) -> str:
    """Return how many of each row's sorted numbers are below each of its values."""
    return _search(call, "Less")


def upper_bound(call: Call) -> str:
    """Return how many of each row's sorted numbers are not above each of its values."""
    return _search(call, "LessOrEqual")


def _search(call: Call, comparison: str) -> str:
    rows, values = call.inputs[:2]
    rows = call.make("Unsqueeze", [rows, call.constant([1], np.int64)])  # [row, 1, sorted]
    values = call.make("Unsqueeze", [values, call.constant([2], np.int64)])  # [row, value, 1]
    return _count(call, call.make(comparison, [rows, values]))


def _count(call: Call, flags: str) -> str:
    found = call.make("Cast", [flags], to=_INT64)
    total = call.make("ReduceSum", [found, call.constant([-1], np.int64)], keepdims=0)
    return call.make("Cast", [total], to=call.graph.get_dtype(call.node.output[0]))


FORMS: dict[str, Form] = {"Bucketize": bucketize, "LowerBound": lower_bound, "UpperBound": upper_bound}
