"""Which formats carry which precision, what their folders are called, and how a refusal reads."""

import pytest

from isoform.core.precision import PRECISIONS, Variant, variants
from isoform.errors import UsageError


def test_every_precision_has_a_roundoff_and_only_those_of_less_than_float32_a_job() -> None:
    from isoform.core.numerics import UNIT_ROUNDOFF

    for row in PRECISIONS.values():
        assert row.roundoff in UNIT_ROUNDOFF
        assert bool(row.job) == row.is_reduced
        assert not (row.stored and row.is_integer)


def test_a_folder_bears_the_precision_unless_it_is_float32() -> None:
    assert [Variant("onnx").label, Variant("onnx", "fp16").label] == ["onnx", "onnx-fp16"]


def test_every_format_is_made_in_every_precision_once() -> None:
    found = variants(["onnx", "tflite", "onnx"], ["fp32", "int8", "fp32"])
    assert [each.label for each in found] == ["onnx", "onnx-int8", "tflite", "tflite-int8"]


def test_formats_that_nobody_named_are_left_out_of_what_they_do_not_carry() -> None:
    found = variants(["onnx", "savedmodel"], ["fp32", "int8"], is_default=True)
    assert [each.label for each in found] == ["onnx", "onnx-int8", "savedmodel"]


def test_a_named_format_that_does_not_carry_a_precision_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        variants(["onnx", "savedmodel"], ["fp16"])
    assert caught.value.what == "SavedModel does not carry fp16; onnx, tflite, torchscript do."
    assert caught.value.hint == "Leave savedmodel out of --to, or fp16 out of --precision."
    with pytest.raises(UsageError, match=r"^ONNX does not carry bf16; torchscript does\."):
        variants(["onnx"], ["bf16"])


def test_an_unknown_precision_says_what_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        variants(["onnx"], ["fp1"])
    assert caught.value.hint == "Did you mean 'fp16'? One of: fp32, fp16, bf16, dynamic-int8, int8."
