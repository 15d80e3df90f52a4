"""The hint that asks for inputs shows the flags to add, whole."""

import pytest

from isoform.intake.proposal import proposed_flags

IMAGE = "image:float32[batch,3,224,224]"


@pytest.mark.parametrize(
    ("inputs", "readers", "optional", "is_run", "text"),
    [
        (
            [IMAGE], {"image": "Conv2d(3, 64)"}, [], True,
            "Add --input 'image:float32[batch,3,224,224]' "
            "('image' is read by Conv2d(3, 64); the network runs on this; a word is a dynamic dimension).",
        ),
        (
            ["ids:int64[batch,length]:0..9", "x:float32[batch]"], {"ids": "Embedding(10, 2)"}, ["mask"], True,
            "Add --input 'ids:int64[batch,length]:0..9' --input 'x:float32[batch]' "
            "('ids' is read by Embedding(10, 2); the network runs on this; a word is a dynamic dimension). "
            "Left out, as they may be: mask.",
        ),
        (
            ["x:float32[batch,7]"], {"x": "Linear(7, 2)"}, [], False,
            "Add --input 'x:float32[batch,7]' with sizes of your own "
            "('x' is read by Linear(7, 2); the network was not seen to run on this).",
        ),
        (
            ["x:DTYPE[DIM,...]"], {}, [], False,
            "Add --input 'x:DTYPE[DIM,...]' (for example 'image:float32[batch,3,224,224]').",
        ),
        (
            [], {}, [], False,
            "Declare each one, a word for a dynamic dimension: --input 'image:float32[batch,3,224,224]'",
        ),
    ],
)  # fmt: skip
def test_the_flags_are_those_to_type(inputs, readers, optional, is_run: bool, text: str) -> None:
    assert proposed_flags({"inputs": inputs, "readers": readers, "optional": optional, "is_run": is_run}) == text
