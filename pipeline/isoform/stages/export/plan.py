"""What an export would do: a task for each format, its routes, and the key that tells whether it was done already."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import isoform
from isoform import registry, routes, store
from isoform.cache import Store, this_platform
from isoform.core.artifact import RECORD_NAME, SCHEMA_VERSION, Artifact
from isoform.core.layout import KEEP, outside
from isoform.core.precision import FP32, Variant
from isoform.stages.export.outlook import routes_to

_CODE = ("core", "converters", "hub", "runtimes", "jobs")


@dataclass(frozen=True)
class ExportRequest:
    """One source and what is wanted of it.

    Attributes:
        name: what the model is called in every record.
        framework: where it comes from: torch, keras, onnx ...
        out: the folder that gets one sub-folder a format.
        samples: an npz of representative inputs; None where there are none.
        cases: an npz of the user's own cases, used instead of generated ones.
        sizes: by dynamic dimension, those that generated cases take; the usual ones where it is not named.
        io_layout: "keep", "nhwc" or "nchw": the axes of images on the outside of what is written.
        origin: what the user named, where the source was made from it.
        notes: what was done to open it, a sentence each.
        variants: formats in their precisions.
        reproduce: the command that makes one of them again; ``{format}`` and ``{precision}`` stand for its names, the
            latter as ``spelt_precision`` says it, and for nothing in float32.
        cache: a store that is asked before anything is done, and keeps what passed.
    """

    source: Artifact
    name: str
    framework: str
    variants: tuple[Variant, ...]
    out: Path
    reproduce: str
    spelt_precision: str = " --precision {precision}"
    samples: Path | None = None
    cases: Path | None = None
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    io_layout: str = KEEP
    origin: Path | None = None
    notes: tuple[str, ...] = ()
    via: str | None = None
    avoid: tuple[str, ...] = ()
    is_verified: bool = True
    is_forced: bool = False
    cache: Store | None = None

    def command(self, variant: Variant) -> str:
        """Return the command that makes one variant again."""
        told = "" if variant.precision == FP32 else self.spelt_precision.format(precision=variant.precision)
        return self.reproduce.format(format=variant.format, precision=told)


@dataclass(frozen=True)
class Task:
    """One variant of one request.

    Attributes:
        key: digest of everything that the result depends on.
        source: digest of the source alone.
        is_current: a published artifact with this key is there, its files unaltered.
    """

    variant: Variant
    routes: tuple[routes.Route, ...]
    destination: Path
    key: str
    source: str
    is_current: bool

    @property
    def format(self) -> str:
        return self.variant.format

    @property
    def precision(self) -> str:
        return self.variant.precision

    @property
    def label(self) -> str:
        return self.variant.label


def plan(request: ExportRequest) -> list[Task]:
    """Return the tasks, cheapest first, so that a later route can start from an earlier result.

    Raises:
        NoRoute: nothing leads to one of the formats.
    """
    outside(request.source.signature, request.io_layout)
    source = source_digest(request.source)
    tasks = [_task(request, variant, source) for variant in request.variants]
    return sorted(tasks, key=lambda task: (len(task.routes[0].steps), task.label))


def is_unchanged(request: ExportRequest, task: Task) -> bool:
    """Tell whether every input still is, to the byte, what it was when the task was planned."""
    return _key(request, task.variant, task.routes, source_digest(request.source)) == task.key


def _task(request: ExportRequest, target: Variant, source: str) -> Task:
    found = routes_to(request.source.format, target, request.via, request.avoid, request.io_layout)
    destination = request.out / target.label
    key = _key(request, target, found, source)
    is_current = not request.is_forced and _is_current(destination, key)
    return Task(target, found, destination, key, source, is_current)


def _key(request: ExportRequest, target: Variant, found: tuple[routes.Route, ...], source: str) -> str:
    return store.digest_of(
        {
            "source": source,
            "inputs": [store.digest_file(path) if path else None for path in (request.samples, request.cases)],
            "tokenizer": store.digest_file(request.source.tokenizer) if request.source.tokenizer else None,
            "target": target.label,
            "routes": [route.names for route in found],
            "sizes": {symbol: list(sizes) for symbol, sizes in request.sizes.items()},
            "io_layout": request.io_layout,
            "is_verified": request.is_verified,
            "code": _code_digest(),
            "versions": versions(found) | _of_runtimes(request.source.format, target.format),
            "platform": this_platform(),
        }
    )


def source_digest(source: Artifact) -> str:
    """Return a digest of every byte that decides what ``source`` computes: weights, network code, signature."""
    model = source.model
    content: Any = store.digest_file(model) if model.is_file() else store.digest_files(model, ["**/*"])
    code: dict[str, Any] = {}
    if source.architecture is not None:
        files = store.digest_sources(source.architecture.root) if source.architecture.root else {}
        code = {
            "factory": source.architecture.factory,
            "arguments": dict(source.architecture.arguments),
            "files": files,
        }
    return store.digest_of({
        "format": source.format, "content": content, "code": code, "signature": source.signature.to_json(),
        "entry": source.entry,
    })  # fmt: skip


def versions(found: tuple[routes.Route, ...]) -> dict[str, str]:
    """Return the version of every package that these routes may use, without importing one."""
    needed = sorted({name for route in found for step in route.steps for name in step.needs})
    return {name: registry.version_of(name) for name in needed}


def _of_runtimes(source: str, target: str) -> dict[str, str]:
    """Return the versions of what gives the references and what proves the result, the graph in ONNX among it."""
    rows = (registry.source_runtime(source), *registry.runtimes_of(target))
    names = {"numpy", "onnx", "onnx_ir", *(name for row in rows for name in row.needs)}
    return {name: registry.version_of(name) for name in sorted(names)}


def _is_current(folder: Path, key: str) -> bool:
    record = store.read_json(folder / RECORD_NAME)
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION or record.get("key") != key:
        return False
    if not store.is_sealed(record) or record.get("status") == "failed":
        return False
    return not store.altered_files(folder, record["files"])


@functools.cache
def _code_digest() -> str:
    root = Path(isoform.__file__).parent
    return store.digest_of(store.digest_files(root, [f"{name}/**/*.py" for name in _CODE]))
