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


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 5, 4), (1, 2, 3, 4, 2)])
def test_the_largest_is_taken_along_every_axis_behind_the_channels(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    model = parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]> g (float x) => (float y) { y = GlobalMaxPool(x) }'
    )
    [found] = evaluator(model).run(None, {"x": x})
    wanted = x.reshape(*shape[:2], -1).max(-1).reshape(*shape[:2], *[1] * (len(shape) - 2))
    np.testing.assert_array_equal(found, wanted)


def test_what_a_loop_gives_in_each_round_gets_an_axis_of_its_own() -> None:
    model = parser.parse_model(
        """<ir_version: 9, opset_import: ["" : 18]> g (int64 n, float[2, 3] start) => (float last, float each) {
            go = Constant <value = bool {1}> ()
            last, each = Loop (n, go, start) <body = b (int64 i, bool c, float[2, 3] x)
                => (bool c_out, float[2, 3] x_out, float[2, 3] y) {
                    c_out = Identity (c)
                    x_out = Add (x, x)
                    y = Identity (x)
                }>
        }"""
    )
    start = np.arange(6, dtype=np.float32).reshape(2, 3)
    last, each = evaluator(model).run(None, {"n": np.array(4), "start": start})
    np.testing.assert_array_equal(last, 16 * start)
    np.testing.assert_array_equal(each, np.stack([start, 2 * start, 4 * start, 8 * start]))
