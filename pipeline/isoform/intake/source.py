"""Opening what a user hands over: a model folder with a manifest, or one file; the result is a source to export.

Files are looked at by their bytes here and opened only in a child interpreter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from isoform import registry
from isoform.core import format as formats
from isoform.core import spelling
from isoform.core.artifact import Architecture, Artifact
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError
from isoform.intake import published
from isoform.intake.container import Container, admit, identify
from isoform.intake.proposal import proposed_flags
from isoform.intake.repository import likely_builder, locate
from isoform.isolation import Pool

_WITHOUT_INPUTS = ("torch", "torchscript")
"""Formats whose files do not say what their inputs are."""
_WITH_SIGNATURES = ("savedmodel", "tflite")


class Where(TypedDict):
    """The child that opens a source: the framework it holds, and the user's code."""

    needs: str
    root: Path | None


@dataclass(frozen=True)
class FileRequest:
    """One file and what its owner says of it.

    Attributes:
        arch: ``file.py:callable`` or ``package.module:callable``, for files that hold weights only.
        arch_arguments: of that callable; for a folder with a configuration, settings of it to change.
        inputs: as on the command line; empty where the file says it.
        signature: the name of the one that is meant, of a file that may have several.
        allow_pickle: objects in a checkpoint may run code while it is loaded; its owner trusts who made it.
        allow_nonfinite: weights may hold NaN and infinities.
        code: the folder where a module that is named without a file is looked for; None for the current one.
    """

    path: Path
    arch: str | None = None
    arch_arguments: Mapping[str, Any] | None = None
    inputs: Sequence[TensorSpec] = ()
    signature: str | None = None
    allow_pickle: bool = False
    allow_nonfinite: bool = False
    code: Path | None = None


@dataclass(frozen=True)
class Source:
    """A file that was opened: its inputs and outputs are known.

    Attributes:
        sizes: by dynamic dimension, sizes at which it was seen to run.
        notes: what was done to open it that its owner should know, a sentence each.
    """

    artifact: Artifact
    sizes: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()


def from_file(request: FileRequest, pool: Pool, workspace: Path) -> Source:
    """Return the source that a file is.

    Args:
        workspace: gets a copy of a checkpoint that has to be written another way first.

    Raises:
        UsageError: something has to be added to the command; the hint shows the flag.
        MissingDependency: the framework of the file is not installed.
        IsoformError: the file cannot be opened or does not run.
    """
    container, architecture = admitted(request)
    name = container.format
    declared = Signature(tuple(request.inputs), ())
    source = Artifact(name, request.path.resolve(), declared, architecture, entry=request.signature)
    arguments = {
        "source": source.to_json(),
        "files": [str(file.resolve()) for file in container.files],
        "allow_pickle": request.allow_pickle,
        "allow_nonfinite": request.allow_nonfinite,
        "workspace": str(workspace),
    }
    runtime = registry.source_runtime(name)
    registry.require(runtime)
    where: Where = {"needs": runtime.extra, "root": _root(request, architecture)}
    is_published = architecture is not None and architecture.is_published
    if name in _WITHOUT_INPUTS and not request.inputs and not is_published:
        proposal = pool.call("isoform.jobs.propose:inputs", arguments, **where).value
        raise UsageError(
            f"{request.path}: {formats.lookup(name).title} does not say what its inputs are.",
            proposed_flags(proposal),
        )
    answer = pool.call("isoform.jobs.describe:describe", arguments, **where)
    found = Signature.from_json(answer.value["signature"])
    _refuse_unknown(found, request.inputs)
    sizes = {symbol: tuple(known) for symbol, known in answer.value["sizes"].items()}
    built = Architecture.from_json(answer.value["architecture"]) if answer.value["architecture"] else None
    opened = replace(source, model=Path(answer.value["model"]), signature=found, architecture=built)
    notes = (container.note, *answer.value["notes"])
    return Source(opened, sizes, tuple(note for note in notes if note))


def admitted(request: FileRequest) -> tuple[Container, Architecture | None]:
    """Return what the file is and what builds its network, as far as can be told without opening it in a framework.

    Raises:
        UsageError: something has to be added to the command, or left out.
        IsoformError: the file is damaged, or would run code.
    """
    container = identify(request.path)
    name = container.format
    sources = sorted({row.source for row in registry.CONVERTERS.values()})
    if name not in sources:
        raise UsageError(
            f"{request.path}: {formats.lookup(name).title} is not a source that can be converted.",
            f"Convert from one of: {', '.join(sources)}.",
        )
    admit(container, allow_pickle=request.allow_pickle and name == "torch", has_code=request.arch is not None)
    if request.signature is not None and name not in _WITH_SIGNATURES:
        raise UsageError(
            f"{request.path}: {formats.lookup(name).title} has no signatures to choose from.", "Leave out --signature."
        )
    return container, _architecture(request, name)


def _root(request: FileRequest, architecture: Architecture | None) -> Path | None:
    if architecture is not None:
        return architecture.root
    return (
        (request.code or Path.cwd()) if request.allow_pickle else None
    )  # where a pickled module looks for its classes


def _architecture(request: FileRequest, name: str) -> Architecture | None:
    if request.arch is None:
        named = published.read(request.path) if request.path.is_dir() and name == "torch" else None
        if named is not None:
            config = {**named.config, **(request.arch_arguments or {})}
            return Architecture.published(named.library, config, named.preprocessor)
        if formats.lookup(name).is_checkpoint and not request.allow_pickle:
            likely = likely_builder(request.path, name)
            raise UsageError(
                f"{request.path}: holds weights only, not the network.",
                f"Name what builds it; this seems to: --arch {likely}"
                if likely
                else "Name the function that builds it: --arch model.py:build or --arch package.module:Class",
            )
        return None
    place, separator, attribute = request.arch.rpartition(":")
    if not separator or not place or not attribute:
        raise UsageError(
            f"--arch '{request.arch}' is not FILE_OR_MODULE:CALLABLE.", "For example: --arch model.py:build"
        )
    arguments = dict(request.arch_arguments or {})
    if not place.endswith(".py"):
        return Architecture(request.code or Path.cwd(), request.arch, arguments)
    file = Path(place).resolve()
    if not file.is_file():
        raise UsageError(f"--arch: {place}: no such file.", spelling.near_path(Path(place)))
    root, module = locate(file)
    return Architecture(root, f"{module}:{attribute}", arguments)


def _refuse_unknown(found: Signature, inputs: Sequence[TensorSpec]) -> None:
    unknown = sorted({spec.name for spec in inputs} - {spec.name for spec in found.inputs})
    if unknown:
        raise UsageError(
            f"--input '{unknown[0]}': the model has no such input.",
            spelling.hint(unknown[0], [spec.name for spec in found.inputs], "Its inputs"),
        )
