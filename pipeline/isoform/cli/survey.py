"""``isoform convert`` without a SOURCE: what stands in the folder, and what to type for each."""

from pathlib import Path

import click

from isoform.cli import options
from isoform.cli.console import printable, readable_size
from isoform.errors import UsageError
from isoform.stages.survey import UNKNOWN, Found, survey

_MOST = 20
_NOTHING = (
    "Error: No SOURCE was given, and nothing in this folder can be converted.\n"
    "hint: Name a checkpoint, a model file or a folder: isoform convert PATH --to onnx,tflite"
)


def show(folder: Path, as_json: bool) -> int:
    """Print what is in ``folder`` with the commands to type, and return the exit code of a request without a source."""
    found = survey(folder)
    if as_json:
        options.print_json({"source": None, "found": [item.to_json() for item in found]})
    else:
        click.echo("\n".join(_lines(found)) if found else _NOTHING, err=True)
    return UsageError.exit_code


def _lines(found: list[Found]) -> list[str]:
    lines = ["Error: No SOURCE was given. Found in this folder:", ""]
    for item in found[:_MOST]:
        lines.append(f"  {printable(str(item.path))}  ({item.title}, {readable_size(item.size_bytes)})")
        lines.append(f"      {printable(item.command)}")
    lines += [f"  and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return [*lines, "", f"hint: {_hint(found)}"]


def _hint(found: list[Found]) -> str:
    if any(UNKNOWN in item.command for item in found):
        return f"{UNKNOWN} is the function or class that builds the network."
    return "Type one of these commands; with --dry-run it only says what it would do."
