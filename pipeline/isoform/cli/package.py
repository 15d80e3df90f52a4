"""``isoform package``: artifacts in the folders and with the configuration that a server of models wants."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoform.cli import artifacts, options
from isoform.cli.sections import Sectioned
from isoform.cli.usage import Word

if TYPE_CHECKING:
    from isoform.stages.package import Package

_SERVERS = ("triton", "tf-serving", "kserve")


@click.command(
    cls=Sectioned,
    sections={
        "What for": ("--for", "--storage"),
        "Where": ("--out", "--name", "--version", "--dry-run", "--force", "--unproved"),
        "How requests are batched": ("--max-batch", "--max-delay-ms"),
    },
    epilog="""\b
Examples:
  isoform package exports/mlp/torch/onnx --for triton --out repository
  isoform package exports/mlp/keras/savedmodel --for tf-serving --out models --version 2
  isoform package exports/mlp/torch/onnx --for kserve --storage gs://bucket/models --out cluster

Exit codes: 0 packaged, 1 a verdict does not pass, 2 usage, 3 something to install, 4 altered files.""",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--for", "server", required=True, type=Word(_SERVERS), help=f"One of: {', '.join(_SERVERS)}.")
@click.option(
    "--storage", metavar="URI", help="KServe: where the cluster reads models from, gs://..., s3://..., pvc://..."
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("packages"), show_default=True,
    help="Folder that gets the packages, beside those that are there.",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="What clients call the model. Default: the artifact's name.")
@click.option("--version", type=click.IntRange(1), default=1, show_default=True, help="Servers take the largest one.")
@click.option("--dry-run", is_flag=True, help="Show the files, write nothing.")
@options.force
@click.option("--unproved", is_flag=True, help="Package it whatever its verdict is.")
@click.option(
    "--max-batch", type=click.IntRange(1), default=32, show_default=True,
    help="Most samples of one request, and of several that are computed together.",
)  # fmt: skip
@click.option(
    "--max-delay-ms", type=click.FloatRange(0, 1000), default=2.0, show_default=True,
    help="How long a request waits for others.",
)  # fmt: skip
@options.as_json
def command(
    paths: tuple[Path, ...],
    server: str,
    storage: str | None,
    out: Path,
    name: str | None,
    version: int,
    dry_run: bool,
    force: bool,
    unproved: bool,
    max_batch: int,
    max_delay_ms: float,
    as_json: bool,
) -> None:
    """Write the artifacts at or below PATHS as Triton, TensorFlow Serving or KServe want them.

    Versioned folders, and configuration from the signature: dtypes, dynamic sizes, layouts, a tokenizer where there is
    one. Requests are batched only where recorded cases show that samples do not depend on each other.
    """
    from isoform.isolation import Pool
    from isoform.stages.package import PackageOptions, package

    chosen = PackageOptions(out, name, version, max_batch, max_delay_ms, storage, unproved, force)
    with Pool() as pool:
        found = package(artifacts.folders(paths), server, chosen, pool, is_dry=dry_run)
    for one in found:
        _tell(one, is_dry=dry_run)
    if as_json:
        options.print_json({"packages": [one.to_json() for one in found], "written": not dry_run})


def _tell(found: "Package", *, is_dry: bool) -> None:
    from isoform.cli.console import printable

    lines = [f"{'Would package' if is_dry else 'Packaged'} {found.artifact} ({found.verdict}) for {found.server}:"]
    lines += [f"  {found.out / name}" for name in found.files]
    if found.why_not_batched:
        lines.append(f"Requests are not batched: {found.why_not_batched}.")
    lines.append(f"Start: {found.start}")
    for line in lines:
        click.echo(printable(line), err=True)
