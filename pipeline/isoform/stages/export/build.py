"""Walking a route: each edge in a child, each intermediate file made once and shared by the routes that pass it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.layout import outside
from isoform.errors import IsoformError
from isoform.isolation import Pool
from isoform.registry import Converter
from isoform.routes import Route, ranked

MODEL_NAMES = {
    "keras": "model.keras",
    "onnx": "model.onnx",
    "pt2": "model.pt2",
    "savedmodel": "saved_model",
    "tflite": "model.tflite",
    "torchscript": "model.ts",
}


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
class Built:
    """A converted model that nobody has verified yet.

    Attributes:
        onnx: the last graph on the way to it, where the route passed one.
    """

    artifact: Artifact
    steps: tuple[Step, ...] = ()
    onnx: Path | None = None


@dataclass
class Builder:
    """Builds routes from one source.

    Attributes:
        layout: of images on the outside; where it is not "keep", ONNX on the way is given it.
        sizes: by dynamic dimension, those at which the source was seen to run.
        made, failed: what there is already, and what could not be made, by the names of the converters on the way.
    """

    source: Artifact
    pool: Pool
    layout: str
    sizes: Mapping[str, Sequence[int]]
    workspace: Path
    made: dict[tuple[str, ...], Built] = field(default_factory=dict)
    failed: dict[tuple[str, ...], IsoformError] = field(default_factory=dict)

    def build(self, route: Route, target: Path) -> Built:
        """Return the model at the end of ``route``, its last step written to ``target``.

        Raises:
            IsoformError: a converter refused, or its child died.
        """
        built = self._moved(Built(self.source), self.workspace / "source" / MODEL_NAMES["onnx"])
        for position, step in enumerate(route.steps, start=1):
            names = route.names[:position]
            is_last = position == len(route.steps)
            if not is_last and names in self.made:
                built = self.made[names]
                continue
            if names in self.failed:
                raise self.failed[names]
            path = target if is_last else self.workspace / "-".join(names) / MODEL_NAMES[step.target]
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                built = self._moved(self._step(built, step, path), path)
            except IsoformError as error:
                self.failed[names] = error
                raise
            if not is_last:
                self.made[names] = built
        return built

    def witness(self) -> Path | None:
        """Return a graph of the source, which tells what a converter that left none may have folded; None without."""
        ready = [built.artifact.model for built in self.made.values() if built.artifact.format == "onnx"]
        if ready:
            return ready[0]
        for route in ranked(self.source.format, "onnx"):
            with suppress(IsoformError):
                route.require()
                return self.build(route, self.workspace / "witness" / MODEL_NAMES["onnx"]).artifact.model
        return None

    def publish(self, route: Route, built: Built, folder: Path) -> None:
        """Let later routes start from a published artifact instead of making it again."""
        artifact = built.artifact.moved_to(folder / built.artifact.model.name)
        self.made[route.names] = replace(built, artifact=artifact)

    def _moved(self, built: Built, target: Path) -> Built:
        """Return a model in ONNX with its images as they are wanted outside, in ``target``; any other as it is."""
        before = built.artifact.signature
        after = outside(before, self.layout)
        if built.artifact.format != "onnx" or after == before:
            return built
        model = built.artifact.model
        if model == target:
            model = self.workspace / f"inside-{len(self.made)}" / target.name
            model.parent.mkdir(parents=True)
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
