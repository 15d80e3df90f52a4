"""Near matches are the words that people meant, and no word is proposed where none is near."""

from pathlib import Path

import pytest

from isoform.core.format import FORMATS
from isoform.core.signature import DTYPES
from isoform.core.spelling import hint, near_path, nearest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tflit", "tflite"), ("TFLite", "tflite"), ("onx", "onnx"), ("saved_model", "savedmodel"),
        ("pytorch", "torch"), ("torch-script", "torchscript"), ("coreml", None), ("", None),
    ],
)  # fmt: skip
def test_a_format_is_found_from_what_people_type(typed: str, meant: str | None) -> None:
    assert nearest(typed, FORMATS) == meant


@pytest.mark.parametrize(("typed", "meant"), [("float", "float32"), ("int", "int64"), ("fp32", None)])
def test_of_words_equally_near_the_first_is_taken(typed: str, meant: str | None) -> None:
    assert nearest(typed, DTYPES) == meant


def test_a_hint_proposes_a_near_word_and_lists_all() -> None:
    assert hint("onx", ["keras", "onnx"]) == "Did you mean 'onnx'? One of: keras, onnx."
    assert hint("coreml", ["keras", "onnx"]) == "One of: keras, onnx."
    assert hint("any", [], "It has") == "It has: none."


def test_a_hint_does_not_list_thousands_of_words() -> None:
    assert hint("x", [f"input_{number}" for number in range(1000)]).endswith("input_23 and 976 more.")


def test_a_path_that_is_not_there_is_answered_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert near_path(tmp_path / "model.onx") == f"Did you mean {tmp_path / 'model.onnx'}?"
    assert near_path(tmp_path / "weights.safetensors") == "Check the path."
    assert near_path(tmp_path / "nowhere" / "model.onnx") == "Check the path."
