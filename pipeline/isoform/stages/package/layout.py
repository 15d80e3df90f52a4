"""What a package for a server is: files to write and files to copy, all known before one is touched."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from isoform import store
from isoform.core.artifact import Artifact
from isoform.core.signature import Signature
from isoform.errors import UsageError

Content = TypeVar("Content")


@dataclass(frozen=True)
class Request:
    """What is to be packaged.

    Attributes:
        name: what clients call the model.
        version: of the model, as servers count them; the largest one is served.
        why_not_batched: why the server must not compute requests together, "" where it may.
        max_batch: the most samples that are computed together, and the most in one request.
        max_delay_ms: how long a request waits for others.
        storage: where the cluster reads models from; None where nothing asks for it.
    """

    artifact: Artifact
    name: str
    version: int
    why_not_batched: str
    max_batch: int
    max_delay_ms: float
    storage: str | None

    @property
    def signature(self) -> Signature:
        return self.artifact.signature

    @property
    def delay_us(self) -> int:
        """How long a request waits for others, in microseconds."""
        return round(self.max_delay_ms * 1000)


@dataclass(frozen=True)
class Layout:
    """The files of a package, by their paths relative to its folder.

    Attributes:
        versions: the folders that hold one version of one model each; they are written whole or not at all.
        copies: files of the artifact, by where they go in a version.
        texts: what is written into versions.
        configurations: what all versions of a model have in common, beside them.
        lists: what every package in the folder stands in.
        start: the command that serves the package.
    """

    versions: tuple[str, ...]
    copies: Mapping[str, Path]
    texts: Mapping[str, str]
    configurations: Mapping[str, str]
    lists: Mapping[str, str]
    start: str

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the package, sorted."""
        return tuple(sorted((*self.copies, *self.texts, *self.configurations, *self.lists)))


def check(layout: Layout, out: Path) -> None:
    """Raise UsageError if a version is in ``out`` already, or other versions there have another configuration."""
    for version in layout.versions:
        if (out / version).exists():
            raise UsageError(
                f"{out / version}: this version is there already.", "Give another --version, or --force to replace it."
            )
    for name, text in layout.configurations.items():
        if (out / name).is_file() and (out / name).read_text(encoding="utf-8") != text:
            raise UsageError(
                f"{out / name}: the versions that are there have another configuration.",
                "Choose another --name or --out, or --force to replace the configuration of all versions.",
            )


def publish(layout: Layout, out: Path) -> None:
    """Write a package into the folder ``out``, beside what other packages are there."""
    for version in layout.versions:
        with store.publishing(out / version) as workspace:
            for name, source in _below(version, layout.copies):
                shutil.copyfile(source, _made(workspace / name))
            for name, text in _below(version, layout.texts):
                _made(workspace / name).write_text(text, encoding="utf-8")
    for name, text in {**layout.configurations, **layout.lists}.items():
        store.write_bytes(out / name, text.encode())


def _below(folder: str, files: Mapping[str, Content]) -> Iterator[tuple[str, Content]]:
    return ((name.removeprefix(f"{folder}/"), held) for name, held in files.items() if name.startswith(f"{folder}/"))


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def of_kubernetes(name: str) -> str:
    """Return ``name`` as a label of Kubernetes may be: lower-case letters, digits and dashes, a letter first."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].rstrip("-")
    return plain if plain[:1].isalpha() else f"model-{plain}".rstrip("-")
