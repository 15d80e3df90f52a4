"""The pytest plugin: a model's conversions as tests.

::

    @pytest.mark.parity(source="weights.pt", arch="net.py:build", inputs=["x:float32[batch,8]"], to=["onnx", "tflite"])
    def test_the_classifier_converts(isoform):
        assert isoform.result.model.stat().st_size < 1_000_000

runs once a format, and fails before its own lines unless the format passes. The arguments are those of
`isoform.convert`; paths are relative to the folder of the test's file. Without the mark the fixture converts and
verifies on demand. Nothing but pytest is imported until a test asks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from isoform.core.parity import ParityRecord
    from isoform.stages.export import Result

_FIXTURE = "isoform"
_RESULTS = pytest.StashKey[dict[str, "list[Result]"]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "parity(source, to, **options): convert SOURCE to each format and fail unless it passes."
    )
    config.stash[_RESULTS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("parity")
    if mark is None:
        return
    if mark.args or not {"source", "to"} <= mark.kwargs.keys():
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.nodeid}: write @pytest.mark.parity(source=..., to=[...])."
        )
    if _FIXTURE not in metafunc.fixturenames:
        metafunc.fixturenames.append(_FIXTURE)
    to = mark.kwargs["to"]
    metafunc.parametrize(_FIXTURE, [to] if isinstance(to, str) else list(to), indirect=True)


@pytest.fixture
def isoform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Isoform":
    """Convert and verify in a temporary folder; ``result`` is that of the ``parity`` mark."""
    return Isoform(request.path.parent, tmp_path_factory)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Prove a marked test's format before its own lines run: a difference fails the test, not its set-up."""
    mark = item.get_closest_marker("parity")
    if mark is None or not isinstance(item, pytest.Function):
        return
    fixture = item.funcargs[_FIXTURE]
    assert isinstance(fixture, Isoform), "the name of the fixture is taken by the test's own"
    cache, key = item.config.stash[_RESULTS], f"{item.path.parent} {sorted(mark.kwargs.items())!r}"
    if key not in cache:  # once for all formats: they share the source's references
        cache[key] = fixture.results(**mark.kwargs)
    fixture.result = next(result for result in cache[key] if result.format == item.callspec.params[_FIXTURE])
    _prove(fixture.result)


class Isoform:
    """What the fixture gives.

    Attributes:
        result: of the format that a marked test runs for.
    """

    result: "Result"

    def __init__(self, folder: Path, temporary: pytest.TempPathFactory) -> None:
        self._folder = folder
        self._temporary = temporary

    def results(self, source: str | Path, to: str | list[str], **options: Any) -> "list[Result]":
        """Return a result for each format, passed or not."""
        from isoform import api

        out = self._temporary.mktemp("isoform")
        formats = [to] if isinstance(to, str) else list(to)
        return api.convert(self._folder / source, formats, out=out, **self._located(options))

    def convert(self, source: str | Path, to: str | list[str], **options: Any) -> "list[Result]":
        """Return a result for each format; the test fails unless all of them pass."""
        found = self.results(source, to, **options)
        for result in found:
            _prove(result)
        return found

    def verify(self, path: str | Path, **options: Any) -> "list[ParityRecord]":
        """Return the records of an artifact, or of a file held against ``cases``; the test fails on any that fails."""
        from isoform import api

        records = api.verify(self._folder / path, **self._located(options))
        failed = [
            line for record in records if record.verdict not in ("PASS", "NOT VERIFIED") for line in record.lines()
        ]
        if failed or all(record.verdict == "NOT VERIFIED" for record in records):
            pytest.fail("\n".join(failed or [record.headline for record in records]), pytrace=False)
        return records

    def _located(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with the files they name found from the test's folder."""
        found = dict(options)
        if "cases" in found:
            found["cases"] = self._folder / found["cases"]
        arch = found.get("arch")
        if arch and (self._folder / arch.partition(":")[0]).is_file():
            found["arch"] = str(self._folder / arch)
        return found


def _prove(result: "Result") -> None:
    from isoform.core.parity import ParityRecord

    if result.status == "passed":
        return
    told = [line for record in result.parity.values() for line in ParityRecord.from_json(record).lines()]
    if result.error is not None:
        told = [result.error.what, f"hint: {result.error.hint}", *told]
    pytest.fail("\n".join([f"{result.format}: {result.status}", *told]), pytrace=False)
