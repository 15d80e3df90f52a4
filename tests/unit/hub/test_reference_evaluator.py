"""Operators of ONNX' reference evaluator that are put right: against values computed by hand."""

import numpy as np
import pytest
from onnx import parser

from isoform.hub.reference_evaluator import evaluator


@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [((1, 512), (1, 16), 1), ((40, 3), (2, 3), 0), ((4, 40, 2), (3, 5, 1), -2), ((40,), (7,), 0)],
)
def test_gather_elements_picks_from_more_than_32_and_where_indices_span_less(
    shape: tuple[int, ...], indices: tuple[int, ...], axis: int
) -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal(shape).astype(np.float32)
    places = rng.integers(-shape[axis], shape[axis], indices)
    model = parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]> g (float x, int64 i) => (float y)'
        f" {{ y = GatherElements<axis={axis}>(x, i) }}"
    )
    [found] = evaluator(model).run(None, {"x": data, "i": places})
    expected = np.empty(indices, np.float32)
    for place in np.ndindex(*indices):
        wanted = list(place)
        wanted[axis] = places[place] % shape[axis]
        expected[place] = data[tuple(wanted)]
    np.testing.assert_array_equal(found, expected)
