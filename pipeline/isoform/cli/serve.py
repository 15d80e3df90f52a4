"""``isoform serve``: answer inference requests over HTTP with an artifact."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoform.cli import artifacts, options
from isoform.cli.sections import Sectioned
from isoform.errors import UsageError
from isoform.registry import RUNTIMES

if TYPE_CHECKING:
    from isoform.stages.serve import Serving

_MB = 1 << 20


@click.command(
    cls=Sectioned,
    sections={
        "Where": ("--host", "--port"),
        "How it computes": ("--runtime", "--threads", "--max-batch", "--max-delay-ms"),
        "What is refused": ("--max-waiting", "--max-request-mb"),
    },
    epilog="""\b
Examples:
  isoform serve exports/mlp/torch/onnx
  isoform serve exports/mlp/torch/onnx --port 0 --max-batch 1   one request at a time, on any free port
  curl localhost:8080/v2/models/mlp                             its inputs and outputs
  curl localhost:8080/metrics

Exit codes: 0 stopped with Ctrl-C, 2 the address is taken, 3 something to install, 4 the file does not load.""",
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for everyone.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option(
    "--runtime", metavar="NAME", shell_complete=options.one_of(RUNTIMES), help="Default: the format's own runtime."
)
@click.option("--threads", type=click.IntRange(0), default=0, help="Of the runtime; default: all cores.")
@click.option(
    "--max-batch", type=click.IntRange(1), default=32, show_default=True,
    help="Most samples of several requests that are computed together.",
)  # fmt: skip
@click.option(
    "--max-delay-ms", type=click.FloatRange(0, 1000), default=2.0, show_default=True,
    help="How long a request waits for others.",
)  # fmt: skip
@click.option(
    "--max-waiting", type=click.IntRange(1), default=1024, show_default=True,
    help="Requests that may wait; others are answered with 503.",
)  # fmt: skip
@click.option("--max-request-mb", type=click.IntRange(1, 2048), default=64, show_default=True, help="Larger ones: 413.")
@options.as_json
def command(
    path: Path,
    host: str,
    port: int,
    runtime: str | None,
    threads: int,
    max_batch: int,
    max_delay_ms: float,
    max_waiting: int,
    max_request_mb: int,
    as_json: bool,
) -> None:
    """Serve the artifact at PATH by the Open Inference Protocol (version 2) until Ctrl-C.

    Requests that come at the same time are computed together where their samples were seen not to depend on each other.
    With --max-batch 1 each is computed as it came, and answered bit for bit as the runtime does.
    """
    from isoform.isolation import Pool
    from isoform.stages.serve import ServeOptions, serve

    folders = artifacts.folders([path])
    if len(folders) != 1:
        raise UsageError(f"{path}: {len(folders)} artifacts at or below it.", f"Name one: isoform serve {folders[0]}")
    chosen = ServeOptions(host, port, threads, max_batch, max_delay_ms, max_waiting, max_request_mb * _MB)

    def tell(serving: "Serving") -> None:
        _tell(serving)
        if as_json:
            options.print_json(vars(serving))

    try:
        with Pool() as pool:
            serve(folders[0], runtime, chosen, pool, tell)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def _tell(serving: "Serving") -> None:
    from isoform.cli.console import printable

    proved = f"{serving.format} on {serving.runtime}, {serving.verdict}"
    click.echo(printable(f"{serving.name} ({proved}) at {serving.url}/v2/models/{serving.name}"), err=True)
    if serving.why_not_batched:
        click.echo(printable(f"One request at a time: {serving.why_not_batched}."), err=True)
