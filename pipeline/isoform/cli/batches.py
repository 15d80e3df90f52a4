"""``isoform convert --batch``: many conversions, one row each, and at the end what the failures have in common."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from isoform import executor
from isoform.cache import Store
from isoform.cli import clusters, options, plans
from isoform.cli.clusters import Where
from isoform.cli.console import Display, counted, printable
from isoform.core.failures import causes
from isoform.errors import UsageError
from isoform.executor import memory
from isoform.executor.tasks import Answer, Task
from isoform.intake import jobs_file
from isoform.isolation import Pool
from isoform.stages import batch

_MOST_NAMED = 8

Keep = Callable[[batch.Done], batch.Done]
"""What is kept of a job until the end, of perhaps a hundred thousand."""


def run(
    path: Path,
    out: Path,
    *,
    workers: int,
    cluster: Where | None,
    is_forced: bool,
    is_verified: bool,
    is_dry: bool,
    as_json: bool,
    cache: Store | None = None,
) -> int:
    """Do what the file says, show it, and return the exit code: the most severe one of the jobs.

    Raises:
        UsageError: the file asks for something that there is not; nothing was started.
    """
    found = batch.jobs(jobs_file.read(path), out, is_forced=is_forced, is_verified=is_verified, cache=cache)
    if is_dry:
        return _show_plan(found, as_json)
    with Display() as display:
        keep = _whole if as_json else _slim
        done = (
            _here(found, out, workers, display, keep) if cluster is None else _there(found, out, cluster, display, keep)
        )
        _summarise(done, display)
    if as_json:
        options.print_json(batch.record(done))
    return max(each.exit_code for each in done)


def _whole(done: batch.Done) -> batch.Done:
    return done


def _slim(done: batch.Done) -> batch.Done:
    return done.slim


def _here(jobs: Sequence[batch.Job], out: Path, workers: int, display: Display, keep: Keep) -> list[batch.Done]:
    """Return what came of each, done in children of this process."""
    with Pool(out / ".logs") as pool:

        def converted(job: batch.Job) -> batch.Done:
            done = batch.run(job, pool, display.step)
            _tell(done, display)
            return keep(done)

        done = executor.run_all(jobs, converted, workers, cancel=pool.close)
        display.settle()
        return done


def _there(jobs: Sequence[batch.Job], out: Path, cluster: Where, display: Display, keep: Keep) -> list[batch.Done]:
    """Return what came of each, done on a cluster."""
    known = memory.seen(out)
    found: dict[int, batch.Done] = {}

    def on_event(place: int, event: Mapping[str, Any]) -> None:
        if "text" in event:
            display.step(event["subject"], event["text"], row=place)
        elif "note" in event:
            display.note(jobs[place].name, event["note"])

    def on_done(place: int, answer: Answer) -> None:
        job = jobs[place]
        if answer.record is None:
            done = batch.Done(job, error=answer.error, exit_code=answer.exit_code)
        else:
            done = batch.Done.from_json(job, answer.record, answer.exit_code)
        _tell(done, display, row=place)
        found[place] = keep(done)

    tasks = [_task(job, known) for job in jobs]
    clusters.run_all(cluster, tasks, out, batch.packages(jobs), display, on_event, on_done)
    return [found[place] for place in range(len(jobs))]


def _task(job: batch.Job, known: Sequence[memory.Seen]) -> Task:
    source, options = job.request.source, job.entry.options
    labels = [variant.label for variant in job.request.variants]
    needed = options.get("memory") or memory.needed(batch.source_format(job), memory.size_of(source), labels, known)
    return Task("convert", job.name, job.to_json(), (source.absolute(),), needed, options.get("gpus", 0))


def _tell(done: batch.Done, display: Display, row: Hashable = None) -> None:
    if done.error is not None:
        display.line(done.job.name, f"FAILED  {done.error.what}", row=row)
    for result in done.results:
        state = "unchanged" if result.is_reused else f"{result.seconds:.1f} s"
        what = f"{result.verdict}  {state}" if result.path else f"FAILED  {result.error.what if result.error else ''}"
        display.line(f"{done.job.name}/{result.label}", what, row=row)


def _summarise(done: Sequence[batch.Done], display: Display) -> None:
    counts = batch.record(done)["counts"]
    display.console.print(
        f"\n{counted(counts['jobs'], 'job')}, {counted(counts['results'], 'result')}: {counts['passed']} passed, "
        f"{counts['failed']} failed, {counts['unverified']} not verified, {counts['reused']} of all unchanged; "
        f"{counts['not_opened']} not opened."
    )
    for cause in causes(failure for each in done for failure in each.failures):
        first, names = cause.failures[0], [failure.subject for failure in cause.failures]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        display.console.print(printable(f"{len(names):>4} x {first.message}"))
        display.console.print(printable(f"       hint: {first.hint}"))
        display.console.print(printable(f"       in {', '.join(names[:_MOST_NAMED])}{more}"))


def _show_plan(found: Sequence[batch.Job], as_json: bool) -> int:
    rows, code = [], 0
    for job in found:
        outlook = batch.outlook(job)
        code = max(code, plans.exit_code(outlook))
        planned = [row.to_json() for row in outlook]
        rows.append({"job": job.entry.place, "source": str(job.request.source), "plan": planned})
        if not as_json:
            plans.show_outlook(f"{job.entry.place}. {job.request.source}", outlook)
            click.echo()
    if as_json:
        options.print_json({"jobs": rows})
    return code


def refuse_others(context: click.Context, allowed: Sequence[str]) -> None:
    """Raise UsageError for an option that the file says for each job, and the command line cannot say for all."""
    for parameter in context.command.get_params(context):
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if is_given and name not in allowed:
            word = parameter.opts[-1] if isinstance(parameter, click.Option) else name.upper()
            raise UsageError(f"{word} does not go with --batch.", "Write it into [defaults] or a [[jobs]] of the file.")
