"""Every row of the registry keeps what it promises. A new row is taken up by itself."""

import importlib
import inspect

import pytest

from isoform import registry
from isoform.core.format import FORMATS
from isoform.errors import UsageError
from isoform.isolation import Pool

OPTIONAL = ("executorch", "litert-torch", "openvino")
"""Extras that nothing else needs: litert-torch brings 1.1 GB, ExecuTorch 276 MB, and OpenVINO has not all wheels."""
CHECK = """
import importlib, inspect
def signatures(arguments, progress):
    module = importlib.import_module(arguments["module"])
    return {
        name: [str(p) for p in inspect.signature(getattr(module, name)).parameters]
        for name in arguments["names"] if hasattr(module, name)
    }
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory):
    with Pool(tmp_path_factory.mktemp("logs")) as pool:
        yield pool


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "contract_jobs.py").write_text(CHECK)
    return folder


def signatures(pool: Pool, root, row, names: list[str]) -> dict[str, list[str]]:
    """Return the parameters of a module's functions, asked of a child that holds its framework."""
    return pool.call(
        "contract_jobs:signatures", {"module": row.module, "names": names}, needs=row.extra, root=root
    ).value


@pytest.mark.parametrize("row", registry.CONVERTERS.values(), ids=lambda row: row.name)
def test_a_converter_offers_convert(pool: Pool, root, row: registry.Converter) -> None:
    if row.extra in OPTIONAL and registry.missing(row):
        pytest.skip(f"not installed: {registry.missing(row)[0]}")
    assert signatures(pool, root, row, ["convert"]) == {"convert": ["source", "target", "options"]}


@pytest.mark.parametrize("row", registry.RUNTIMES.values(), ids=lambda row: row.name)
def test_a_runtime_offers_load_and_weights(pool: Pool, root, row: registry.Runtime) -> None:
    if row.extra in OPTIONAL and registry.missing(row):
        pytest.skip(f"not installed: {registry.missing(row)[0]}")
    found = signatures(pool, root, row, ["load", "weights"])
    assert found == {"load": ["artifact", "options"], "weights": ["artifact"]}


@pytest.mark.parametrize("row", registry.RUNTIMES.values(), ids=lambda row: row.name)
def test_a_runtime_opens_known_formats(row: registry.Runtime) -> None:
    assert set(row.formats) <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_verified_on_a_runtime_or_is_a_source(name: str) -> None:
    rows = [row for row in registry.RUNTIMES.values() if name in row.formats]
    assert rows
    assert FORMATS[name].runtime in {row.name for row in rows}


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="There is no converter 'x_to_y'"):
        registry.converter("x_to_y")
    with pytest.raises(UsageError, match="There is no runtime 'tpu'"):
        registry.runtime("tpu")


def test_the_registry_imports_no_framework() -> None:
    source = inspect.getsource(importlib.import_module("isoform.registry"))
    assert "import torch" not in source
    assert "import tensorflow" not in source
