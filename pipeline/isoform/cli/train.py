"""``isoform train``: reference models, or a user's own that have a training plan."""

from pathlib import Path
from typing import Any

import click

from isoform.cli import options


@click.command(epilog="Example: isoform train models/mlp --framework torch")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.framework
@options.parameter
@options.data
@options.out
@options.force
@options.as_json
def command(
    models: tuple[Path, ...],
    frameworks: tuple[str, ...],
    parameters: tuple[str, ...],
    data: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Train the models of the folders MODELS; an interrupted training goes on where it stopped.

    Checkpoint, tokenizer, TensorBoard curves and the record stand in OUT/<model>/<framework>/training/.
    """
    from isoform.cli.console import Display
    from isoform.isolation import Pool
    from isoform.stages import export, train

    loaded = export.load_models(models, options.key_values(parameters, "--parameter"))
    request = train.TrainRequest(loaded, out, frameworks, data, force)
    with Display() as display, Pool(out / ".logs") as pool:
        records = [run_task(task, pool, display) for task in train.plan(request)]
    if as_json:
        options.print_json([{"checkpoint": str(record.checkpoint), **record.record} for record in records])


def run_task(task: Any, pool: Any, display: Any) -> Any:
    """Return the record of one training, shown while it runs."""
    from isoform.stages import train

    subject = f"{task.model.label}/{task.framework}"
    if not task.is_current:
        display.step(subject, "training")
    record = train.run(task, pool, lambda _, event: display.training(subject, event))
    display.line(subject, described(record))
    return record


def described(record: Any) -> str:
    """Return one line on a trained model: its accuracy, on which data, and where the checkpoint stands."""
    if not record.record:
        return f"checkpoint {record.checkpoint}"
    dataset = record.record["dataset"]
    generated = " (generated)" if dataset["is_generated"] else ""
    state = "unchanged" if record.is_reused else "trained"
    return f"{state}  test accuracy {record.record['test_accuracy']:.4f} on {dataset['name']}{generated}"
