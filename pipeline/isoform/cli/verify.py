"""``isoform verify``: prove again that artifacts compute the same function as their source."""

from pathlib import Path
from typing import Any

import click

from isoform import registry
from isoform.cli import artifacts, options
from isoform.core.artifact import RECORD_NAME
from isoform.errors import RESULT_FAILED, IsoformError


@click.command(
    epilog="""\b
Examples:
  isoform verify exports
  isoform verify exports/mlp/torch/onnx --runtime ort-cpu --json
  isoform verify other.onnx --cases exports/mlp/torch/onnx/cases.npz

Exit codes: 0 proved, 1 the numbers differ or nothing could be proved, 4 a file did not load or run."""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--cases", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A cases.npz with recorded reference outputs; needed for a bare model file.",
)  # fmt: skip
@click.option("--runtime", "runtimes", multiple=True, metavar="NAME", help="Only on this runtime; repeatable.")
@click.option("-v", "--verbose", is_flag=True, help="Show what each gate found and the figures of each output.")
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    cases: Path | None,
    runtimes: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Run the artifacts at or below PATHS on their runtimes and judge them against the recorded references.

    The verdict is the most severe of three gates: structure (exact), weights (bit for bit) and numerics (as accurate
    as the source, measured against float64). Nothing is written.
    """
    from isoform.cli.console import Display
    from isoform.core import parity
    from isoform.isolation import Pool

    rows = [registry.runtime(name) for name in runtimes]
    found: list[tuple[Path, list[parity.ParityRecord]]] = []
    with Display(is_quiet=as_json) as display, Pool(options.log_folder()) as pool:
        for target in _targets(paths, cases):
            found.append((target, _verified(target, cases, rows, pool)))
            _show(display, *found[-1], verbose)
    if as_json:
        document = [
            {"path": str(path), "verdict": parity.worst(records), "parity": [record.to_json() for record in records]}
            for path, records in found
        ]
        options.print_json(document)
    context.exit(max(exit_code(parity.worst(records)) for _, records in found))


def exit_code(verdict: str) -> int:
    """Return what a verdict ends the command with; what was not verified is no success."""
    return {"PASS": 0, "ERROR": IsoformError.exit_code}.get(verdict, RESULT_FAILED)


def _targets(paths: tuple[Path, ...], cases: Path | None) -> list[Path]:
    """Return artifact folders below the paths; a path that is a model itself stays as it is."""
    targets: list[Path] = []
    for path in paths:
        is_model = path.is_file() or (path / "saved_model.pb").is_file()
        targets += [path] if is_model and cases is not None else artifacts.folders([path])
    return targets


def _verified(target: Path, cases: Path | None, rows: list[registry.Runtime], pool: Any) -> list[Any]:
    from isoform.stages import verify

    if (target / RECORD_NAME).is_file() or cases is None:
        return verify.verify_folder(target, pool, rows, cases)
    return verify.verify_file(target, cases, pool, rows)


def _show(display: Any, target: Path, records: list[Any], verbose: bool) -> None:
    from isoform.cli.console import GLYPHS, printable

    for record in records:
        glyph, colour = GLYPHS[record.verdict]
        lines = record.lines() if verbose or record.verdict in ("FAIL", "INCONCLUSIVE") else record.lines()[:1]
        display.console.print(f"{glyph} {printable(str(target)):<44} {printable(lines[0])}", style=colour)
        for line in lines[1:]:
            display.console.print(f"    {printable(line)}")
