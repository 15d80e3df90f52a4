"""Walking a route: each edge in a child, each intermediate file made once and shared by the routes that pass it."""

import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.format import lookup
from isoform.core.layout import outside
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.registry import Converter
from isoform.routes import Route, ranked
from isoform.stages.export.ahead import Ahead, Names


@dataclass(frozen=True)
class Step:
    """One edge as it ran."""

    converter: str
    versions: dict[str, str]
    seconds: float
    peak_rss_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "converter": self.converter,
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
            "peak_rss_bytes": self.peak_rss_bytes,
        }


@dataclass(frozen=True)
class Reduction:
    """What became of a float32 file on its way to a smaller precision.

    Attributes:
        float32: the file that it was made of; gate 1 traces weights through it.
        integers: the graph of integers that the file was written from, where it became one; ``float32`` is the graph
            before it then.
        kept: what stays in float32, by its name in the file.
        notes: why, a sentence each.
        figures: of integers: what the search tried, and how much of the arithmetic is of integers.
    """

    precision: str
    float32: Path
    integers: Path | None = None
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"kept": list(self.kept), "notes": list(self.notes), **self.figures}


@dataclass(frozen=True)
class Built:
    """A converted model that nobody has verified yet.

    Attributes:
        onnx: the last graph on the way to it, where the route passed one.
        reduction: how it came to less than float32, where it did.
    """

    artifact: Artifact
    steps: tuple[Step, ...] = ()
    onnx: Path | None = None
    reduction: Reduction | None = None


@dataclass
class Builder:
    """Builds routes from one source.

    Attributes:
        layout: of images on the outside; where it is not "keep", ONNX on the way is given it.
        sizes: by dynamic dimension, those at which the source was seen to run.
        ahead: what is built there already, or being built.
        shared: routes that others begin with, by the names of their converters, as below.
        made, failed: what is in the workspace already, and what could not be made.
        lock: of both, where formats are proved side by side.
    """

    source: Artifact
    pool: Pool
    layout: str
    sizes: Mapping[str, Sequence[int]]
    workspace: Path
    ahead: Ahead
    shared: Collection[Names] = ()
    made: dict[Names, Built] = field(default_factory=dict)
    failed: dict[Names, IsoformError] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def build(self, route: Route, target: Path) -> Built:
        """Return the model at the end of ``route``, in ``target``; what other routes pass stays in the workspace, too.

        Raises:
            IsoformError: a converter refused, or its child died.
        """
        self.ahead.finish(route.names)
        with self.lock:
            built = self.make(route)
            is_shared = route.names in self.shared
            for path in built.artifact.model.parent.iterdir():
                _place(path, target.parent / path.name, is_copied=is_shared)
            if not is_shared:
                del self.made[route.names]
        return replace(built, artifact=built.artifact.moved_to(target))

    def kept(self, route: Route) -> Built:
        """Return the model at the end of ``route``, which stays in the workspace: it is one of those that are shared.

        Raises:
            IsoformError: a converter refused, or its child died.
        """
        self.ahead.finish(route.names)
        with self.lock:
            return self.make(route)

    def make(self, route: Route) -> Built:
        """Return the model at the end of ``route``, in the workspace.

        Raises:
            IsoformError: a converter refused, or its child died.
        """
        built = self._source()
        for position, step in enumerate(route.steps, start=1):
            names = route.names[:position]
            if names in self.failed:
                raise self.failed[names]
            if names not in self.made:
                path = self.workspace / "-".join(names) / lookup(step.target).file_name
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self.made[names] = self._moved(self._step(built, step, path), path)
                except IsoformError as error:
                    self.failed[names] = error
                    raise
            built = self.made[names]
        return built

    def _source(self) -> Built:
        if () not in self.made:
            self.made[()] = self._moved(Built(self.source), self.workspace / "source" / lookup("onnx").file_name)
        return self.made[()]

    def witness(self) -> Path | None:
        """Return a graph of the source, which tells what a converter that left none may have folded; None without."""
        self.ahead.finish(())
        with self.lock:
            made = [self.made[names].artifact for names in self.shared if names in self.made]  # nobody takes them away
            ready = [artifact.model for artifact in made if artifact.format == "onnx"]
            if ready:
                return ready[0]
            for route in ranked(self.source.format, "onnx"):
                with suppress(IsoformError):
                    route.require()
                    return self.make(route).artifact.model
        return None

    def _moved(self, built: Built, target: Path) -> Built:
        """Return a model in ONNX with its images as they are wanted outside, in ``target``; any other as it is."""
        before = built.artifact.signature
        after = outside(before, self.layout)
        if built.artifact.format != "onnx" or after == before:
            return built
        model = built.artifact.model
        if model == target:
            model = target.parent.with_name(f"{target.parent.name}.inside") / target.name
            model.parent.mkdir()
            for file in target.parent.glob(f"{target.name}*"):
                file.rename(model.parent / file.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = self.pool.call(
            "isoform.jobs.layout:move",
            {"model": str(model), "target": str(target), "before": before.to_json(), "after": after.to_json()},
            needs="onnx",
        )
        done = Step(f"io_layout_{self.layout}", answer.value["versions"], answer.seconds, answer.peak_rss_bytes)
        return Built(replace(built.artifact, model=target, signature=after), (*built.steps, done), built.onnx)

    def _step(self, built: Built, step: Converter, path: Path) -> Built:
        architecture = built.artifact.architecture
        answer = self.pool.call(
            "isoform.jobs.convert:convert",
            {
                "converter": step.name,
                "source": built.artifact.to_json(),
                "target": str(path),
                "options": {"sizes": {symbol: list(sizes) for symbol, sizes in self.sizes.items()}},
            },
            needs=step.extra,
            root=architecture.root if architecture else None,
        )
        artifact = Artifact(step.target, path, built.artifact.signature, tokenizer=self.source.tokenizer)
        done = Step(step.name, answer.value["versions"], answer.seconds, answer.peak_rss_bytes)
        onnx = built.artifact.model if built.artifact.format == "onnx" else built.onnx
        return Built(artifact, (*built.steps, done), onnx)


def _place(path: Path, target: Path, *, is_copied: bool) -> None:
    if not is_copied:
        path.rename(target)
    elif path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copyfile(path, target)
