"""The functions of the package: what they are, and that their words are those of the command line."""

import inspect

import pytest
from click import Option

import isoform
from isoform.api import _listed
from isoform.cli.convert import command
from isoform.errors import UsageError

OTHER_WORDS = {"targets": "to", "arch_arguments": "arch_arguments", "no_verify": "verify", "precisions": "precision"}
ONLY_TYPED = {"scheduler", "as_json", "is_dry", "jobs", "workers"}
"""What a program has no use for: it gets the records themselves, and has loops of its own."""


def test_the_public_names_are_these() -> None:
    assert isoform.__all__ == ["Result", "bench", "convert", "verify"]
    for name in isoform.__all__:
        assert getattr(isoform, name).__doc__
    with pytest.raises(AttributeError, match="^module 'isoform' has no attribute 'konvert'$"):
        isoform.konvert  # noqa: B018


def test_convert_takes_every_option_of_the_command_line() -> None:
    options = {str(parameter.name) for parameter in command.params if isinstance(parameter, Option)} - ONLY_TYPED
    words = {OTHER_WORDS.get(name, name.removeprefix("is_")) for name in options}
    assert words == set(inspect.signature(isoform.convert).parameters) - {"source"}


def test_targets_are_a_list_or_the_words_of_the_command_line() -> None:
    assert _listed("onnx, tflite") == _listed(["onnx", "tflite"]) == ("onnx", "tflite")
    assert _listed("") == ()


def test_a_wrong_request_is_an_exception_with_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        isoform.convert("nowhere.onnx", "tflite")
    assert caught.value.what == "nowhere.onnx: no such file or folder."
