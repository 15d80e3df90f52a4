"""Dictionaries, dataclasses and tuples of tensors go in and come out under flat names."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from isoform.hub.torch_structure import arguments, named_tensors

pytestmark = pytest.mark.torch
A, B, C = (torch.full((1,), value) for value in (1.0, 2.0, 3.0))


@dataclass
class Pair:
    left: torch.Tensor
    right: Any = None


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
        (Pair(A, Pair(B)), ["left", "right_left"]),
        ({"boxes": Pair(A, (B, C))}, ["boxes_left", "boxes_right_0", "boxes_right_1"]),
        (None, []),
    ],
)
def test_tensors_are_named_by_their_keys_and_places(answer: Any, names: list[str]) -> None:
    found = dict(named_tensors(answer))
    assert list(found) == names
    assert [float(tensor) for tensor in found.values()] == [1.0, 2.0, 3.0][: len(names)]


class Plain(nn.Module):
    def forward(self, x, mask=None): ...


class Batch(nn.Module):
    def forward(self, batch, scale): ...


class Typed(nn.Module):
    def forward(self, pair: Pair): ...


class Many(nn.Module):
    def forward(self, *tensors): ...


@pytest.mark.parametrize(
    ("module", "given", "positional", "by_name"),
    [
        (Plain(), {"x": A}, (), {"x": A}),
        (Plain(), {"mask": B, "x": A}, (), {"mask": B, "x": A}),
        (Plain(), {"image": A}, (A,), {}),
        (Plain(), {"x_data": A}, (A,), {}),  # one tensor for one argument: it is the argument, not a value in it
        (Batch(), {"batch_image": A, "batch_ids": B, "scale": C}, (), {"batch": {"image": A, "ids": B}, "scale": C}),
        (Typed(), {"pair_left": A, "pair_right": B}, (), {"pair": Pair(A, B)}),
        (Many(), {"tensors_a": A, "tensors_b": B}, (A, B), {}),
    ],
)
def test_arguments_are_called_by_name_as_values_or_in_order(
    module: nn.Module, given: dict[str, torch.Tensor], positional: tuple[Any, ...], by_name: dict[str, Any]
) -> None:
    assert arguments(module, given) == (positional, by_name)
