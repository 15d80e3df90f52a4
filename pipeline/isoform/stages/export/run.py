"""Converting, verifying and publishing one source, variant by variant."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from isoform import registry, store
from isoform.core import cases as case_files
from isoform.core import format as formats
from isoform.core import generation
from isoform.core import precision as precisions
from isoform.core.artifact import CASES_NAME, RECORD_NAME, size_bytes
from isoform.core.cases import Cases
from isoform.core.layout import move_cases
from isoform.core.parity import FAIL, Gate, ParityRecord, worst
from isoform.core.precision import FP32
from isoform.errors import InputChanged, IsoformError, MissingDependency
from isoform.isolation import Pool
from isoform.routes import Route
from isoform.stages import decisions, reference, semantics, verify
from isoform.stages.export import ahead, record, samples, stored
from isoform.stages.export.build import Builder, Built
from isoform.stages.export.plan import ExportRequest, Task, is_unchanged, plan
from isoform.stages.export.reduce import reduced
from isoform.stages.export.result import Attempt, Result

Events = Callable[[str, str], None]
"""Called with a variant and what happens to it now; ("", text) concerns the source."""


def run(request: ExportRequest, pool: Pool, on_event: Events) -> list[Result]:
    """Return one result a variant, in the order of the request; what failed says so and the rest goes on.

    Raises:
        NoRoute: nothing leads to one of the formats; nothing was started.
    """
    tasks = plan(request)
    store.remove_abandoned(request.out)
    results = {task.label: stored.shared(request, task, _reused(request, task)) for task in tasks if task.is_current}
    for name in results:
        on_event(name, "unchanged")
    for task in (task for task in tasks if not task.is_current):
        told = stored.taken(request, task)
        if told is not None:
            results[task.label] = _reused(request, task)
            on_event(task.label, told)
    pending = [task for task in tasks if task.label not in results]
    if pending:
        with store.workspace(request.out) as folder:
            results |= _run_pending(request, pending, pool, on_event, folder)
    return [results[variant.label] for variant in request.variants]


def _run_pending(
    request: ExportRequest, tasks: list[Task], pool: Pool, on_event: Events, workspace: Path
) -> dict[str, Result]:
    asked = request
    missing = {task.label: error for task in tasks if (error := _missing(task))}
    results = {task.label: _failed(request, task, [], missing[task.label]) for task in tasks if task.label in missing}
    possible = [task for task in tasks if task.label not in missing]
    if not possible:
        return results
    has_room = request.is_verified and ahead.has_room(size_bytes(request.source.model))
    with ahead.threads(pool, 1) as first, ahead.threads(pool, 2 if has_room else 1) as others:
        shared = {route.names[:end] for task in possible for route in task.routes for end in range(1, len(route.steps))}
        shared |= {route.names for task in possible if task.precision != FP32 for route in task.routes}
        builds = ahead.Ahead(first)
        builder = Builder(request.source, pool, request.io_layout, request.sizes, workspace, builds, shared)
        if has_room:
            builds.begin(builder.make, list({route.names: route for route in map(_first, possible)}.values()))
        try:
            known = _reference(request, possible, pool, on_event, workspace)
        except IsoformError as error:
            return results | {task.label: _failed(request, task, [], error) for task in possible}
        if known is not None and known.notes:
            for note in known.notes:
                on_event("", note)
            request = replace(request, notes=(*request.notes, *known.notes))
        exporters = [Exporter(request, task, builder, known, pool, on_event) for task in possible]
        found = others.map(lambda task, exporter: stored.kept(asked, task, exporter.run()), possible, exporters)
        return results | {task.label: result for task, result in zip(possible, found, strict=True)}


def _first(task: Task) -> Route:
    """Return the first route whose packages are here; one is, unless the task was left out."""
    return next(route for route in task.routes if not route.missing)


def _missing(task: Task) -> MissingDependency | None:
    """Return what the first route lacks, where every route lacks a package."""
    first = None
    for route in task.routes:
        try:
            route.require()
        except MissingDependency as error:
            first = first or error
        else:
            return None
    return first


def _reference(
    request: ExportRequest, tasks: Sequence[Task], pool: Pool, on_event: Events, workspace: Path
) -> reference.Reference | None:
    if not request.is_verified:
        return None
    on_event("", "recording reference outputs")
    found = stored.reference_of(request, _cases(request), pool, on_event, workspace / "reference")
    if all(task.precision == FP32 for task in tasks):
        return found
    on_event("", "recording what it decides on samples of its task")
    return replace(found, decisions=decisions.record(request.source, samples.to_decide_on(request), pool))


def _cases(request: ExportRequest) -> Cases:
    test = samples.test_data(request)
    generated = partial(generation.generate, request.source.signature, [test] if test else [], request.sizes)
    return samples.of_the_user(request) or generated()


class Exporter:
    """Takes one variant through its routes until one of them gives a model that computes the same function."""

    def __init__(
        self,
        request: ExportRequest,
        task: Task,
        builder: Builder,
        known: reference.Reference | None,
        pool: Pool,
        on_event: Events,
    ) -> None:
        self._request = request
        self._task = task
        self._builder = builder
        self._reference = known
        self._pool = pool
        self._on_event = on_event
        self._tried: list[Attempt] = []

    def run(self) -> Result:
        """Return what came of it; an artifact is published if any route gave a file."""
        begin = time.monotonic()
        result = None
        for route in self._task.routes:
            result = self._attempt(route) or result
            if result is not None and (result.status != "failed" or self._task.precision != FP32):
                break  # of two files of a smaller precision none is truer: every route rounds
            if self._tried and isinstance(self._tried[-1].error, InputChanged):
                break  # every route would be refused alike
        if result is None:
            result = _failed(self._request, self._task, self._tried, self._tried[0].error)
        return replace(result, seconds=time.monotonic() - begin, tried=tuple(self._tried))

    def _attempt(self, route: Route) -> Result | None:
        """Return the result of one route, or None where no file came of it."""
        name = self._task.label
        try:
            route.require()
            with store.publishing(self._task.destination) as folder:
                self._on_event(name, f"converting {route}")
                built = self._built(route, folder / formats.lookup(self._task.format).file_name)
                records = self._verified(built, folder)
                result = self._publish(route, built, records, folder)
        except IsoformError as error:
            self._tried.append(Attempt(route.names, error))
            self._on_event(name, f"left {route}: {error.what}")
            return None
        with suppress(FileNotFoundError):
            record.failure_path(self._task).unlink()
        return result

    def _built(self, route: Route, target: Path) -> Built:
        """Return the model at the end of ``route`` in the precision of the task, as the file ``target``."""
        precision = self._task.precision
        if precision == FP32:
            return self._builder.build(route, target)
        built = self._builder.kept(route)
        self._on_event(self._task.label, f"reducing to {precision}")
        workspace = self._builder.workspace / f"{precision}-{'-'.join(route.names)}-{self._task.format}"
        return reduced(built, target, precision, self._calibration(built, workspace), workspace, self._pool)

    def _calibration(self, built: Built, workspace: Path) -> Path | None:
        """Return a file of representative inputs as ``built`` takes them, none of them a sample of gate 4."""
        if not precisions.lookup(self._task.precision).is_integer:
            return None
        path = workspace.with_name(f"{workspace.name}.npz")
        found = samples.to_calibrate_with(self._request)
        case_files.save(move_cases(found, self._request.source.signature, built.artifact.signature), path)
        return path

    def _verified(self, built: Built, folder: Path) -> list[ParityRecord]:
        """Return a record for each runtime, the cases and the ledger of weights left beside the model."""
        if self._reference is None:
            return []
        weights, ledger = self._weights(built, self._reference.weights)
        store.write_json(folder / verify.LEDGER_NAME, ledger)
        cases = move_cases(self._reference.cases, self._request.source.signature, built.artifact.signature)
        case_files.save(cases, folder / CASES_NAME)
        function = self._function(built, cases)
        known = self._reference.decisions if self._task.precision != FP32 else None
        if known is not None:
            known = move_cases(known, self._request.source.signature, built.artifact.signature)
            case_files.save(known, folder / decisions.TASK_NAME)
        records = []
        for row in registry.runtimes_of(self._task.format):
            self._on_event(self._task.label, f"verifying on {row.name}")
            records.append(verify.verify(built.artifact, cases, row, self._pool, weights, function, decided=known))
        return records

    def _function(self, built: Built, cases: Cases) -> Gate:
        """Return gate 2."""
        made = built.reduction
        if made is None or made.integers is None:
            return semantics.evaluate(built.artifact, cases, self._pool, built.onnx)
        return semantics.of_integers(built.artifact, cases, made.float32, made.integers, self._pool)

    def _weights(self, built: Built, source: Path) -> tuple[Gate, dict[str, Any]]:
        """Return gate 1 and the ledger; a route past ONNX is explained by the source's own graph where it has to be."""
        before = (built.reduction.float32, built.reduction.integers) if built.reduction else ()
        found = verify.match_weights(built.artifact, source, self._pool, built.onnx, *before)
        if found[0].verdict != FAIL or built.onnx is not None:
            return found
        witness = self._builder.witness()
        return found if witness is None else verify.match_weights(built.artifact, source, self._pool, witness, *before)

    def _publish(self, route: Route, built: Built, records: list[ParityRecord], folder: Path) -> Result:
        if not is_unchanged(self._request, self._task):
            raise InputChanged.of(self._request.origin or self._request.source.model)
        verdict = worst(records)
        status = record.status_of(verdict)
        if status == "failed":
            self._tried.append(Attempt(route.names, record.parity_error(records)))
            self._on_event(self._task.label, f"left {route}: {self._tried[-1].error.what}")
        document = record.document(self._request, self._task, route, built, records, self._tried, folder)
        store.write_json(folder / RECORD_NAME, store.sealed(document))
        return Result(
            self._request.name,
            self._request.framework,
            self._task.format,
            status,
            self._task.destination,
            self._task.destination / built.artifact.model.name,
            route.names,
            parity=document["parity"],
            verdict=verdict,
            peak_rss_bytes=max((step.peak_rss_bytes for step in built.steps), default=0),
            error=self._tried[-1].error if status == "failed" else None,
            precision=self._task.precision,
        )


def _failed(request: ExportRequest, task: Task, tried: list[Attempt], error: IsoformError) -> Result:
    store.write_json(record.failure_path(task), record.failure(request, task, tried, error))
    return Result(
        request.name, request.framework, task.format, "failed", tried=tuple(tried), error=error,
        precision=task.precision,
    )  # fmt: skip


def _reused(request: ExportRequest, task: Task) -> Result:
    document: dict[str, Any] = store.read_json(task.destination / RECORD_NAME) or {}
    return Result(
        request.name,
        request.framework,
        task.format,
        document["status"],
        task.destination,
        task.destination / document["model"],
        tuple(step["converter"] for step in document["route"]),
        parity=document["parity"],
        verdict=document["verdict"],
        is_reused=True,
        precision=task.precision,
    )
