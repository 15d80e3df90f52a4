"""A damaged artifact among several is an error of its own: the others are still looked at."""

import json
from pathlib import Path

import pytest

import smallest_files


@pytest.fixture
def artifacts() -> None:
    for name in ("one", "two"):
        folder = Path("exports") / name
        folder.mkdir(parents=True)
        smallest_files.tflite(folder / "model.tflite")
    Path("exports/one/artifact.json").write_text('{"schema_version": 1')
    Path("exports/two/artifact.json").write_text('{"schema_version": 0}')


def test_each_is_told_with_its_hint_and_the_exit_code_is_4(answer, artifacts: None) -> None:
    out, err, code = answer("verify", "exports")
    assert (out, code) == ("", 4)
    lines = [line for line in err.splitlines() if not line.endswith("verifying")]
    assert len(lines) == 4
    assert lines[0].startswith("! exports/one ")
    assert "ERROR         artifact   exports/one/artifact.json: not valid JSON" in lines[0]
    assert "exports/two/artifact.json: written by another version of isoform." in lines[2]
    assert lines[1] == lines[3] == "    hint: Export this artifact again."


def test_as_json_both_are_in_the_document(answer, artifacts: None) -> None:
    out, err, code = answer("verify", "exports", "--json")
    assert code == 4
    assert "0.0 s  exports/one" in err, "progress goes to stderr"
    results = json.loads(out)["results"]
    assert [(row["path"], row["verdict"]) for row in results] == [("exports/one", "ERROR"), ("exports/two", "ERROR")]
    assert results[0]["parity"][0]["error"]["kind"] == "damaged"
