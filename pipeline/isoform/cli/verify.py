"""``isoform verify``: prove again that artifacts compute the same function as their source."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from isoform import executor, registry
from isoform.cli import artifacts, differences, options, plans, stores
from isoform.cli.sections import Sectioned
from isoform.cli.usage import Word
from isoform.core import parity, profiles
from isoform.core.artifact import RECORD_NAME, open_artifact
from isoform.core.lock import LOCK_NAME, Change
from isoform.core.self_test import SelfTest
from isoform.core.spelling import typed
from isoform.core.verification import Verification
from isoform.errors import RESULT_FAILED, IsoformError, UsageError
from isoform.intake.container import identify
from isoform.stages import attest, gate, verified, verify
from isoform.stages import profile as targets
from isoform.stages.self_test import self_test


@click.command(
    cls=Sectioned,
    sections={
        "What is judged": ("--cases", "--runtime", "--profile"),
        "Where it differs": ("--explain", "--against", "--ledger", "--worst-case", "--keep"),
        "What others proved": ("--attestation", "--public-key"),
        "In CI": ("--lock", "--update-lock", "--junit", "--sarif", "--summary", "--annotations"),
    },
    epilog="""\b
Examples:
  isoform verify exports
  isoform verify exports/mlp/torch/onnx --runtime ort-cpu --json
  isoform verify other.onnx --cases exports/mlp/torch/onnx/cases.npz
  isoform verify exports/mlp/torch/onnx --self-test    which planted faults do its cases catch?
  isoform verify exports/mlp/torch/tflite --explain    the first operator that differs, and a script that shows it
  isoform verify --attestation exports/mlp/torch/onnx/attestation.json --public-key key.pub
  isoform verify exports/mlp/torch/tflite --ledger     where its error comes from, and what would repair it
  isoform verify exports/mlp/torch/onnx --worst-case 200    and with inputs that were made to differ?
  isoform verify exports --update-lock                 write parity.lock, to be committed
  isoform verify exports --lock parity.lock --junit parity.xml --summary "$GITHUB_STEP_SUMMARY"

