"""A store in S3, on a server that the tests start: the same results, the same care, one line where it is not there."""

import json
import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from isoform.cache import Store, open_store, upkeep
from isoform.cache.entry import entry_name
from isoform.cache.upkeep import Rule

KEY = "ab" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer("127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty folder of a bucket."""
    access = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**access, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="results")
    return f"s3://results/{uuid.uuid4().hex}"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "result"
    (folder / "variables").mkdir(parents=True)
    (folder / "model.bin").write_bytes(bytes(range(256)) * 40_000)  # more than one part of an upload
    (folder / "variables" / "ä b").write_bytes(b"small")
    return folder


def is_same(copy: Path, result: Path) -> bool:
    return all(
        (copy / path.relative_to(result)).read_bytes() == path.read_bytes()
        for path in result.rglob("*")
        if path.is_file()
    )


def objects(url: str) -> list[str]:
    prefix = url.removeprefix("s3://results/") + "/"
    found = boto3.client("s3").list_objects_v2(Bucket="results", Prefix=prefix).get("Contents", [])
    return [each["Key"].removeprefix(prefix) for each in found]


def flip(url: str, name: str) -> None:
    client, key = boto3.client("s3"), f"{url.removeprefix('s3://results/')}/{name}"
    content = bytearray(client.get_object(Bucket="results", Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    client.put_object(Bucket="results", Key=key, Body=bytes(content))


def test_results_come_back_from_a_bucket_in_another_process_of_the_same_key(
    url: str, result: Path, tmp_path: Path
) -> None:
    writer, reader = (open_store(url, pytest.fail) for _ in range(2))
    assert reader.get("artifact", KEY, tmp_path / "copy") is None
    writer.put("artifact", KEY, "net", result)
    assert reader.get("artifact", KEY, tmp_path / "copy") is not None
    assert is_same(tmp_path / "copy", result)
    assert sorted(name.partition("/")[0] for name in objects(url)) == ["blobs", "blobs", "entries"]


@pytest.mark.parametrize("is_hit", [True, False], ids=["by a hit", "by a check"])
def test_a_flipped_bit_in_any_object_is_found_and_set_aside(
    url: str, result: Path, tmp_path: Path, is_hit: bool
) -> None:
    told: list[str] = []
    store = open_store(url, told.append)
    store.put("artifact", KEY, "net", result)
    for name in objects(url):
        flip(url, name)
        if is_hit:
            assert store.get("artifact", KEY, tmp_path / "copy") is None
            assert "set aside, and done again" in told.pop()
        else:
            assert [each.name for each in upkeep.verify(store.area).damaged] == [name]
        assert name not in objects(url)
        store.put("artifact", KEY, "net", result)
    assert store.get("artifact", KEY, tmp_path / "copy") is not None
    assert is_same(tmp_path / "copy", result)


def test_an_object_that_is_gone_is_a_miss(url: str, result: Path, tmp_path: Path) -> None:
    told: list[str] = []
    store = open_store(url, told.append)
    store.put("artifact", KEY, "net", result)
    store.area.remove(next(name for name in objects(url) if name.startswith("blobs")))
    assert store.get("artifact", KEY, tmp_path / "copy") is None
    assert " are gone; set aside, and done again" in told[0]


def test_pruning_leaves_an_empty_bucket_and_what_is_being_written(url: str, result: Path) -> None:
    import datetime as dt

    store = open_store(url, pytest.fail)
    store.put("artifact", KEY, "net", result)
    store.area.add(f"blobs/cd/{'cd' * 32}", result / "variables" / "ä b")
    gone = upkeep.prune(store.area, Rule(is_all=True), dt.datetime.now(dt.UTC))
    assert [entry.name for entry in gone.entries] == ["net"]
    assert objects(url) == [f"blobs/cd/{'cd' * 32}"]
    assert store.area.age_s(f"blobs/cd/{'cd' * 32}") < upkeep.GRACE_S


def isoform(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_line_lists_and_checks_a_bucket(url: str, result: Path) -> None:
    open_store(url, pytest.fail).put("artifact", KEY, "net/torch/onnx", result)
    listed = json.loads(isoform("cache", "list", "--store", url, "--json").stdout)
    assert [(entry["kind"], entry["name"]) for entry in listed["entries"]] == [("artifact", "net/torch/onnx")]
    flip(url, entry_name("artifact", KEY))
    checked = isoform("cache", "verify", "--store", url)
    assert checked.returncode == 1
    assert f"DAMAGED {entry_name('artifact', KEY)}: its manifest is damaged" in checked.stdout


def test_a_bucket_that_is_not_there_is_never_made(url: str) -> None:
    told = isoform("cache", "list", "--store", "s3://another/path")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.splitlines()[0] == "Error: The store s3://another/path: there is no bucket 'another'."


def test_a_server_that_does_not_answer_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    told = isoform("cache", "list", "--store", url)
    assert (told.returncode, told.stdout) == (4, "")
    first, hint = told.stderr.splitlines()
    assert first.startswith(f"Error: The store {url} does not answer: ")
    assert hint == "hint: Check the address and your credentials, or leave out --store."


def test_a_server_that_goes_away_stops_no_work(url: str, result: Path, tmp_path: Path) -> None:
    class Gone:
        def __getattr__(self, name: str) -> object:
            raise OSError("the connection is lost")

    told: list[str] = []
    store: Store = open_store(url, told.append)
    store.area._files = Gone()  # type: ignore[attr-defined]
    assert store.get("artifact", KEY, tmp_path / "copy") is None
    store.put("artifact", KEY, "net", result)
    assert told == [
        f"store {url}: nothing is taken out of it: the connection is lost; the work goes on without",
        f"store {url}: nothing more is put into it: the connection is lost; the work goes on without",
    ]
