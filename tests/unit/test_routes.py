"""Routes over the registry's table."""

import pytest

from isoform.core.format import FORMATS
from isoform.errors import NoRoute, UsageError
from isoform.registry import CONVERTERS
from isoform.routes import ranked, targets


def test_the_cheapest_route_comes_first() -> None:
    found = [str(route) for route in ranked("keras", "savedmodel")]
    assert found == ["keras -> savedmodel", "keras -> onnx -> savedmodel"]


def test_a_second_way_between_the_same_formats_comes_after_the_first_and_says_so() -> None:
    found = [str(route) for route in ranked("torch", "onnx")]
    assert found[:2] == ["torch -> onnx", "torch -> onnx (traced)"]


def test_every_step_starts_where_the_last_one_ended() -> None:
    for source in FORMATS:
        for target in FORMATS:
            try:
                found = ranked(source, target)
            except (NoRoute, UsageError):
                continue
            for route in found:
                ends = [source, *(step.target for step in route.steps)]
                assert ends[-1] == target
                assert [step.source for step in route.steps] == ends[:-1]
                assert len(set(ends)) == len(ends)


def test_there_is_no_route_from_a_format_to_itself() -> None:
    with pytest.raises(UsageError, match="The source is onnx already."):
        ranked("onnx", "onnx")


def test_via_keeps_only_routes_that_pass_the_format() -> None:
    assert [str(route) for route in ranked("keras", "savedmodel", via="onnx")] == ["keras -> onnx -> savedmodel"]


def test_an_avoided_converter_is_not_used() -> None:
    found = ranked("keras", "savedmodel", avoid=("keras_to_savedmodel",))
    assert [route.names for route in found] == [("keras_to_onnx", "onnx_to_savedmodel")]


def test_no_route_says_under_which_conditions() -> None:
    with pytest.raises(NoRoute) as caught:
        ranked("torch", "keras", avoid=("torch_to_onnx",))
    assert caught.value.what == "No converter leads from torch to keras avoiding torch_to_onnx."
    assert caught.value.hint == "See what there is: isoform routes torch keras"


def test_a_file_in_ort_format_leads_everywhere_that_onnx_does() -> None:
    assert set(targets("ort")) == (set(targets("onnx")) | {"onnx"}) - {"ort"}


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="There is no format 'coreml'"):
        ranked("torch", "coreml")


def test_every_converter_connects_two_known_formats() -> None:
    for row in CONVERTERS.values():
        assert row.source in FORMATS
        assert row.target in FORMATS


def test_targets_are_what_a_chain_leads_to_those_first_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.registry.find_spec", lambda module: None if module == "torch" else module)
    assert targets("onnx") == ("openvino", "ort", "savedmodel", "tflite", "executorch", "pt2", "torchscript")
    assert targets("tflite") == ("onnx", "openvino", "ort", "savedmodel", "executorch", "pt2", "torchscript")
    assert targets("pt2")[:2] == ("executorch", "onnx")


def test_a_route_says_what_to_install_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoform.registry.find_spec", lambda module: None if module == "torch" else module)
    route = ranked("torch", "torchscript", via="onnx")[0]
    assert route.missing == ("pip install 'isoform[torch]'",)
