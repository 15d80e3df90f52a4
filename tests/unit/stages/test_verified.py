"""What was proved before is told again, and says so: of the same bytes on the same machine, never a failure."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isoform import registry, store
from isoform.cache import Store, open_store, upkeep
from isoform.core import machine
from isoform.core.parity import FAIL, NOT_VERIFIED, PASS, ParityRecord
from isoform.core.verification import Verification
from isoform.stages import verified

SIGNATURE = {"inputs": [], "outputs": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published artifact."""
    path = tmp_path / "net" / "onnx"
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"graph")
    (path / "cases.npz").write_bytes(b"cases")
    store.write_json(path / "artifact.json", {
        "schema_version": 1, "name": "net", "framework": "torch", "format": "onnx", "precision": "fp32",
        "model": "model.onnx", "signature": SIGNATURE, "files": store.inventory(path), "route": [],
    })  # fmt: skip
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), pytest.fail)


class Verifier:
    """Verifies by heart, and counts how often it was asked."""

    def __init__(self, *verdicts: str, during: Callable[[], object] = lambda: None) -> None:
        self._records = tuple(ParityRecord(f"runtime-{place}", verdict, "") for place, verdict in enumerate(verdicts))
        self._during = during
        self.calls = 0

    def __call__(self, path: Path, *_: object) -> Verification:
        self.calls += 1
        self._during()
        return Verification(path, self._records, 5, {"onnx": "1"})


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Verifier]:
    def use(*verdicts: str, during: Callable[[], object] = lambda: None) -> Verifier:
        found = Verifier(*verdicts, during=during)
        monkeypatch.setattr("isoform.stages.verify.verify_path", found)
        return found

    return use


def ask(folder: Path, cache: Store | None, runtimes: tuple[str, ...] = (), *, is_forced: bool = False) -> Verification:
    rows = [registry.runtime(name) for name in runtimes]
    return verified.verify_path(folder, None, rows, None, cache, is_forced=is_forced)  # type: ignore[arg-type]


def test_what_was_proved_is_told_again_with_its_day(folder: Path, cache: Store, verifier) -> None:
    asked = verifier(PASS, NOT_VERIFIED)
    first, second = ask(folder, cache), ask(folder, cache)
    assert asked.calls == 1
    assert first.of_store == ""
    assert second.of_store.startswith("from the store, of 20")
    assert replace(second, of_store="") == first
    assert first.to_json()["reused"] is None
    assert second.to_json()["reused"] == second.of_store


def test_without_a_store_or_by_force_it_is_proved_again(folder: Path, cache: Store, verifier) -> None:
    asked = verifier(PASS)
    ask(folder, None)
    ask(folder, cache)
    ask(folder, cache, is_forced=True)
    assert asked.calls == 3


@pytest.mark.parametrize("verdicts", [(FAIL,), (PASS, FAIL), (PASS, "INCONCLUSIVE"), ("ERROR",), (NOT_VERIFIED,)])
def test_what_is_not_proved_is_never_kept(folder: Path, cache: Store, verifier, verdicts: tuple[str, ...]) -> None:
    asked = verifier(*verdicts)
    ask(folder, cache)
    ask(folder, cache)
    assert asked.calls == 2
    assert upkeep.contents(cache.area).entries == ()


@pytest.mark.parametrize("name", ["model.onnx", "cases.npz", "artifact.json"])
def test_another_byte_in_any_file_is_another_artifact(folder: Path, cache: Store, verifier, name: str) -> None:
    asked = verifier(PASS)
    ask(folder, cache)
    status, content = (folder / name).stat(), (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + b" ")
    os.utime(folder / name, ns=(status.st_atime_ns, status.st_mtime_ns))  # as long as before, and as old
    ask(folder, cache)
    assert asked.calls == 2


@pytest.mark.parametrize("change", ["machine", "driver", "version", "runtime"])
def test_another_machine_or_package_has_proved_nothing_here(
    folder: Path, cache: Store, verifier, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    asked = verifier(PASS)
    ask(folder, cache)
    if change == "machine":
        here = replace(machine.describe(), cpu="another")
        monkeypatch.setattr(machine, "describe", lambda: here)
    elif change == "driver":
        monkeypatch.setattr(machine, "accelerators", lambda: ["580.65.06"])
    elif change == "version":
        monkeypatch.setattr(registry, "version_of", lambda name: "99")
    ask(folder, cache, ("ort-cpu",) if change == "runtime" else ())
    assert asked.calls == 2


def test_files_that_are_not_judged_do_not_matter(folder: Path, cache: Store, verifier) -> None:
    asked = verifier(PASS)
    ask(folder, cache)
    for name in ("bench.json", "attestation.json", "attestation.sig", "self_test.json"):
        (folder / name).write_text("{}")
    ask(folder, cache)
    assert asked.calls == 1


def test_an_artifact_that_changes_while_it_is_judged_is_not_kept(folder: Path, cache: Store, verifier) -> None:
    verifier(PASS, during=lambda: (folder / "model.onnx").write_bytes(b"other"))
    ask(folder, cache)
    assert upkeep.contents(cache.area).entries == ()
