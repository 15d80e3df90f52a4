"""Pages that make their models in TensorFlow."""

from pathlib import Path

import pytest

from docs.listing import TENSORFLOW
from docs.session import follow
from saturation import exact_sums

IN_INTEGERS = "sources/tflite.md"
"""Converts a file of integers to ONNX."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=exact_sums if name == IN_INTEGERS else ()) for name in sorted(TENSORFLOW)]
)
def test_what_the_page_says_is_so(name: str, tmp_path: Path) -> None:
    follow(name, tmp_path)
