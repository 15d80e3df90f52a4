"""What is built ahead is there when it is asked for, once, and its failure is that of whoever asks."""

import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.isolation import Answer
from isoform.routes import Route, ranked
from isoform.stages.export import ahead
from isoform.stages.export.ahead import Ahead, threads
from isoform.stages.export.build import Builder

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", 2)),))


class FakePool:
    """Writes a file for each conversion, and refuses those named; ``asked`` holds their names in order."""

    def __init__(self, refused: str = "") -> None:
        self.asked: list[str] = []
        self.refused = refused
        self.is_closed = False

    def call(self, function: str, arguments: Any, **words: Any) -> Answer:
        name = arguments["converter"]
        self.asked.append(name)
        if name == self.refused:
            raise IsoformError(f"{name} refuses.", "Take another.")
        source = arguments["source"]["model"]
        assert Path(source).exists()
        Path(arguments["target"]).write_text(f"{Path(source).read_text()} {name}")
        Path(f"{arguments['target']}.data").write_text("weights")
        return Answer({"versions": {}}, 0.1, 1, 0.1)

    def close(self) -> None:
        self.is_closed = True


def routes() -> list[Route]:
    """Return the first routes of a checkpoint to ONNX, SavedModel and TFLite: the latter pass ONNX."""
    found = [ranked("torch", "onnx")[0], ranked("torch", "savedmodel")[0], ranked("torch", "tflite")[0]]
    assert all(route.names[0] == "torch_to_onnx" for route in found)
    return found


def builder(folder: Path, pool: FakePool, held: Ahead) -> Builder:
    (folder / "w").write_text("source")
    source = Artifact("torch", folder / "w", SIGNATURE)
    workspace = folder / "work"
    workspace.mkdir()
    return Builder(source, pool, "keep", {}, workspace, held, {("torch_to_onnx",)})  # type: ignore[arg-type]


@pytest.mark.parametrize("is_ahead", [True, False])
def test_each_conversion_is_made_once_and_a_file_that_others_start_from_stays(tmp_path: Path, is_ahead: bool) -> None:
    pool = FakePool()
    with threads(pool, 1) as executor:  # type: ignore[arg-type]
        held = Ahead(executor)
        made = builder(tmp_path, pool, held)
        if is_ahead:
            held.begin(made.make, routes())
        for route, name in zip(routes(), ("model.onnx", "saved_model", "model.tflite"), strict=True):
            target = tmp_path / f"out-{name}"
            target.mkdir()
            built = made.build(route, target / name)
            assert built.artifact.model.read_text() == " ".join(["source", *route.names])
            assert sorted(path.name for path in target.iterdir()) == [name, f"{name}.data"]
            assert [step.converter for step in built.steps] == list(route.names)
            if built.onnx is not None:
                assert built.onnx.read_text() == "source torch_to_onnx"
    assert pool.asked == ["torch_to_onnx", "onnx_to_savedmodel", "onnx_to_tflite"]


def test_a_refusal_is_that_of_whoever_asks_and_the_others_go_on(tmp_path: Path) -> None:
    pool = FakePool("onnx_to_savedmodel")
    with threads(pool, 1) as executor:  # type: ignore[arg-type]
        held = Ahead(executor)
        made = builder(tmp_path, pool, held)
        held.begin(made.make, routes())
        with pytest.raises(IsoformError, match="onnx_to_savedmodel refuses"):
            made.build(routes()[1], tmp_path / "saved_model")
        assert made.build(routes()[2], tmp_path / "model.tflite").artifact.model.is_file()
    assert pool.asked.count("onnx_to_savedmodel") == 1


def test_a_witness_is_a_graph_that_stays_or_is_made(tmp_path: Path) -> None:
    pool = FakePool()
    with threads(pool, 1) as executor:  # type: ignore[arg-type]
        made = builder(tmp_path, pool, Ahead(executor))
        witness = made.witness()
        assert witness is not None
        for _ in range(2):
            assert made.witness() == witness
            assert witness.read_text() == "source torch_to_onnx"
            (tmp_path / "out").mkdir(exist_ok=True)
            made.build(routes()[0], tmp_path / "out" / "model.onnx")
    assert pool.asked == ["torch_to_onnx"]


def test_a_bug_in_the_other_thread_is_not_swallowed() -> None:
    def build(route: Route) -> object:
        raise ZeroDivisionError

    with threads(FakePool(), 1) as executor:  # type: ignore[arg-type]
        held = Ahead(executor)
        held.begin(build, routes()[:1])
        with pytest.raises(ZeroDivisionError):
            held.finish(routes()[0].names)


def test_a_route_that_is_not_built_ahead_waits_for_all_that_are() -> None:
    done, gate = [], threading.Event()

    def build(route: Route) -> object:
        gate.wait(10)
        done.append(route.names)
        return None

    with threads(FakePool(), 1) as executor:  # type: ignore[arg-type]
        held = Ahead(executor)
        held.begin(build, routes())
        threading.Timer(0.05, gate.set).start()
        held.finish(("another",))
        assert done == [route.names for route in routes()]


def test_an_interrupt_ends_what_is_being_built() -> None:
    pool, gate = FakePool(), threading.Event()
    pool.close = gate.set  # type: ignore[method-assign]

    def interrupted() -> None:
        with threads(pool, 1) as executor:  # type: ignore[arg-type]
            Ahead(executor).begin(lambda route: gate.wait(10), routes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert gate.is_set()


def test_a_refusal_of_the_system_leaves_the_pool_to_the_others() -> None:
    pool = Mock()
    with pytest.raises(OSError, match="full"), threads(pool, 1):
        raise OSError("full")
    pool.close.assert_not_called()


def test_what_has_not_begun_when_the_run_ends_never_does() -> None:
    begun, gate = [], threading.Event()

    def build(route: Route) -> object:
        begun.append(route.names)
        return gate.wait(10)

    with threads(FakePool(), 1) as executor:  # type: ignore[arg-type]
        Ahead(executor).begin(build, routes())
        while not begun:
            gate.wait(0.01)
        threading.Timer(0.05, gate.set).start()
    assert begun == [routes()[0].names]


@pytest.mark.parametrize(
    ("content", "has_room"),
    [("MemAvailable:  100 kB\n", False), ("MemTotal: 1 kB\nMemAvailable:  101 kB\n", True), (None, False)],
)
def test_there_is_room_for_ten_copies_or_nothing_is_made_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, has_room: bool
) -> None:
    if content is not None:
        (tmp_path / "meminfo").write_text(content)
    monkeypatch.setattr(ahead, "_MEMORY", tmp_path / "meminfo")
    assert ahead.has_room(10240) is has_room
