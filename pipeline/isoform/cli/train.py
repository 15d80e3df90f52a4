"""``isoform train``: reference models, or a user's own that have a training plan."""

from pathlib import Path
from typing import Any

import click

from isoform.cli import options, stores, training_options
from isoform.cli.sections import Sectioned


@click.command(
    cls=Sectioned,
    sections=training_options.SECTIONS,
    epilog="""\b
Examples:
  isoform train models/mlp                          in both frameworks, as its isoform.toml says
  isoform train models/mlp --framework torch --epochs 10 --schedule cosine --warmup-steps 50
  isoform train models/mlp --patience 3 --keep best
  isoform train models/image_classifier -p image_size=32 --mixed-precision bfloat16 --accumulate 4 --recompute
  isoform train models/mlp --workers 2              each computes half of every batch""",
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.framework
@options.parameter
@options.data
@training_options.flags
@options.out
@options.store
@options.force
@options.as_json
def command(
    models: tuple[Path, ...],
    frameworks: tuple[str, ...],
    parameters: tuple[str, ...],
    data: Path | None,
    out: Path,
    store: str | None,
    force: bool,
    as_json: bool,
    **plan: Any,
) -> None:
    """Train the models of the folders MODELS; an interrupted training goes on where it stopped.

    What is not said here is as the [train] section of isoform.toml says. A training is used again while nothing that it
    depends on has changed, options included.

    Checkpoint, tokenizer, TensorBoard curves and the record stand in OUT/<model>/<framework>/training/.
    """
    from isoform.cli.console import Display
    from isoform.isolation import Pool
    from isoform.stages import export, train

    loaded = export.load_models(models, options.key_values(parameters, "--parameter"))
    request = train.TrainRequest(loaded, out, frameworks, data, force, training_options.given(plan))
    cache = stores.opened(store)
    with Display() as display, Pool(out / ".logs") as pool:
        records = [run_task(task, pool, display, cache) for task in train.plan(request)]
    if as_json:
        options.print_json([{"checkpoint": str(record.checkpoint), **record.record} for record in records])


def run_task(task: Any, pool: Any, display: Any, cache: Any) -> Any:
    """Return the record of one training, shown while it runs."""
    from isoform.stages import train

    subject = f"{task.model.label}/{task.framework}"
    if not task.is_current:
        display.step(subject, "training")
    record = train.run(task, pool, lambda _, event: display.training(subject, event), cache)
    display.line(subject, described(record))
    return record


def described(record: Any) -> str:
    """Return one line on a trained model: its accuracy, on which data, and where the checkpoint stands."""
    if not record.record:
        return f"checkpoint {record.checkpoint}"
    dataset = record.record["dataset"]
    generated = " (generated)" if dataset["is_generated"] else ""
    state = record.of_store or ("unchanged" if record.is_reused else "trained")
    kept, epochs = record.record.get("kept_epoch"), len(record.record["epochs"])
    early = f"  stopped early, after {epochs} epochs" if record.record.get("stopped_early") else ""
    best = f"  epoch {kept} kept" if kept not in (None, epochs) else ""
    scaling = record.record.get("scaling")
    if scaling is not None:
        alone, together = (scaling[name]["p50"] for name in ("one_worker_step_ms", "step_ms"))
        best += f"  {scaling['workers']} workers: {together:.2f} ms a step, one alone {alone:.2f} ms"
        best += f", efficiency {scaling['efficiency']:.0%}"
    accuracy = f"{record.record['test_accuracy']:.4f}"
    return f"{state}  test accuracy {accuracy} on {dataset['name']}{generated}{early}{best}"
