"""``isoform compare``: PyTorch against TensorFlow, measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isoform.cli import options
from isoform.cli.sections import Sectioned
from isoform.core.frameworks import COMPARE_NAME, PARTS
from isoform.errors import UsageError

if TYPE_CHECKING:
    from isoform.core.frameworks import Compared


@click.command(
    cls=Sectioned,
    sections={
        "What is measured": ("--only", "--groups", "--blocks"),
        "Where": ("--out", "--markdown"),
    },
    epilog="""\b
Examples:
  isoform compare models/mlp models/image_classifier models/text_classifier
  isoform compare models/mlp --only tools             the exports on their runtimes, nothing is trained
  isoform compare models/mlp --markdown frameworks.md

Exit codes: 0 measured, 2 usage, 3 something to install, 4 a model did not train or run.""",
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--only", metavar="PART[,PART]", shell_complete=options.one_of(PARTS), help=f"Of: {', '.join(PARTS)}.")
@click.option(
    "--groups", type=click.IntRange(1, 50), default=6, show_default=True,
    help="Groups of fresh processes, the independent samples; fewer than six give no intervals.",
)  # fmt: skip
@click.option(
    "--blocks", type=click.IntRange(1, 50), default=6, show_default=True, help="Of each query in a group, in turns."
)
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables there too.")
@options.out
@options.as_json
def command(
    models: tuple[Path, ...],
    only: str | None,
    groups: int,
    blocks: int,
    markdown: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Measure the models of the folders MODELS in PyTorch and in TensorFlow, in turns, and hold the usual claims to it.

    Training and inference in every graph mode, memory, and the exports of OUT on the runtimes that deploy them. Figures
    stand in OUT/compare.json. Where two do not differ by more than the machine does from itself, it says so.
    """
    from isoform.cli.console import Display
    from isoform.isolation import Pool
    from isoform.stages import export, frameworks
    from isoform.stages.frameworks import markdown as tables

    parts = options.listed(only, PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise UsageError(f"--only: there is no '{unknown[0]}'.", f"There are: {', '.join(PARTS)}.")
    request = frameworks.CompareRequest(export.load_models(models, {}), out, parts, groups, blocks=blocks)
    measured: list[Compared] = []
    found: dict[str, Any] = {}
    with Display() as display, Pool(out / ".logs") as pool:
        for sources in frameworks.plan(request, pool):

            def on_progress(name: str, part: str, done: int, due: int) -> None:
                display.step(name, f"{part}: group {done + 1} of {due}")

            measured.append(frameworks.run(request, sources, pool, on_progress))
            for line in tables.lines(measured[-1]):
                display.line(measured[-1].name, line)
            found = frameworks.record(measured, request)  # what is measured stays, whatever comes of the next model
            frameworks.write(found, out / COMPARE_NAME)
            if markdown is not None:
                tables.write(measured, found, markdown)
    if as_json:
        options.print_json(found)
