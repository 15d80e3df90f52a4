"""``isoform export``: models with a manifest, trained where needed, in every format, proved."""

from pathlib import Path
from typing import Any

import click

from isoform import executor
from isoform.cli import clusters, options, plans, stores, training_options
from isoform.core.precision import Variant
from isoform.errors import IsoformError


@click.command(
    epilog="""\b
Examples:
  isoform export models/mlp
  isoform export models/image_classifier -p image_size=224 --framework torch --to onnx,tflite
  isoform export models/text_classifier --precision fp32,fp16       in every format that carries them"""
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.framework
@options.to
@options.precision
@options.parameter
@options.data
@training_options.option
@options.out
@options.workers
@options.scheduler
@click.option("--no-verify", is_flag=True, help="Do not run the results; they are then marked as not verified.")
@plans.option
@options.store
@options.force
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    models: tuple[Path, ...],
    frameworks: tuple[str, ...],
    targets: str | None,
    precisions: str | None,
    parameters: tuple[str, ...],
    data: Path | None,
    training: tuple[str, ...],
    out: Path,
    workers: int,
    scheduler: str | None,
    no_verify: bool,
    is_dry: bool,
    store: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export the models of the folders MODELS to every format, and prove each result on its own runtime.

    A model without a checkpoint is trained first. What has not changed since the last time is not done again.
    """
    from isoform.cli import results
    from isoform.cli.console import Display
    from isoform.isolation import Pool
    from isoform.stages import export, train

    loaded = export.load_models(models, options.key_values(parameters, "--parameter"))
    formats, named = options.listed(targets, ()), options.listed(precisions, ())
    request = train.TrainRequest(
        loaded, out, frameworks, data, options=options.key_values(training, training_options.NAME)
    )
    tasks = [(task, export.variants_of(task.model, formats, named)) for task in train.plan(request)]
    if is_dry:
        context.exit(_show_plan(tasks, out, not no_verify, as_json))
    cache = stores.opened(store)
    place = clusters.where(context)
    if place is not None:
        from isoform.cli import orders

        wished = [
            export.Order(
                task.model.root, task.framework, task.model.overridden, request.options, wanted, out, data,
                not no_verify, force, cache.area.place if cache is not None else None,
            )
            for task, wanted in tasks
        ]  # fmt: skip
        with Display() as display:
            found = orders.run(wished, place, display)
            results.end(context, found, {"results": [result.to_json() for result in found]}, as_json, display)
    with Display() as display, Pool(out / ".logs") as pool:
        trained = [(_trained(task, wanted, pool, display, cache), wanted) for task, wanted in tasks]
        groups = executor.run_all(
            trained,
            lambda item: (
                item[0] if isinstance(item[0], list) else _exported(*item, out, no_verify, force, pool, display, cache)
            ),
            workers,
            cancel=pool.close,
        )
        found = [result for group in groups for result in group]
        document = {"results": [result.to_json() for result in found]}
        results.end(context, found, document, as_json, display)


def _show_plan(tasks: list[tuple[Any, tuple[Variant, ...]]], out: Path, is_verified: bool, as_json: bool) -> int:
    from isoform.stages.export import outlook

    found = []
    for task, wanted in tasks:
        folder = out / task.model.label / task.framework
        found.append((task, outlook(task.framework, wanted, folder, is_verified=is_verified)))
    if as_json:
        rows = [
            {"model": task.model.label, "framework": task.framework, "trains": not task.is_current,
             "plan": [item.to_json() for item in items]}
            for task, items in found
        ]  # fmt: skip
        options.print_json({"plans": rows})
    else:
        for place, (task, items) in enumerate(found):
            click.echo("\n" if place else "", nl=False)
            how = "its checkpoint is there" if task.is_current else "trained first"
            plans.show_outlook(f"{task.model.label}/{task.framework}: {how}", items)
    return max((plans.exit_code(items) for _, items in found), default=0)


def _trained(task: Any, wanted: tuple[Variant, ...], pool: Any, display: Any, cache: Any) -> Any:
    """Return the training's record, or the failed results that stand for all of its variants."""
    from isoform.cli.train import run_task
    from isoform.stages.export import not_made

    try:
        return run_task(task, pool, display, cache)
    except IsoformError as error:
        display.line(f"{task.model.label}/{task.framework}", f"training failed: {error.what}")
        return not_made(task.model.label, task.framework, wanted, error)


def _exported(
    trained: Any,
    wanted: tuple[Variant, ...],
    out: Path,
    no_verify: bool,
    force: bool,
    pool: Any,
    display: Any,
    cache: Any,
) -> Any:
    from isoform.stages import export

    request = export.request_for(trained, wanted, out, is_verified=not no_verify, is_forced=force, cache=cache)
    subject = f"{request.name}/{request.framework}"
    return export.run(request, pool, lambda name, text: display.step(f"{subject}/{name}" if name else subject, text))
