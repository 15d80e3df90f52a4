"""The exception tree: exit codes, and the way across a process border."""

import pickle

import pytest

from isoform import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.IsoformError("a", "b"), 4),
        (errors.UsageError("a", "b"), 2),
        (errors.MissingDependency("a", "b"), 3),
        (errors.UnsupportedOperator("a", "b"), 4),
        (errors.NoRoute("a", "b"), 4),
        (errors.ChildFailed("a", "b", kind="timeout"), 4),
    ],
)
def test_an_error_keeps_its_kind_and_exit_code_through_json(error: errors.IsoformError, code: int) -> None:
    again = errors.from_json(error.to_json())
    assert (again.what, again.hint, again.kind, again.exit_code) == ("a", "b", error.kind, code)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(errors.UsageError("what", "hint")))
    assert (error.what, error.hint) == ("what", "hint")


def test_a_name_in_a_file_ends_no_line_and_steers_no_terminal() -> None:
    error = errors.IsoformError("its graph has Add\n\x1b[2J\u202e, \x85.", "Rename\r\nit.")
    assert error.what == r"its graph has Add\x0a\x1b[2J\x202e, \x85."
    assert error.hint == r"Rename\x0d\x0ait."
    assert error.to_json() == errors.from_json(error.to_json()).to_json()


def test_a_missing_package_says_how_to_install_it() -> None:
    error = errors.MissingDependency.of("torch", "'torch-jit'", "torch")
    assert str(error) == "'torch-jit' needs the package 'torch', which is not installed."
    assert error.hint == "pip install 'isoform[torch]'"


def test_unsupported_operators_are_all_counted_and_eight_are_named() -> None:
    nodes = [f"'Op{i}' (node n{i}, opset 19)" for i in range(10)]
    error = errors.UnsupportedOperator.of(nodes, "TFLite")
    assert "'Op7'" in error.what
    assert "'Op8'" not in error.what
    assert error.what.endswith("and 2 more: no TFLite form here.")
