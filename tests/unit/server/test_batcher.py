"""Batching: everybody gets their own rows, whoever they were computed with; only shapes and room decide who that is."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.core.signature import Signature, TensorSpec
from isoform.server.batcher import Batcher, BatchOptions, Computed, Overloaded

Array = np.ndarray[Any, Any]


class Model:
    """Doubles ``x``; keeps the shapes that it was given, and waits before each run until it may go on."""

    def __init__(self, refused: float | None = None) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.samples: list[int] = []
        self.go = threading.Event()
        self._refused = refused

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.go.wait(10)
        self.shapes.append(inputs["x"].shape)
        if self._refused is not None and (inputs["x"] == self._refused).any():
            raise RuntimeError("refused")
        return {"y": 2 * inputs["x"]}

    def computed(self, samples: int, seconds: float) -> None:
        self.samples.append(samples)


def answers(model: Model, requests: list[Array], options: BatchOptions, is_batched: bool = True) -> list[Any]:
    """Return what each of ``requests`` gets, all of which wait before the model computes anything."""

    async def run() -> list[Any]:
        batcher = Batcher(model, is_batched, options, model)
        asking = [asyncio.ensure_future(batcher.submit({"x": each})) for each in requests]
        await asyncio.sleep(0)
        batcher.start()
        model.go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        await batcher.close()
        return found

    return asyncio.run(run())


def row(value: float, samples: int = 1, width: int = 2) -> Array:
    return np.full((samples, width), value)


REQUESTS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=12
)  # fmt: skip


@settings(deadline=None)
@given(requests=REQUESTS, most=st.integers(1, 8), is_batched=st.booleans())
def test_everybody_gets_twice_what_they_sent(requests: list[tuple[int, int, int]], most: int, is_batched: bool) -> None:
    model = Model()
    sent = [row(*each) for each in requests]
    found = answers(model, sent, BatchOptions(most, 0.0), is_batched)
    for mine, computed in zip(sent, found, strict=True):
        np.testing.assert_array_equal(computed.outputs["y"], 2 * mine)
        assert 0 <= computed.batch_begin <= computed.batch_size - len(mine)
    largest = max((len(each) for each in sent), default=0)
    assert all(shape[0] <= max(most, largest) for shape in model.shapes)
    assert sum(model.samples) == sum(map(len, sent))
    if not is_batched:
        assert len(model.shapes) == len(sent)


def test_what_waits_is_computed_together_up_to_the_most() -> None:
    model = Model()
    found = answers(model, [row(value) for value in range(5)], BatchOptions(2, 0.0))
    assert model.shapes == [(2, 2), (2, 2), (1, 2)]
    assert [(each.batch_size, each.batch_begin) for each in found] == [(2, 0), (2, 1), (2, 0), (2, 1), (1, 0)]


def test_other_sizes_wait_for_their_own_turn() -> None:
    model = Model()
    answers(model, [row(1), row(2, width=3), row(3)], BatchOptions(8, 0.0))
    assert model.shapes == [(2, 2), (1, 3)]


def test_nobody_is_overtaken_by_a_smaller_request_of_their_kind() -> None:
    model = Model()
    answers(model, [row(1, 3), row(2, 2), row(3, 1)], BatchOptions(4, 0.0))
    assert model.shapes == [(3, 2), (3, 2)]


def test_more_samples_than_the_most_are_computed_by_themselves() -> None:
    model = Model()
    answers(model, [row(1, 9), row(2)], BatchOptions(4, 0.0))
    assert model.shapes == [(9, 2), (1, 2)]


def test_one_that_the_model_refuses_fails_alone() -> None:
    found = answers(Model(refused=13), [row(1), row(13), row(2)], BatchOptions(8, 0.0))
    assert str(found[1]) == "refused"
    assert [found[index].outputs["y"][0, 0] for index in (0, 2)] == [2, 4]


def test_the_oldest_waits_for_others_where_the_model_is_free() -> None:
    async def run() -> tuple[Computed, Computed]:
        model = Model()
        model.go.set()
        batcher = Batcher(model, True, BatchOptions(2, max_delay_s=60), model)
        batcher.start()
        first = asyncio.ensure_future(batcher.submit({"x": row(1)}))
        await asyncio.sleep(0.01)
        assert not first.done()
        second = await batcher.submit({"x": row(2)})
        await batcher.close()
        return await first, second

    assert [each.batch_size for each in asyncio.run(run())] == [2, 2]


def test_no_more_wait_than_may() -> None:
    found = answers(Model(), [row(value) for value in range(5)], BatchOptions(1, 0.0, max_waiting=3))
    assert [isinstance(each, Overloaded) for each in found] == [False, False, False, True, True]


def test_an_output_without_a_row_for_each_sample_is_given_to_nobody() -> None:
    async def run() -> list[Any]:
        model = Model()
        batcher = Batcher(lambda inputs: {"y": np.zeros((1, 2))}, True, BatchOptions(2, 0.0), model)
        asking = [asyncio.ensure_future(batcher.submit({"x": row(value)})) for value in range(2)]
        await asyncio.sleep(0)
        batcher.start()
        found = await asyncio.gather(*asking, return_exceptions=True)
        await batcher.close()
        return found

    assert [each.batch_size for each in asyncio.run(run())] == [1, 1]


def spec(name: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name, "float32", shape)


@pytest.mark.parametrize(
    ("inputs", "outputs", "is_there"),
    [
        ((spec("x", "n", 3),), (spec("y", "n"),), True),
        ((spec("x", "n", 3), spec("z", "n", "length")), (spec("y", "n"),), True),
        ((spec("x", 1, 3),), (spec("y", 1),), False),
        ((spec("x", "n", 3), spec("z", "m")), (spec("y", "n"),), False),
        ((spec("x", "n", 3),), (spec("y", 3),), False),
        ((spec("x", "n", 3),), (spec("y", "n"), spec("loss")), False),
        ((spec("x", "n", "n"),), (spec("y", "n"),), False),
        ((spec("x", "n", 3),), (spec("y", "n", "n"),), False),
    ],
)
def test_a_batch_axis_comes_first_everywhere_and_stands_nowhere_else(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], is_there: bool
) -> None:
    assert Signature(inputs, outputs).has_batch_axis == is_there
