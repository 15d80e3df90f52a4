"""How a factory is found: by module, by file, and what is said when it is not there."""

from pathlib import Path

import pytest

from isoform.core.artifact import Architecture
from isoform.errors import IsoformError
from isoform.hub.architecture import resolve


def test_a_module_on_the_path_and_a_file_below_the_root_both_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net_of_this_test.py").write_text("def build(size):\n    return size * 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    for factory in ("net_of_this_test:build", "net_of_this_test.py:build"):
        assert resolve(Architecture(tmp_path, factory))(size=4) == 8


def test_a_missing_file_and_a_missing_callable_are_named(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("")
    with pytest.raises(IsoformError) as caught:
        resolve(Architecture(tmp_path, "other.py:build"))
    assert caught.value.what == f"{tmp_path / 'other.py'}: no such file."
    with pytest.raises(IsoformError) as caught:
        resolve(Architecture(tmp_path, "net.py:build"))
    assert caught.value.what == "'net.py' has no callable 'build'."
    assert caught.value.hint == "It has: none."


def test_a_mistyped_callable_is_answered_with_what_the_file_defines_itself(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from dataclasses import dataclass\ndef build_model(): ...\nclass Net: ...")
    with pytest.raises(IsoformError) as caught:
        resolve(Architecture(tmp_path, "net.py:build_modl"))
    assert caught.value.hint == "Did you mean 'build_model'? It has: build_model, Net."
