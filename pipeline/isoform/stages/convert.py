"""The verb convert: one file of a user's to other formats, through intake and the export stage."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.core.layout import KEEP
from isoform.core.signature import TensorSpec
from isoform.errors import UsageError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool
from isoform.stages import export
from isoform.stages.export.run import Events


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
    is_verified: bool = True
    is_forced: bool = False


def convert(request: ConvertRequest, pool: Pool, on_event: Events) -> list[export.Result]:
    """Return one result a format; artifacts stand in ``out/<name>/<format>/``.

    Raises:
        UsageError: the request has to be changed; nothing was converted.
        IsoformError: the source cannot be opened.
    """
    if not request.formats:
        raise UsageError("No target format was given.", "Add --to, for example: --to onnx,tflite")
    name = request.name or request.source.name.split(".")[0]
    workspace = Path(tempfile.mkdtemp(prefix="isoform-convert."))
    try:
        on_event("", f"opening {request.source}")
        file = FileRequest(
            request.source,
            request.arch,
            request.arch_arguments,
            request.inputs,
            request.signature,
            request.allow_pickle,
        )
        opened = from_file(file, pool, workspace)
        for note in opened.notes:
            on_event("", note)
        source = opened.artifact
        wanted = export.ExportRequest(
            source=source,
            name=name,
            framework=source.format,
            formats=request.formats,
            out=request.out / name,
            reproduce=request.reproduce,
            cases=request.cases,
            sizes=opened.sizes,
            origin=request.source.resolve(),
            notes=opened.notes,
            via=request.via,
            avoid=request.avoid,
            io_layout=request.io_layout,
            is_verified=request.is_verified,
            is_forced=request.is_forced,
        )
        return export.run(wanted, pool, on_event)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
