"""``isoform inspect``: what a file or an artifact holds, and which operators a target carries."""

from pathlib import Path
from typing import Any

import click

from isoform.cli import options
from isoform.cli.console import printable
from isoform.core import profiles
from isoform.core.precision import FP32
from isoform.core.signature import TensorSpec
from isoform.errors import RESULT_FAILED, UsageError
from isoform.stages.inspect import CARRIERS

_WORDS = (("container", "container"), ("note", "note"), ("tensors", "tensors"), ("numbers", "parameters"))


@click.command(
    epilog="Examples: isoform inspect model.onnx    isoform inspect exports/mlp/torch/onnx    "
    "isoform inspect --operators tflite    isoform inspect model.tflite --profile microcontroller    "
    "isoform inspect --profile phone"
)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--operators",
    metavar="FORMAT",
    shell_complete=options.one_of(CARRIERS),
    help="List the ONNX operators that this target carries, and those read of its own.",
)
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=options.one_of(profiles.PROFILES),
    help=f"List what this target does not allow of the file, or what it allows: {', '.join(profiles.PROFILES)}.",
)
@options.as_json
@click.pass_context
def command(
    context: click.Context, path: Path | None, operators: str | None, profile: str | None, as_json: bool
) -> None:
    """Show what PATH holds: format, size, inputs and outputs; of an artifact also route, verdict and digests.

    With a profile, exit code 1 says that the target does not allow something of it.
    """
    from isoform.isolation import Pool
    from isoform.stages import inspect
    from isoform.stages import profile as targets

    if operators is not None and profile is not None:
        raise UsageError("--profile holds a file against a target.", "Give it a path, and --operators by itself.")
    chosen = profiles.lookup(profile) if profile is not None else None
    if chosen is not None and path is None:
        _show_allowed(chosen, as_json)
        return
    if (path is None) == (operators is None):
        raise UsageError("Give a path, or --operators and a format.", "For example: isoform inspect model.onnx")
    with Pool() as pool:
        if operators is not None:
            found: Any = inspect.operators(operators, pool)
            text = [_operator_line(row) for row in found]
        else:
            assert path is not None
            found = inspect.describe(path, pool) if chosen is None else targets.against(path, chosen, pool)
            text = _lines(found) if chosen is None else _findings(found)
    if as_json:
        options.print_json(found)
    else:
        click.echo("\n".join(text))
    if chosen is not None and any(each["is_refused"] for each in found["findings"]):
        context.exit(RESULT_FAILED)


def _findings(found: dict[str, Any]) -> list[str]:
    from isoform.stages.profile import allowed, line

    return [printable(line(each)) for each in found["findings"]] or [allowed(found["profile"])]


def _show_allowed(profile: profiles.Profile, as_json: bool) -> None:
    """Say what a target allows, a line for each kind of thing."""
    found = profiles.allowed(profile)
    if as_json:
        options.print_json(found)
        return
    layouts = profile.layouts.items()
    lines = {
        "engine": profile.engine,
        "formats": ", ".join(profile.formats) or "any",
        "precision": ", ".join(found["precisions"]),
        "no dtype": ", ".join(found["refused_dtypes"]) or "is refused",
        "layout": ", ".join(f"{layout} in {name}" for name, layout in layouts) or "any",
        "sizes": "open or fixed" if found["open_sizes"] else "fixed",
        "file": f"less than {profile.largest_bytes} bytes" if profile.largest_bytes else "of any size",
        "operators": " ".join(found["operators"]) if profile.operators is not None else "all of the format's own",
    }
    if profile.fast is not None:
        lines["fast"] = " ".join(found["fast_operators"])
    click.echo("\n".join(f"{word:<9} {text}" for word, text in lines.items()))


def _operator_line(row: dict[str, Any]) -> str:
    if "read_from" in row:
        return f"{row['operator']:<34} read from {row['read_from']}"
    return f"{row['operator']:<34} since opset {', '.join(map(str, row['since']))}"


def _lines(record: dict[str, Any]) -> list[str]:
    lines = [f"format    {record['format']}"]
    if "size_bytes" in record:
        lines.append(f"size      {record['size_bytes']} bytes")
    lines += _contents(record)
    for side in ("inputs", "outputs"):
        for table in (record.get("signature") or {}).get(side, []):
            lines.append(f"{side.removesuffix('s'):<9} {printable(str(TensorSpec.from_json(table)))}")
    if "verdict" in record:
        lines.append(f"verdict   {record['verdict']}")
        lines += [f"runtime   {name}: {printable(found['headline'])}" for name, found in record["parity"].items()]
        lines.append(f"route     {' -> '.join(step['converter'] for step in record['route'])}")
        lines += [
            f"file      {printable(name)}  {entry['size_bytes']} bytes  {entry['sha256']}"
            for name, entry in record["files"].items()
        ]
        lines.append(f"reproduce {printable(record['reproduce'])}")
    return lines


def _contents(record: dict[str, Any]) -> list[str]:
    """Return the lines about what a file holds; names in it are a stranger's words and stay on one line."""
    lines = [f"{word:<9} {printable(str(record[key]))}" for word, key in _WORDS if record.get(key)]
    found = record.get("precision")  # of an artifact the word, of a file how many numbers of which dtype
    if isinstance(found, str):
        lines += [f"precision {printable(found)}"] if found != FP32 else []
    elif found:
        lines.append(f"precision {', '.join(f'{name} {count}' for name, count in record['precision'].items())}")
    if record.get("operators"):
        listed = ", ".join(f"{name} x{count}" for name, count in record["operators"].items())
        lines.append(f"operators {printable(listed)}")
    if "would_execute" in record:
        lines.append(f"executes  {printable(', '.join(record['would_execute'])) or 'nothing was found that would run'}")
    return lines
