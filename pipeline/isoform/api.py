"""The command line's verbs as functions; what they return are the records that ``--json`` prints.

The children that do the work are started for the call and gone when it returns.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.cache import Store, open_store
from isoform.core import profiles
from isoform.core.artifact import open_artifact
from isoform.core.bench import BenchOptions, BenchRecord
from isoform.core.format import lookup
from isoform.core.layout import KEEP
from isoform.core.parity import ParityRecord
from isoform.core.precision import FP32
from isoform.core.signature import TensorSpec
from isoform.isolation import Pool
from isoform.stages import bench as bench_stage
from isoform.stages import profile as targets
from isoform.stages import verify as verify_stage
from isoform.stages.convert import ConvertRequest
from isoform.stages.convert import convert as convert_stage
from isoform.stages.export import Result


def convert(
    source: str | Path,
    to: str | Sequence[str],
    *,
    arch: str | None = None,
    arch_arguments: Mapping[str, Any] | None = None,
    inputs: Sequence[str] = (),
    signature: str | None = None,
    cases: str | Path | None = None,
    out: str | Path = "exports",
    name: str | None = None,
    via: str | None = None,
    avoid: Sequence[str] = (),
    io_layout: str = KEEP,
    precision: str | Sequence[str] = FP32,
    profile: str | None = None,
    allow_pickle: bool = False,
    allow_nonfinite: bool = False,
    verify: bool = True,
    store: str | None = None,
    force: bool = False,
) -> list[Result]:
    """Return one result for each format in ``to`` and each ``precision``; a failed one says so in ``status``.

    The arguments have the words of the command line; see ``isoform convert --help``.

    Args:
        to: formats: ``"onnx,tflite"`` or ``["onnx", "tflite"]``.
        arch: ``file.py:callable`` or ``package.module:callable``, for files that hold weights only.
        inputs: as ``--input``: ``"image:float32[batch,3,224,224]"``, a word for a dynamic dimension.
        signature: which one of a SavedModel or TFLite file; ``serving_default``, or the only one, unless given.
        cases: an npz of your own inputs to verify with.
        io_layout: "keep", "nhwc" or "nchw": the axes on the outside; an input names its own as ``...]:NCHW``.
        precision: "fp32", "fp16", "bf16", "dynamic-int8" or "int8"; several as in ``to``.
        profile: "microcontroller", "phone", "browser" or "server": what such a target does not allow, in ``profile``.
        allow_pickle: let a PyTorch checkpoint run the code in it, in a child process; only if you trust who made it.
        store: a folder or URL with results to reuse, which gets new ones too; what is wrong in it is a warning.
        allow_nonfinite: weights may hold NaN and infinities.

    Raises:
        UsageError: the request has to be changed; nothing was converted.
        IsoformError: the source cannot be opened.
    """
    request = ConvertRequest(
        source=Path(source),
        formats=_listed(to),
        out=Path(out),
        reproduce=f"isoform.convert({str(source)!r}, to='{{format}}'{{precision}})",
        spelt_precision=", precision='{precision}'",
        name=name,
        arch=arch,
        arch_arguments=arch_arguments,
        inputs=[TensorSpec.parse(text) for text in inputs],
        signature=signature,
        cases=Path(cases) if cases else None,
        via=via,
        avoid=tuple(avoid),
        io_layout=io_layout,
        allow_pickle=allow_pickle,
        allow_nonfinite=allow_nonfinite,
        is_verified=verify,
        is_forced=force,
        precisions=_listed(precision),
        profile=profiles.lookup(profile) if profile is not None else None,
        cache=_opened(store),
    )
    with Pool(request.out / ".logs") as pool:
        return convert_stage(request, pool, lambda subject, text: None)


def _opened(url: str | None) -> Store | None:
    return None if url is None else open_store(url, lambda line: warnings.warn(line, stacklevel=2))


def _listed(to: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in (to.split(",") if isinstance(to, str) else to) if word.strip())


def verify(
    path: str | Path, *, cases: str | Path | None = None, runtimes: Sequence[str] = (), profile: str | None = None
) -> list[ParityRecord]:
    """Return one record a runtime for an artifact's folder, or for any model file held against ``cases``.

    Args:
        profile: adds a gate that fails where such a target does not allow something of the file.

    Raises:
        IsoformError: not an artifact, or its cases are damaged.
    """
    rows = [registry.runtime(runtime) for runtime in runtimes]
    target = Path(path)
    chosen = profiles.lookup(profile) if profile is not None else None
    with Pool() as pool:
        found = verify_stage.verify_path(target, Path(cases) if cases else None, rows, pool)
        return list((found if chosen is None else targets.judged(found, chosen, pool)).records)


def bench(path: str | Path, *, runtime: str | None = None, options: BenchOptions | None = None) -> BenchRecord:
    """Return what the artifact in ``path`` costs to run; ``bench.json`` beside it keeps the record.

    Raises:
        IsoformError: not an artifact, or the model did not load or run.
    """
    folder = Path(path)
    row = registry.runtime(runtime or lookup(open_artifact(folder).format).runtime)
    with Pool() as pool:
        record, _ = bench_stage.bench(folder, row, pool, options or BenchOptions())
    return record
