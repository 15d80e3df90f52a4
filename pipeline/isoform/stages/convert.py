"""The verb convert: one file of a user's to other formats, through intake and the export stage."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isoform import routes
from isoform.cache import Store
from isoform.core import profiles
from isoform.core.layout import KEEP
from isoform.core.precision import FP32, Variant, variants
from isoform.core.profiles import Profile
from isoform.core.signature import TensorSpec
from isoform.errors import UsageError
from isoform.intake.container import Container, identify
from isoform.intake.source import FileRequest, admitted, from_file
from isoform.isolation import Pool
from isoform.stages import export
from isoform.stages import profile as targets
from isoform.stages.export.run import Events
from isoform.stages.survey import ready_targets


@dataclass(frozen=True)
class ConvertRequest:
    """What ``isoform convert`` was asked for; see its help for each word."""

    source: Path
    formats: tuple[str, ...]
    out: Path
    reproduce: str
    name: str | None = None
    arch: str | None = None
    arch_arguments: Mapping[str, Any] | None = None
    inputs: Sequence[TensorSpec] = ()
    signature: str | None = None
    cases: Path | None = None
    via: str | None = None
    avoid: tuple[str, ...] = ()
    io_layout: str = KEEP
    allow_pickle: bool = False
    allow_nonfinite: bool = False
    is_verified: bool = True
    is_forced: bool = False
    precisions: tuple[str, ...] = (FP32,)
    profile: Profile | None = None
    spelt_precision: str = " --precision {precision}"
    cache: Store | None = None
    code: Path | None = None

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What is written.

        Raises:
            UsageError: no such format or precision, or a format that does not carry one.
        """
        return variants(self.formats, self.precisions)

    @property
    def file(self) -> FileRequest:
        return FileRequest(
            self.source,
            self.arch,
            self.arch_arguments,
            self.inputs,
            self.signature,
            self.allow_pickle,
            self.allow_nonfinite,
            self.code,
        )

    @property
    def model_name(self) -> str:
        """What the model is called, and the folder of its artifacts: the name given, else that of the file."""
        return self.name or Path(os.path.abspath(self.source)).name.split(".")[0] or "model"


def plan(request: ConvertRequest) -> tuple[Container, list[export.Outlook]]:
    """Return what the source is and what would be done for each variant; nothing is opened, started or written.

    Raises:
        UsageError: the request has to be changed.
        IsoformError: the source is damaged, would run code, or nothing leads to one of the formats.
    """
    _refuse_targets(request)
    if request.profile is not None:
        profiles.refuse(request.profile, request.variants)
    container, _ = admitted(request.file)
    return container, export.outlook(
        container.format,
        request.variants,
        request.out / request.model_name,
        via=request.via,
        avoid=request.avoid,
        io_layout=request.io_layout,
        is_verified=request.is_verified,
    )


def convert(request: ConvertRequest, pool: Pool, on_event: Events) -> list[export.Result]:
    """Return one result a variant; artifacts stand in ``out/<name>/<format>/``, or ``<format>-<precision>/``.

    Raises:
        UsageError: the request has to be changed; nothing was converted.
        IsoformError: the source cannot be opened.
    """
    plan(request)
    workspace = Path(tempfile.mkdtemp(prefix="isoform-convert."))
    try:
        on_event("", f"opening {request.source}")
        opened = from_file(request.file, pool, workspace)
        for note in opened.notes:
            on_event("", note)
        source = opened.artifact
        if request.profile is not None:
            profiles.refuse_sizes(request.profile, source.signature)
        wanted = export.ExportRequest(
            source=source,
            name=request.model_name,
            framework=source.format,
            variants=request.variants,
            out=request.out / request.model_name,
            reproduce=request.reproduce,
            spelt_precision=request.spelt_precision,
            cases=request.cases,
            sizes=opened.sizes,
            origin=request.source.resolve(),
            notes=opened.notes,
            via=request.via,
            avoid=request.avoid,
            io_layout=request.io_layout,
            is_verified=request.is_verified,
            is_forced=request.is_forced,
            cache=request.cache,
        )
        found = export.run(wanted, pool, on_event)
        return found if request.profile is None else [_held(result, request.profile, pool) for result in found]
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _held(result: export.Result, profile: Profile, pool: Pool) -> export.Result:
    """Return a result with what the target does not allow of its file."""
    return result if result.path is None else replace(result, profile=targets.gate(result.path, profile, pool))


def _refuse_targets(request: ConvertRequest) -> None:
    """Say what is wrong with the targets before anything about the source: it is what was typed last."""
    if request.variants:
        return
    container = identify(request.source)
    there = routes.targets(container.format)
    ready = ",".join(ready_targets(container.format))
    raise UsageError(
        f"No target format was given; {request.source} ({container.title}) can become {', '.join(there)}.",
        f"Add --to: {request.reproduce.format(format=ready, precision='')}",
    )
