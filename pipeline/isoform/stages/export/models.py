"""From a manifest to export requests: which source, which formats, which samples."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoform.cache import Store
from isoform.core import spelling
from isoform.core.model import Model, load_manifest
from isoform.core.precision import Variant, variants
from isoform.errors import UsageError
from isoform.stages.export.plan import ExportRequest
from isoform.stages.train import TrainRecord

TARGETS = ("onnx", "savedmodel", "tflite", "torchscript")


def load_models(folders: Sequence[Path], parameters: Mapping[str, Any]) -> tuple[Model, ...]:
    """Return the models of ``folders``; each parameter goes to the manifests that have it.

    Raises:
        UsageError: a folder has no manifest, or no manifest has one of the parameters.
    """
    plain = [load_manifest(folder) for folder in folders]
    for name in parameters:
        if not any(name in model.parameters for model in plain):
            known = sorted({key for model in plain for key in model.parameters})
            raise UsageError(f"No model here has the parameter '{name}'.", spelling.hint(name, known, "There are"))
    return tuple(
        load_manifest(folder, {key: value for key, value in parameters.items() if key in model.parameters})
        for folder, model in zip(folders, plain, strict=True)
    )


def variants_of(model: Model, formats: tuple[str, ...], precisions: tuple[str, ...]) -> tuple[Variant, ...]:
    """Return what is made of ``model``: the formats named, else all; the precisions named, else the manifest's.

    Raises:
        UsageError: no such format or precision, or a format that was named does not carry a precision that was.
    """
    is_default = not (formats and precisions)
    return variants(formats or TARGETS, precisions or model.precisions, is_default=is_default)


def request_for(
    trained: TrainRecord,
    variants: tuple[Variant, ...],
    out: Path,
    *,
    is_verified: bool = True,
    is_forced: bool = False,
    cache: Store | None = None,
) -> ExportRequest:
    """Return the export of one trained model: ``out/<model>/<framework>/<format>/``, or ``<format>-<precision>/``."""
    model = trained.model
    words = [shlex.quote(_as_typed(model.root)), "--framework", trained.framework, "--to", "{format}"]
    words += ["--out", shlex.quote(str(out))]
    words += [word for name, value in model.overridden.items() for word in ("-p", shlex.quote(f"{name}={value}"))]
    return ExportRequest(
        source=trained.source,
        name=model.label,
        framework=trained.framework,
        variants=variants,
        out=out / model.label / trained.framework,
        reproduce=" ".join(["isoform", "export", *words]) + "{precision}",
        samples=trained.samples,
        is_verified=is_verified,
        is_forced=is_forced,
        cache=cache,
    )


def _as_typed(root: Path) -> str:
    """Return the folder relative to the current one where it is inside it."""
    return str(root.relative_to(Path.cwd())) if root.is_relative_to(Path.cwd()) else str(root)
