"""Many conversions of one file: each by itself, one that fails never stops the others.

To go on after an interruption, or after some were mended, run the same again: results that are there and unaltered
cost their hashing only.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoform import registry
from isoform.cache import Store
from isoform.core.failures import Failure, causes
from isoform.core.layout import KEEP
from isoform.errors import INTERNAL_ERROR, IsoformError, NoRoute, UsageError, from_json, of_system
from isoform.intake.container import identify
from isoform.intake.jobs_file import Entry
from isoform.isolation import Pool, PoolClosed
from isoform.stages import export
from isoform.stages.convert import ConvertRequest, convert, plan
from isoform.stages.export import Outlook, Result

Events = Callable[[str, str], None]
"""Called with a job's name and what happens to it now."""


@dataclass(frozen=True)
class Job:
    """One conversion, as the file says it."""

    entry: Entry
    request: ConvertRequest

    @property
    def name(self) -> str:
        return self.request.model_name

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes in any folder of any machine that sees the same files."""
        return {
            "entry": self.entry.to_json(), "out": os.path.abspath(self.request.out),
            "is_forced": self.request.is_forced, "is_verified": self.request.is_verified,
            "code": str(self.request.code or Path.cwd()),
            "store": self.request.cache.area.place if self.request.cache is not None else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any], cache: Store | None) -> "Job":
        """Return the job that a record says.

        Args:
            cache: what stands at the record's ``store``.
        """
        entry = Entry.from_json(record["entry"])
        request = _request(entry, Path(record["out"]), record["is_forced"], record["is_verified"], cache)
        return cls(entry, replace(request, code=Path(record["code"])))


@dataclass(frozen=True)
class Done:
    """What came of a job: results, one a variant, or why there are none.

    Attributes:
        exit_code: of the job alone, as ``isoform convert`` would end.
    """

    job: Job
    results: tuple[Result, ...] = ()
    error: IsoformError | None = None
    exit_code: int = field(default=0)

    @property
    def failures(self) -> list[Failure]:
        """What went wrong with it."""
        found = [(self.job.name, self.error)] if self.error is not None else []
        found += [(f"{result.name}/{result.label}", result.error) for result in self.results if result.error]
        return [Failure(subject, error.kind, error.what, error.hint) for subject, error in found if error is not None]

    @property
    def slim(self) -> "Done":
        """The same without records of verifications: most of what it holds, and ``--json`` alone prints them."""
        return replace(self, results=tuple(replace(result, parity={}, tried=()) for result in self.results))

    def to_json(self) -> dict[str, Any]:
        return {
            "job": self.job.entry.place, "source": str(self.job.request.source), "name": self.job.name,
            "results": [result.to_json() for result in self.results],
            "error": self.error.to_json() if self.error is not None else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, job: Job, record: Mapping[str, Any], exit_code: int) -> "Done":
        """Return what came of ``job``, as `to_json` described it."""
        error = from_json(record["error"]) if record["error"] else None
        return cls(job, tuple(map(Result.from_json, record["results"])), error, exit_code)


def jobs(
    entries: Sequence[Entry], out: Path, *, is_forced: bool, is_verified: bool, cache: Store | None = None
) -> list[Job]:
    """Return what is to be done.

    Raises:
        UsageError: two jobs would write the same artifact, or one names a format or precision that there is not.
    """
    found = [Job(entry, _request(entry, out, is_forced, is_verified, cache)) for entry in entries]
    taken: dict[tuple[str, Any], int] = {}
    for job in found:
        for variant in job.request.variants:
            other = taken.setdefault((job.name, variant), job.entry.place)
            if other != job.entry.place:
                raise UsageError(
                    f"Jobs {other} and {job.entry.place} both write {job.request.out / job.name}/{variant.label}.",
                    "Give one of them another name.",
                )
    return found


def source_format(job: Job) -> str:
    """Return what the source is, "" where it cannot be told: the job itself will say why."""
    try:
        return identify(job.request.source).format
    except (IsoformError, OSError):
        return ""


def packages(jobs: Sequence[Job]) -> frozenset[str]:
    """Return the modules that routes and runtimes of these jobs are made of."""
    wanted = {(source, variant) for job in jobs if (source := source_format(job)) for variant in job.request.variants}
    found = {name for source, _ in wanted for name in registry.source_runtime(source).needs}
    for source, variant in wanted:
        with suppress(NoRoute):
            found |= export.outlook(source, [variant], Path())[0].packages
    return frozenset(found)


def outlook(job: Job) -> list[Outlook]:
    """Return what would be done; see `isoform.stages.convert.plan`."""
    return plan(job.request)[1]


def run(job: Job, pool: Pool, on_event: Events) -> Done:
    """Return what came of a job; whatever goes wrong becomes its record.

    Raises:
        PoolClosed: the whole was interrupted.
    """
    try:
        results = tuple(convert(job.request, pool, lambda part, text: on_event(_subject(job, part), text)))
    except PoolClosed:
        raise
    except IsoformError as error:
        return Done(job, error=error, exit_code=error.exit_code)
    except OSError as error:
        refused = of_system(error)
        return Done(job, error=refused, exit_code=refused.exit_code)
    except Exception as error:  # noqa: BLE001 - a bug with one model is its record, and the others go on
        told = IsoformError(
            f"Internal error: {type(error).__name__}: {error}", f"Report this: {job.entry.command}", kind="bug"
        )
        return Done(job, error=told, exit_code=INTERNAL_ERROR)
    return Done(job, results, exit_code=max((result.exit_code for result in results), default=0))


def record(done: Sequence[Done]) -> dict[str, Any]:
    """Return the document that ``--json`` prints."""
    results = [result for each in done for result in each.results]
    return {
        "jobs": [each.to_json() for each in done],
        "causes": [cause.to_json() for cause in causes(failure for each in done for failure in each.failures)],
        "counts": {
            "jobs": len(done),
            "results": len(results),
            "reused": sum(result.is_reused for result in results),
            **{word: sum(result.status == word for result in results) for word in ("passed", "failed", "unverified")},
            "not_opened": sum(each.error is not None for each in done),
        },
    }


def _subject(job: Job, part: str) -> str:
    return f"{job.name}/{part}" if part else job.name


def _request(entry: Entry, out: Path, is_forced: bool, is_verified: bool, cache: Store | None) -> ConvertRequest:
    options = entry.options
    command = entry.command.replace("{", "{{").replace("}", "}}")
    request = ConvertRequest(
        source=entry.source,
        formats=entry.formats,
        out=out,
        reproduce=f"{command} --out {out} --to {{format}}{{precision}}",
        precisions=entry.precisions,
        inputs=options.get("inputs", ()),
        arch_arguments=options.get("arch_args", {}),
        io_layout=options.get("io_layout", KEEP),
        is_verified=is_verified and options.get("verify", True),
        is_forced=is_forced,
        cache=cache,
    )
    names = ("name", "arch", "signature", "cases", "via", "avoid", "allow_pickle", "allow_nonfinite")
    return replace(request, **{name: options[name] for name in names if name in options})
