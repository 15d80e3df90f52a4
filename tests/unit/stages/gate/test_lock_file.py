"""parity.lock on disk: where its keys lead, what a command covers, what an update leaves alone."""

import json
from pathlib import Path

import pytest

from isoform.core.parity import Gate, ParityRecord
from isoform.core.verification import Verification
from isoform.errors import UsageError
from isoform.stages import gate

GATES = {"structure": Gate("PASS")}


def verification(path: Path, verdict: str = "PASS", runtime: str = "ort-cpu") -> Verification:
    return Verification(path, (ParityRecord(runtime, verdict, "", GATES),), 100, {"torch": "2.13.0"})


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock over two artifacts below ``exports``."""
    found = [verification(tmp_path / "exports" / name) for name in ("a", "b")]
    gate.against(tmp_path / "parity.lock", found, [tmp_path / "exports"], [], is_updated=True)
    return tmp_path / "parity.lock"


def keys(lock: Path) -> list[str]:
    return list(json.loads(lock.read_text())["artifacts"])


def test_keys_are_relative_to_the_lock_wherever_the_command_runs(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(lock) == ["exports/a on ort-cpu", "exports/b on ort-cpu"]
    monkeypatch.chdir(lock.parent / "..")
    found = [verification(Path(lock.parent.name, "exports", name)) for name in ("a", "b")]
    assert gate.against(lock, found, [Path(lock.parent.name)], [], is_updated=False) == []


def test_an_artifact_that_is_not_there_any_more_is_missed_below_the_paths_only(lock: Path) -> None:
    exports = lock.parent / "exports"
    found = [verification(exports / "a")]
    assert gate.against(lock, found, [exports / "a"], [], is_updated=False) == []
    [change] = gate.against(lock, found, [exports], [], is_updated=False)
    assert (change.key, change.is_regression) == ("exports/b on ort-cpu", True)


def test_a_runtime_that_was_not_asked_for_is_not_missed(lock: Path) -> None:
    exports = lock.parent / "exports"
    found = [verification(exports / name, runtime="ort-cuda") for name in ("a", "b")]
    changes = gate.against(lock, found, [exports], ["ort-cuda"], is_updated=False)
    assert [change.is_regression for change in changes] == [False, False]


def test_an_update_of_one_artifact_leaves_the_others(lock: Path) -> None:
    exports = lock.parent / "exports"
    gate.against(lock, [verification(exports / "a", "WARN")], [exports / "a"], [], is_updated=True)
    verdicts = {key: entry["verdict"] for key, entry in json.loads(lock.read_text())["artifacts"].items()}
    assert verdicts == {"exports/a on ort-cpu": "WARN", "exports/b on ort-cpu": "PASS"}


def test_a_check_writes_nothing(lock: Path) -> None:
    before = lock.read_bytes()
    gate.against(lock, [verification(lock.parent / "exports" / "a", "FAIL")], [lock.parent], [], is_updated=False)
    assert lock.read_bytes() == before


def test_a_lock_that_is_not_there_or_broken_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "parity.lock"
    with pytest.raises(UsageError) as caught:
        gate.against(path, [], [tmp_path], [], is_updated=False)
    assert (caught.value.what, caught.value.hint) == (f"{path}: there is no lock.", "Write one first: --update-lock")
    path.write_text('{"schema_version": 1')
    with pytest.raises(UsageError) as caught:
        gate.against(path, [], [tmp_path], [], is_updated=False)
    assert caught.value.what == f"{path}: This is not a lock, or not a whole one."
