"""What was printed is held against what is shown: exactly, but for what differs from run to run."""

import pytest

from docs.output import agrees


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("PASS  onnx\n", "PASS  onnx\n"),
        ("PASS  onnx", "PASS        onnx   \n"),
        ("   6.1 s  onnx", "  16.7 s  onnx"),
        ("0.2 bits lost, 23.3 correct", "1 bits lost, 22.9 correct"),
        ("PASS  35.9 kB  5.8  onnx -> tflite", "PASS  2 kB  17.3  onnx -> tflite"),
        ("sha256 ...", "sha256 ab12\nmore"),
        ("begin\n...\nend", "begin\n1\n2\nend"),
        ("begin\n...\nend", "begin\nend"),
        ("...\nend\n...", "end"),
        ("a ... (c)", "a b (c)"),
    ],
)
def test_it_agrees(shown: str, printed: str) -> None:
    assert agrees(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("PASS", "FAIL"),
        ("PASS", "PASS\nWARN"),
        ("PASS\nWARN", "PASS"),
        ("", "a warning"),
        ("3 artifacts", "4 artifacts"),
        ("6.1 s", "6.1 ms"),
        ("limit 8", "limit 4"),
        ("a.b", "axb"),
        ("begin ... end", "begin"),
        ("begin\n...", "beginning"),
        ("...\nend", "the end"),
    ],
)
def test_it_does_not(shown: str, printed: str) -> None:
    assert not agrees(shown, printed)
