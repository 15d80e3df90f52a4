"""``isoform cache``: what is said, how it ends, and that nothing is touched that was not named."""

import json
from pathlib import Path

import pytest

from isoform.cache import open_store
from isoform.cli.amounts import Age, Size
from isoform.errors import UsageError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with two results."""
    for number, (kind, name) in enumerate({"artifact": "net/torch/onnx", "training": "net/torch"}.items(), start=1):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "model").write_bytes(name.encode() * 100)
        open_store(str(tmp_path / "store"), pytest.fail).put(kind, f"{number:02x}" * 32, name, folder)
    return tmp_path / "store"


def test_a_list_has_a_line_for_each_result_and_one_for_all(answer, place: Path) -> None:
    told = answer("cache", "list", "--store", str(place))
    lines = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    assert [line.split()[:4] for line in lines[:2]] == [
        ["training", "net/torch", "900", "B"], ["artifact", "net/torch/onnx", "1.4", "kB"],
    ]  # fmt: skip
    assert lines[0].endswith(" UTC  020202020202")
    assert lines[2] == "2 results, 2.3 kB"


def test_the_store_may_be_named_by_the_environment(answer, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFORM_STORE", str(place))
    listed = json.loads(answer("cache", "list", "--json").out)
    assert [(entry["kind"], entry["size_bytes"], entry["files"]) for entry in listed["entries"]] == [
        ("artifact", 1400, 1), ("training", 900, 1),
    ]  # fmt: skip
    assert (listed["blobs"], listed["size_bytes"], listed["damaged"], listed["aside"]) == (2, 2300, 0, 0)


def test_a_name_with_control_characters_stays_on_its_line(answer, place: Path, tmp_path: Path) -> None:
    open_store(str(place), pytest.fail).put("artifact", "ff" * 32, "\x1b[2J\n::error::", tmp_path / "artifact")
    lines = answer("cache", "list", "--store", str(place)).out.splitlines()
    assert len(lines) == 4
    assert "\\x1b[2J\\x0a::error::" in lines[2]


def test_a_check_ends_with_1_where_something_is_damaged_and_then_with_0(answer, place: Path) -> None:
    whole = answer("cache", "verify", "--store", str(place))
    assert (whole.out, whole.code) == ("2 whole results, 2.3 kB hashed: no damage\n", 0)
    blob = next(path for path in (place / "blobs").rglob("*") if path.is_file() and path.stat().st_size == 900)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    found = answer("cache", "verify", "--store", str(place))
    assert found.code == 1
    assert found.out.splitlines() == [
        f"DAMAGED {blob.relative_to(place)}: these bytes do not have the digest of their name",
        "1 whole result, 2.3 kB hashed: 1 file damaged, set aside with what needs it",
    ]
    again = answer("cache", "verify", "--store", str(place), "--json")
    assert (json.loads(again.out), again.code) == ({"entries": 1, "size_bytes": 1400, "damaged": []}, 0)
    assert "1 result, 1.4 kB, 2 files set aside" in answer("cache", "list", "--store", str(place)).out


def test_pruning_says_what_goes_before_and_after(answer, place: Path) -> None:
    dry = answer("cache", "prune", "--store", str(place), "--all", "--kind", "training", "--dry-run")
    assert dry.out.splitlines()[0].startswith("would go: training net/torch  20")
    assert dry.out.splitlines()[1] == "1 result, 2 files, 900 B would go"
    done = answer("cache", "prune", "--store", str(place), "--all", "--kind", "training", "--json")
    assert json.loads(done.out)["entries"] == [{"kind": "training", "key": "02" * 32, "name": "net/torch"}]
    assert "1 result, 1.4 kB" in answer("cache", "list", "--store", str(place)).out


def test_pruning_by_age_or_size_takes_amounts_as_people_type_them(answer, place: Path) -> None:
    young = answer("cache", "prune", "--store", str(place), "--older-than", "30d", "--larger-than", "1MB")
    assert young.out == "0 results, 0 files, 0 B removed\n"
    large = answer("cache", "prune", "--store", str(place), "--larger-than", "1kB")
    assert large.out.splitlines()[-1] == "1 result, 2 files, 1.4 kB removed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cache", "list"], "Error: No store was named."),
        (["cache", "prune", "--store", "s"], "Error: Nothing says what may go."),
        (
            ["cache", "prune", "--store", "s", "--older-than", "30"],
            "Error: --older-than: '30' is no number with one of ",
        ),
        (["cache", "prune", "--store", "s", "--larger-than", "2 kilo"], "Error: --larger-than: '2 kilo' is no number"),
        (["cache", "prune", "--store", "s", "--all", "--kind", "artefact"], "Error: --kind: there is no 'artefact'."),
        (["cache", "list", "--store", "nowhere://x"], "Error: The store nowhere://x: 'nowhere' is no protocol."),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(answer, words: list[str], told: str) -> None:
    said = answer(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(told)
    assert said.err.splitlines()[1].startswith("hint: ")


def test_looking_at_a_store_that_is_not_there_makes_none(answer, tmp_path: Path) -> None:
    assert answer("cache", "list", "--store", "nothing").out == "0 results, 0 B\n"
    assert answer("cache", "verify", "--store", "nothing").code == 0
    assert answer("cache", "prune", "--store", "nothing", "--all").code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "seconds"), [("30d", 2592000), ("1.5h", 5400), ("2w", 1209600), ("90 s", 90)])
def test_ages(text: str, seconds: float) -> None:
    assert Age().convert(text, None, None) == seconds


@pytest.mark.parametrize(("text", "size"), [("20GB", 20 * 10**9), ("1.5GiB", 3 << 29), ("7 B", 7)])
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size
    with pytest.raises(UsageError):
        Size().convert("20", None, None)
