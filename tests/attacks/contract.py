"""The contract of shared/faults, held against one spoiled input after the other on warm children.

A command that is handed a spoiled file ends with a documented exit code and no traceback; the file is byte-identical
afterwards, an earlier result untouched, and nothing partial stands under a final name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from attacks.command import isoform
from isoform import errors, store
from isoform.core.artifact import RECORD_NAME
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

DOCUMENTED = (errors.OK, errors.RESULT_FAILED, *(kind.exit_code for kind in (errors.UsageError, errors.IsoformError)))
Spoiled = Iterable[Mapping[Path, bytes]]


def opened(request: FileRequest, spoiled: Spoiled, pool: Pool, workspace: Path) -> Counter[str]:
    """Return how often the source of ``request`` was "opened" or refused as which kind, spoiled in so many ways."""
    honest = {path: path.read_bytes() for path in _files(request.path)}
    from_file(request, pool, workspace)
    kinds: Counter[str] = Counter()
    for changes in spoiled:
        _write({**honest, **changes})
        try:
            from_file(request, pool, workspace)
            kinds["opened"] += 1
        except IsoformError as error:
            kinds[error.kind] += 1
            assert error.exit_code in DOCUMENTED  # noqa: PT017
            assert error.hint  # noqa: PT017
            assert "\n" not in error.what  # noqa: PT017
        assert {path: path.read_bytes() for path in _files(request.path)} == {**honest, **changes}
    _write(honest)
    return kinds


def held(source: Path, spoiled: Spoiled, *options: str) -> Counter[int]:
    """Return how often ``isoform convert source options`` ended with which exit code; fail where the contract breaks.

    Args:
        spoiled: the files to change, and their bytes; the rest of the source stays as it is.
    """
    folder = source.parent
    found = isoform("convert", source.name, *options, "--name", "earlier", cwd=folder)
    assert found.code == 0, found.stderr
    honest = {path: path.read_bytes() for path in _files(source)}
    earlier = _contents(folder / "exports" / "earlier")
    codes: Counter[int] = Counter()
    for changes in spoiled:
        _write({**honest, **changes})
        found = isoform("convert", source.name, *options, "--name", "later", "--force", cwd=folder)
        codes[found.code] += 1
        assert found.code in DOCUMENTED, found.stderr
        assert "Traceback" not in found.stderr
        assert {path: path.read_bytes() for path in _files(source)} == {**honest, **changes}
        assert _contents(folder / "exports" / "earlier") == earlier
        _assert_whole(folder / "exports" / "later")
    _write(honest)
    return codes


def _files(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())


def _write(files: Mapping[Path, bytes]) -> None:
    for path, data in files.items():
        path.write_bytes(data)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _assert_whole(out: Path) -> None:
    """Fail unless every folder under a final name holds what its record says, and nothing else stands there."""
    for path in out.iterdir() if out.exists() else ():
        if path.is_dir():
            record = store.read_json(path / RECORD_NAME)
            assert record is not None, f"{path} has no record"
            assert store.altered_files(path, record["files"]) == []
        else:
            assert path.name.endswith(".failure.json"), path
