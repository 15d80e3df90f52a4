"""What targets refuse of files that are described by hand."""

from typing import Any

import pytest

from isoform.core.precision import Variant
from isoform.core.profiles import PROFILES, Finding, allowed, findings, lookup, refuse, refuse_sizes
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError


def held(
    format_name: str = "tflite", dtype: str = "int8", shape: tuple[Any, ...] = (1, 4), **more: Any
) -> dict[str, Any]:
    side = [{"name": "x", "dtype": dtype, "shape": list(shape)}]
    given = {"operators": {"CONV_2D": 2}, "precision": {"int8": 9, "int32": 3}, "size_bytes": 1000}
    return {"format": format_name, **given, "signature": {"inputs": side, "outputs": []}, **more}


def refused(name: str, file: dict[str, Any]) -> list[str]:
    return [each.what for each in findings(lookup(name), file) if each.is_refused]


@pytest.mark.parametrize(("file", "expected"), [
    (held(), []),
    (held(dtype="float32"), ["x:float32"]),
    (held(shape=("batch", 4)), ["x[batch,4]"]),
    (held(operators={"CONV_2D": 2, "TOPK_V2": 1}), ["TOPK_V2 x1"]),
    (held(operators={"CUSTOM FlexErf": 1}), ["CUSTOM FlexErf x1"]),
    (held(precision={"float32": 7}), ["7 numbers in float32"]),
    (held("onnx"), ["format onnx"]),
])  # fmt: skip
def test_a_microcontroller_takes_integers_of_known_sizes(file: dict[str, Any], expected: list[str]) -> None:
    assert refused("microcontroller", file) == expected


@pytest.mark.parametrize(("file", "expected"), [
    (held(dtype="float32", shape=("batch", 4), operators={"TOPK_V2": 1}), []), (held("ort"), []),
    (held(operators={"CUSTOM FlexErf": 1}), ["CUSTOM FlexErf x1"]), (held(dtype="float64"), ["x:float64"]),
    (held("savedmodel"), ["format savedmodel"]),
])  # fmt: skip
def test_a_phone_takes_what_litert_has_itself(file: dict[str, Any], expected: list[str]) -> None:
    assert refused("phone", file) == expected


def test_a_browser_runs_outside_of_webgpu_what_has_no_kernel_there() -> None:
    found = findings(lookup("browser"), held("onnx", operators={"Conv": 1, "NonMaxSuppression": 3}))
    assert [(each.what, each.is_refused) for each in found] == [("NonMaxSuppression x3", False)]
    assert refused("browser", held("onnx", operators={}, size_bytes=2 << 30)) == [f"{2 << 30} bytes"]


def test_a_server_takes_everything() -> None:
    assert findings(lookup("server"), held("savedmodel", dtype="float64", operators={"CUSTOM x": 1})) == []


def test_what_is_refused_says_why() -> None:
    assert findings(PROFILES["microcontroller"], held("onnx")) == [
        Finding("format onnx", "TensorFlow Lite Micro opens tflite")
    ]


def test_a_name_that_is_no_profile_is_a_mistake_with_a_hint() -> None:
    with pytest.raises(UsageError, match="There is no profile 'phon'") as raised:
        lookup("phon")
    assert "phone" in raised.value.hint


@pytest.mark.parametrize(("name", "variant", "what", "hint"), [
    ("phone", Variant("onnx"), "The profile phone takes no onnx: LiteRT or ONNX Runtime opens ort and tflite.",
     "Convert to what it opens: --to ort,tflite"),
    ("microcontroller", Variant("tflite", "dynamic-int8"),
     "The profile microcontroller takes no dynamic-int8: it has no float32.", "Choose another one: --precision int8"),
])  # fmt: skip
def test_what_no_model_may_be_is_refused_before_any_work(name: str, variant: Variant, what: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse(lookup(name), [variant])
    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_what_a_target_takes_is_let_through() -> None:
    refuse(lookup("microcontroller"), [Variant("tflite", "int8")])
    refuse(lookup("browser"), [Variant("onnx"), Variant("ort")])
    refuse(lookup("server"), [Variant("savedmodel"), Variant("torchscript", "bf16")])


def test_open_sizes_are_refused_where_all_have_to_be_known() -> None:
    signature = Signature((TensorSpec("x", "float32", ("batch", 4)),), ())
    refuse_sizes(lookup("phone"), signature)
    with pytest.raises(UsageError) as caught:
        refuse_sizes(lookup("microcontroller"), signature)
    assert caught.value.what == "The profile microcontroller takes no open sizes: x:float32[batch,4]."
    assert caught.value.hint == "Declare a number for each: --input 'x:float32[1,4]'"


def test_layouts_that_cost_copies_are_said_and_refuse_nothing() -> None:
    images = {"inputs": [{"name": "x", "dtype": "float32", "shape": [1, 3, 8, 8], "layout": "NCHW"}], "outputs": []}
    found = findings(lookup("phone"), held(signature=images, layout_changes=2))
    why = "convolutions in tflite are NHWC only"
    assert found == [
        Finding("2 transposes beside convolutions", f"{why}: each one copies an image", False),
        Finding("x:NCHW", f"{why}: --io-layout nhwc", False),
    ]
    assert findings(lookup("phone"), held("ort", signature=images)) == []
    assert findings(lookup("server"), held("savedmodel", signature=images, layout_changes=2)) == []


@pytest.mark.parametrize(("name", "precisions", "layouts"), [
    ("microcontroller", ["int8"], {"tflite": "NHWC"}),
    ("phone", ["fp32", "fp16", "dynamic-int8", "int8"], {"ort": "NCHW", "tflite": "NHWC"}),
    ("server", ["fp32", "fp16", "bf16", "dynamic-int8", "int8"], "any"),
])  # fmt: skip
def test_a_profile_says_what_it_allows(name: str, precisions: list[str], layouts: Any) -> None:
    found = allowed(lookup(name))
    assert (found["precisions"], found["layouts"]) == (precisions, layouts)