Exit codes: 0 proved, 1 the numbers differ, nothing could be proved, the profile refuses something or something is
worse than the lock says, 4 a file did not load or run.""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--cases", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A cases.npz with recorded reference outputs; needed for a bare model file.",
)  # fmt: skip
@options.runtimes
@options.profile
@click.option(
    "--attestation", "attestations", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    help="Hold an attestation.json against the files beside it; repeatable. Without PATHS nothing is run.",
)  # fmt: skip
@click.option(
    "--public-key", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The key that the signatures of the attestations have to hold with.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show what each gate found and the figures of each output.")
@click.option(
    "--lock", type=click.Path(path_type=Path, dir_okay=False),
    help="Fail on what is worse than this lock says: verdict, lost bits, size, and latency where bench.json tells it.",
)  # fmt: skip
@click.option("--update-lock", is_flag=True, help=f"Write the lock ({LOCK_NAME} unless --lock) and show what changed.")
@click.option(
    "--self-test", "is_self_test", is_flag=True,
    help="Plant faults in copies and tell which of them the cases catch; fewer than 95 % fail. Kept for the report.",
)  # fmt: skip
@click.option(
    "--explain", "is_explained", is_flag=True,
    help="Name the first operator that differs, its suspected cause, and leave the part of the file that shows it.",
)  # fmt: skip
@click.option(
    "--against", type=click.Path(path_type=Path, exists=True),
    help="With --explain: the artifact or file that is right; by default one beside it in another format.",
)  # fmt: skip
@click.option(
    "--ledger", "is_ledger", is_flag=True,
    help="Show the error by stages: framework, exported graph, runtime without and with optimisation, float16.",
)  # fmt: skip
@click.option(
    "--worst-case", "worst_count", type=click.IntRange(min=1), metavar="N",
    help="Search N inputs for the largest error (ONNX, TFLite), keep the worst as a case; beyond the limit it fails.",
)  # fmt: skip
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), default=Path("differences"), show_default=True,
    help="The folder for what --explain and --worst-case leave.",
)  # fmt: skip
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML report.")
@click.option("--sarif", type=click.Path(path_type=Path, dir_okay=False), help="Write a SARIF 2.1.0 report.")
@click.option("--summary", type=click.Path(path_type=Path, dir_okay=False), help="Append a Markdown summary.")
@click.option(
    "--annotations", type=Word(["auto", "github", "none"]), default="auto", show_default=True,
    help="Print workflow commands on stderr; auto: where GITHUB_ACTIONS is true.",
)  # fmt: skip
@options.workers
@plans.option
@options.store
@options.force
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    cases: Path | None,
    runtimes: tuple[str, ...],
    profile: str | None,
    attestations: tuple[Path, ...],
    public_key: Path | None,
    verbose: bool,
    lock: Path | None,
    update_lock: bool,
    is_self_test: bool,
    is_explained: bool,
    against: Path | None,
    is_ledger: bool,
    worst_count: int | None,
    keep: Path,
    junit: Path | None,
    sarif: Path | None,
    summary: Path | None,
    annotations: str,
    workers: int,
    is_dry: bool,
    store: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run the artifacts at or below PATHS on their runtimes and judge them against the recorded references.

    The verdict is the most severe of four gates: structure (exact), weights (bit for bit), semantics (the same
    function in float64) and numerics (as accurate as the source, measured against float64). Nothing is written but
    what is asked for. With a --store, what was proved of these very files on this machine before is told, and says so.
    """
    from isoform.cli.console import Display
    from isoform.isolation import Pool

    if not paths and not attestations:
        raise UsageError("Nothing to verify.", "Name an artifact's folder, or an --attestation.")
    if public_key is not None and not attestations:
        raise UsageError("--public-key is for an --attestation.", "Name the attestation.json, too.")
    rows = [registry.runtime(name) for name in runtimes]
    chosen = profiles.lookup(profile) if profile is not None else None
    if is_dry:
        runs = [(target, row) for target in _targets(paths, cases, rows) for row in _runtimes(target, rows)]
        plans.show_runs("verify", runs, as_json)
        context.exit(0)
    lock = lock or (Path(LOCK_NAME) if update_lock else None)
    found: list[Verification] = []
    cache = stores.opened(store)
    checked = [attest.check(path, public_key) for path in attestations]
    with Display() as display, Pool() as pool:
        _show_attestations(display, checked)

        def judged(target: Path) -> Verification:
            display.step(str(target), "verifying")
            try:
                return _verified(target, cases, rows, pool, chosen, cache, force)
            finally:
                display.settle(is_told=False)

        for each in executor.run_each(_targets(paths, cases, rows), judged, workers, cancel=pool.close):
            found.append(each)
            _show(display, each, verbose, is_explained)
        changes = gate.against(lock, found, paths, runtimes, is_updated=update_lock) if lock else []
        _show_changes(display, changes)
        explained = [differences.explained(display, each, against, cases, pool, keep) for each in found if is_explained]
        sums = [row for each in found if is_ledger for row in differences.accounted(display, each, cases, pool)]
        worst = [
            row for each in found if worst_count
            for row in differences.searched(display, each, cases, worst_count, keep, pool)
        ]  # fmt: skip
        tests = [(each.path, _self_tested(display, each.path, pool)) for each in found if is_self_test]
        if update_lock:
            display.console.print(f"{lock} is written: commit it, and pass it as --lock from now on.")
    is_annotated = annotations == "github" or (annotations == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")
    gate.report(found, changes, junit=junit, sarif=sarif, summary=summary)
    for line in gate.annotated(found, changes) if is_annotated else []:
        click.echo(line, err=True)
    if as_json:
        document = {
            "results": [verification.to_json() for verification in found],
            "lock": gate.told(lock, changes) if lock else None,
            "attestations": [attestation.to_json() for attestation in checked],
            "self_tests": [{"path": str(path), **test.to_json()} for path, test in tests],
            "explanations": [each.to_json() for each in explained],
            "ledgers": [each.to_json() for each in sums],
            "worst_cases": [each.to_json() for each in worst],
        }
        options.print_json(document)
    is_broken = not update_lock and any(change.is_regression for change in changes)
    is_broken |= any(attestation.verdict != parity.PASS for attestation in checked)
    is_broken |= any(not each.passed for each in worst)
    is_broken |= any(not test.is_strong for _, test in tests)
    context.exit(max([RESULT_FAILED if is_broken else 0, *(exit_code(each.verdict) for each in found)]))


def exit_code(verdict: str) -> int:
    """Return what a verdict ends the command with; what was not verified is no success."""
    return {"PASS": 0, "WARN": 0, "ERROR": IsoformError.exit_code}.get(verdict, RESULT_FAILED)


def _targets(paths: tuple[Path, ...], cases: Path | None, rows: list[registry.Runtime]) -> list[Path]:
    """Return artifact folders below the paths, of those that ``rows`` open if some do; a path that is a model stays."""
    targets: list[Path] = []
    for path in paths:
        is_model = path.is_file() or (path / "saved_model.pb").is_file()
        if is_model and cases is not None:
            targets.append(path)
            continue
        found = artifacts.folders([path])
        targets += [target for target in found if _is_opened(target, rows)] or found
    return targets


def _is_opened(target: Path, rows: list[registry.Runtime]) -> bool:
    """Tell whether some of ``rows`` opens an artifact, or it is not known: one that cannot be read is told later."""
    try:
        return not rows or any(open_artifact(target).format in row.formats for row in rows)
    except IsoformError:
        return True


def _runtimes(target: Path, rows: list[registry.Runtime]) -> tuple[registry.Runtime, ...]:
    is_artifact = (target / RECORD_NAME).is_file()
    return verify.rows(open_artifact(target).format if is_artifact else identify(target).format, rows)


def _verified(
    target: Path,
    cases: Path | None,
    rows: list[registry.Runtime],
    pool: Any,
    profile: profiles.Profile | None,
    cache: Any,
    is_forced: bool,
) -> Verification:
    """Return what was found out; an artifact that cannot be read is an error of its own, and the others go on."""
    try:
        found = verified.verify_path(target, cases, rows, pool, cache, is_forced=is_forced)
        return found if profile is None else targets.judged(found, profile, pool)
    except UsageError:
        raise
    except IsoformError as error:
        return Verification(target, (parity.ParityRecord.failed_to_run("artifact", error),), 0, {})


def _show(display: Any, verification: Verification, verbose: bool, is_explained: bool) -> None:
    from isoform.cli.console import printable

    for record in verification.records:
        glyph, colour = display.sign(record.verdict)
        lines = record.lines() if verbose or record.verdict in ("FAIL", "INCONCLUSIVE") else record.lines()[:1]
        display.console.print(f"{glyph} {printable(str(verification.path)):<44} {printable(lines[0])}", style=colour)
        lines += [f"hint: {record.error['hint']}"] if record.error else []
        for line in lines[1:]:
            display.console.print(f"    {printable(line)}")
    if verification.of_store:
        display.console.print(f"    {verification.of_store}: nothing was run; --force does")
    is_other = any(_differs(record) for record in verification.records)
    if is_other and not is_explained:
        display.console.print(f"    hint: where it first differs: isoform verify {typed(verification.path)} --explain")


def _differs(record: parity.ParityRecord) -> bool:
    """Tell whether a record fails, and not for what a profile refuses alone."""
    failed = [name for name, gate in record.gates.items() if gate.verdict == parity.FAIL]
    return record.verdict == parity.FAIL and failed != [targets.GATE]


def _self_tested(display: Any, folder: Path, pool: Any) -> SelfTest:
    """Run the test of the test and show what it missed."""
    from isoform.cli.console import printable

    test = self_test(folder, pool, lambda text: display.step(str(folder), text))
    display.settle(is_told=False)
    glyph, colour = display.sign("PASS" if test.is_strong else "NOT VERIFIED" if test.reason else "FAIL")
    display.console.print(f"{glyph} {printable(str(folder)):<44} {printable(test.told)}", style=colour)
    for missed in (each for each in test.planted if not each.is_caught):
        display.console.print(f"    missed: {printable(missed.fault)}, {printable(missed.place)}")
    return test


def _show_attestations(display: Any, checked: Sequence[attest.Attestation]) -> None:
    from isoform.cli.console import printable

    for attestation in checked:
        glyph, colour = display.sign(attestation.verdict)
        text = f"{glyph} {printable(str(attestation.path)):<44} {attestation.verdict:<13} {printable(attestation.told)}"
        display.console.print(text, style=colour)


def _show_changes(display: Any, changes: Sequence[Change]) -> None:
    from isoform.cli.console import printable

    for change in changes:
        glyph, word, colour = ("✘", "WORSE", "bold red") if change.is_regression else ("–", "note", "bright_black")
        display.console.print(f"{glyph} {word:<6} {printable(str(change))}", style=colour)
