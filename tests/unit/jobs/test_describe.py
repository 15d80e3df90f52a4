"""The names of what a module answers, however deep its tensors lie."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from isoform.jobs import describe

A, B, C = (np.full(1, value) for value in (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (A, ["output"]),
        ((A,), ["output"]),
        ((A, B), ["output_0", "output_1"]),
        ((A, (B, C)), ["output_0", "output_1_0", "output_1_1"]),
        ({"logits": A, "state": B}, ["logits", "state"]),
        (OrderedDict(logits=A, text={"last": B, "pooled": C}), ["logits", "text_last", "text_pooled"]),
        ({"levels": [A, B], "one": (C,)}, ["levels_0", "levels_1", "one"]),
        ({"loss": None, "logits": A, "is_final": True}, ["logits"]),
    ],
)
def test_tensors_are_named_by_their_keys_and_places(answer: Any, names: list[str]) -> None:
    found = describe._flat(answer)
    assert list(found) == names
    assert [float(value[0]) for value in found.values()] == [1.0, 2.0, 3.0][: len(names)]


def test_an_output_that_is_called_as_an_input_gets_a_name_of_its_own() -> None:
    assert list(describe.apart({"sample": A, "state": B}, ["sample", "step"])) == ["output_sample", "state"]
    taken = {"output_x": A, "x": B}
    assert list(describe.apart(taken, ["x"])) == ["output_x", "output_x_2"]
