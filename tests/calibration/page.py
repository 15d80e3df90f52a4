"""docs/calibration.md from the rows: rates by runtime and gate, ratios that thresholds stand on, what is missed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isoform.core.numerics import THRESHOLDS

Row = Mapping[str, Any]
GATES = ("structure", "weights", "semantics", "numerics")
_HEAD = """# How often a verdict is wrong

Two things can go wrong with a proof: it fails a file that is right, or it passes one that is not. Both are counted
here, on trained reference models and on public architectures with random weights, none of their parameters constant.

**Legitimate variants** run the same file in another way that a runtime offers: levels of optimisation, threads,
delegates, fusion, oneDNN, XLA, batch normalisation folded. Every one of them has to pass. **Planted faults** are those
of `isoform verify --self-test`; each is a copy of the artifact with one thing wrong in it. Every one has to be caught.

`make calibration` measures what has no rows yet, `make calibration FILTER=bert FORCE=1` one subject again. Trained
models are those that `make export` wrote. The rows are in `calibration.json`.
"""
_THRESHOLDS = """
## Why the thresholds are where they are

The largest ratios of legitimate variants, the limits in force, and of the faults that numerics alone lets pass those
that lie above every variant: no tighter limit could catch more than these without failing a file that is right. The
others change the numbers less than another way to run the file does. They are what weights and semantics are for. The
limits of `tf` and `torch-jit` are those of models from Keras and PyTorch, with the same kernels; others have 8 and 16.
"""
_NAMED = """
## Whether the culprit is named

Faults planted in the ONNX file, looked for with `isoform verify --explain --against` the right one, in that file or in
the TFLite file that was written from it; and faults planted in the TorchScript file and in the SavedModel, each looked
for in that file itself, against the ONNX file. *Named* means: the operator with the fault is the one that is named, or
among at most four that the one format computes as one and the other does not: a normalisation that TensorFlow writes in
seven operators stands for one.
"""
_UNSEEN = 1e-3
"""Of what rounding does, the share below which a change of the function moves next to no float32 output."""
_RATES = [
    "runtime", "variants", "false alarms", "faults", *(f"missed by {gate} alone" for gate in GATES),
    "**missed by all together**",
]  # fmt: skip
_RATIOS = [
    "runtime", "R_rms of variants: median", "largest", "R_max: largest", "limits", "faults that numerics lets pass",
    "of these above every variant",
]  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join(["", lines[0], "|---" * len(head) + "|", *lines[1:]]) + "\n"


def rendered(found: Mapping[str, Any]) -> str:
    """Return the page."""
    rows: Sequence[Row] = found["rows"]
    variants, faults, named = ([row for row in rows if row["kind"] == kind] for kind in ("variant", "fault", "named"))
    subjects = sorted({row["model"] for row in rows})
    parts = [_HEAD, f"\n{found.get('machine', '')}, {found.get('date', '')}; {len(subjects)} subjects: "
             f"{', '.join(subjects)}.\n", _rates(variants, faults), _THRESHOLDS, _ratios(variants, faults)]  # fmt: skip
    refused = [row for row in rows if row["kind"] == "refused"]
    parts += [_missed(faults), _alarms(variants), _refusals(refused), _NAMED, _names(named)]
    parts += [_failed(found.get("failed", {}))]
    return "".join(parts)


def _rates(variants: Sequence[Row], faults: Sequence[Row]) -> str:
    rows = []
    for name in (*sorted({row["runtime"] for row in (*variants, *faults)}), None):
        ours, theirs = ([row for row in side if name in (None, row["runtime"])] for side in (variants, faults))
        alone = [_share(theirs, lambda row, gate=gate: gate not in row["gates"]) for gate in GATES]  # type: ignore[misc]
        missed = _share(theirs, lambda row: not row["is_caught"])
        alarms = _share(ours, _is_alarm)
        rows.append([name or "**all**", str(len(ours)), alarms, str(len(theirs)), *alone, f"**{missed}**"])
    return "\n## Rates\n" + _table(_RATES, rows)


def _is_alarm(row: Row) -> bool:
    return row["verdict"] != "PASS"


def _share(rows: Sequence[Row], is_so: Callable[[Row], bool]) -> str:
    count = sum(map(is_so, rows))
    return f"{count} ({count / len(rows):.1%})" if rows else "-"


def _ratios(variants: Iterable[Row], faults: Sequence[Row]) -> str:
    by_runtime: dict[str, list[Row]] = {}
    for row in variants:
        by_runtime.setdefault(row["runtime"], []).append(row)
    table = []
    for name, rows in sorted(by_runtime.items()):
        found = sorted(_number(row["r_rms"]) for row in rows)
        peak, limit = max(_number(row["r_max"]) for row in rows), THRESHOLDS[name]
        passing = [row for row in faults if row["runtime"] == name and "numerics" not in row["gates"]]
        above = [row for row in passing if found[-1] < _number(row["r_rms"]) and "structure" not in row["gates"]]
        figures = (f"{found[len(found) // 2]:.2f}", f"{found[-1]:.2f}", f"{peak:.2f}")
        table.append([name, *figures, f"{limit.rms:g}, {limit.peak:g}", str(len(passing)), str(len(above))])
    return _table(_RATIOS, table)


def _number(value: float | None) -> float:
    return float("inf") if value is None else value


def _missed(faults: Iterable[Row]) -> str:
    rows = [row for row in faults if not row["is_caught"]]
    lines = [f"- {_where(row)}: {row['name']}, {row['place']} (R_rms {row['r_rms']}{_unseen(row)})" for row in rows]
    return "\n## What was missed\n\n" + ("\n".join(lines) or "Nothing.") + "\n"


def _unseen(row: Row) -> str:
    """Say of a fault that it changes the function by less than any run in float32 can show."""
    found = row.get("r_sem")
    if found is None:
        return ""
    return f", R_sem {found:g}" + (": no run in float32 can show it" if found < _UNSEEN else "")


def _alarms(variants: Iterable[Row]) -> str:
    rows = [row for row in variants if _is_alarm(row)]
    lines = [f"- {_where(row)}, {row['name']}: {row['verdict']} (R_rms {row['r_rms']})" for row in rows]
    return "\n## False alarms\n\n" + ("\n".join(lines) or "None.") + "\n"


def _refusals(rows: Sequence[Row]) -> str:
    """List the ways in which a runtime does not run a file at all: they are counted nowhere."""
    lines = [f"- {_where(row)}, {row['name']}: {row['reason']}" for row in rows]
    return "\n## Ways that a runtime refuses\n\n" + "\n".join(lines) + "\n" if lines else ""


def _where(row: Row) -> str:
    return f"{row['model']}, {row['runtime']}"


def _names(named: Sequence[Row]) -> str:
    table = []
    for name in (*sorted({row["runtime"] for row in named}), None):
        rows = [row for row in named if name in (None, row["runtime"])]
        found, told = _share(rows, lambda row: row["is_named"]), _share(rows, lambda row: bool(row["cause"]))
        table.append([name or "**all**", str(len(rows)), found, told])
    lines = [
        f"- not named: {_where(row)}: {row['name']}, {row['place']}; said: {row['operator'] or 'nothing'}"
        for row in named if not row["is_named"]
    ]  # fmt: skip
    return _table(["looked for in", "faults", "culprit named", "with a cause"], table) + "\n" + "\n".join(lines) + "\n"


def _failed(failed: Mapping[str, str]) -> str:
    lines = [f"- {name}: {why}" for name, why in failed.items()]
    return "\n## Subjects that broke off\n\n" + "\n".join(lines) + "\n" if lines else ""
