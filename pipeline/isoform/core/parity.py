"""The record that verify writes: which gates an export passed on one runtime, with the figures.

`assess` is pure: runtimes run first and are compared later, so that a threshold can change without running again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from isoform.core import structure
from isoform.core.axes import Axis
from isoform.core.cases import FLOAT64, INTEGERS, Array, Cases, Floor, Tensors
from isoform.core.conditioning import Conditioning
from isoform.core.dependence import independent
from isoform.core.integer_steps import CLASS, judge_steps
from isoform.core.integer_steps import THRESHOLD as STEPS_THRESHOLD
from isoform.core.numerics import OutputFigures, Threshold, judge, threshold_of
from isoform.core.precision import FP32, Precision, lookup
from isoform.core.signature import Signature
from isoform.errors import IsoformError

PASS, WARN, FAIL, INCONCLUSIVE = "PASS", "WARN", "FAIL", "INCONCLUSIVE"
NOT_VERIFIED, ERROR = "NOT VERIFIED", "ERROR"
NOT_CHECKED = "NOT CHECKED"
TOLD = "TOLD"
"""Of a gate whose figures are there to be read, while another one decides."""
WORST_FIRST = (ERROR, FAIL, INCONCLUSIVE, WARN, PASS, NOT_VERIFIED)


@dataclass(frozen=True)
class Gate:
    """One gate's verdict and what it found; findings under PASS are remarks."""

    verdict: str
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "findings": list(self.findings)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Gate":
        return cls(str(record["verdict"]), tuple(record["findings"]))


@dataclass(frozen=True)
class ParityRecord:
    """One artifact on one runtime.

    Attributes:
        headline: one sentence for people.
        gates: structure, weights, semantics, numerics and, of less than float32, task; as far as they were reached.
        sizes: every size that each dynamic dimension took.
        axes: what became of each dynamic axis.
        versions: of the packages behind the runtime.
        precision: what was asked for.
    """

    runtime: str
    verdict: str
    headline: str
    gates: Mapping[str, Gate] = field(default_factory=dict)
    outputs: tuple[OutputFigures, ...] = ()
    cases: int = 0
    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    precision: str = FP32

    def to_json(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "verdict": self.verdict,
            "headline": self.headline,
            "gates": {name: gate.to_json() for name, gate in self.gates.items()},
            "outputs": [figures.to_json() for figures in self.outputs],
            "cases": self.cases,
            "sizes": {name: list(sizes) for name, sizes in self.sizes.items()},
            "axes": [axis.to_json() for axis in self.axes],
            "seconds": round(self.seconds, 3),
            "versions": dict(self.versions),
            "error": dict(self.error) if self.error else None,
            "precision": self.precision,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ParityRecord":
        gates = {name: Gate(gate["verdict"], tuple(gate["findings"])) for name, gate in record["gates"].items()}
        outputs = tuple(OutputFigures.from_json(figures) for figures in record["outputs"])
        axes = tuple(Axis.from_json(axis) for axis in record.get("axes", ()))
        return cls(**{**record, "gates": gates, "axes": axes, "outputs": outputs})

    @classmethod
    def not_verified(cls, runtime: str, reason: str) -> "ParityRecord":
        """Return the record of a runtime that cannot run here: never a pass."""
        return cls(runtime, NOT_VERIFIED, f"not verified: {reason}")

    @classmethod
    def failed_to_run(cls, runtime: str, error: IsoformError) -> "ParityRecord":
        """Return the record of a runtime that did not open or run the file."""
        return cls(runtime, ERROR, error.what, error=error.to_json())

    def lines(self) -> list[str]:
        """Return the record as text: the headline, then what each gate found and each output's figures."""
        text = [f"{self.verdict:<13} {self.runtime:<10} {self.headline}"]
        for name, gate in self.gates.items():
            text += [f"  {name}: {gate.verdict}", *(f"    {finding}" for finding in gate.findings)]
        text += [f"  {axis.told}" for axis in self.axes]
        text += [
            f"  {figures.name}: {figures.verdict}  lost bits {figures.lost_bits:.1f}  correct bits "
            f"{figures.correct_bits:.1f}  R_rms {figures.r_rms:.3g} (limit {figures.limit_rms:.3g})  "
            f"R_max {figures.r_max:.3g} (limit {figures.limit_max:.3g})  "
            f"rtol {figures.rtol:.1e} atol {figures.atol:.1e}  precision {figures.measured}"
            + (f"  {figures.counted}" if figures.counted else "")
            for figures in self.outputs
        ]
        return text


def worst(records: Sequence[ParityRecord]) -> str:
    """Return the verdict that stands for all of ``records``: the worst one; NOT VERIFIED where nothing was verified."""
    verdicts = {record.verdict for record in records}
    return next((verdict for verdict in WORST_FIRST if verdict in verdicts), NOT_VERIFIED)


def assess(
    runtime: str,
    declared: Signature,
    found: Signature,
    cases: Cases,
    outputs: Sequence[Tensors],
    weights: Gate,
    semantics: Gate,
    findings: Sequence[str] = (),
    precision: str = FP32,
    task: Gate | None = None,
) -> ParityRecord:
    """Return the verdict on ``outputs``, what ``runtime`` answered to ``cases``.

    Args:
        findings: what is wrong with the structure already: files, axes that do not run.
        precision: that of the artifact: rounding is held to its class, and integers to their decisions.
        task: gate 4, of an artifact of less than float32.

    Raises:
        IsoformError: ``cases`` hold no reference outputs.
    """
    if cases.reference is None or cases.source is None or cases.floors is None:
        raise IsoformError(
            "These cases hold no reference outputs.", "Use the cases.npz of an exported artifact.", kind="no-reference"
        )
    exact = [
        *findings,
        *structure.compare_signatures(declared, found),
        *structure.compare_outputs(declared, cases, outputs),
    ]
    asked = lookup(precision)
    figures = _figures(runtime, declared, cases, outputs, asked)
    if not asked.is_integer:  # gate 4 counts the decisions of integers
        exact += _changed_decisions(declared, cases, outputs, figures)
    numerics = _numerics(figures, cases, outputs, asked)
    gates = {
        "structure": Gate(FAIL if exact else PASS, tuple(exact)),
        "weights": weights,
        "semantics": semantics,
        "numerics": replace(numerics, verdict=TOLD) if asked.is_integer else numerics,
    }
    if not asked.is_integer and cases.method != INTEGERS:
        gates |= _of_nothing(gates, cases, threshold_of(runtime, cases.recorded_by).rms)
    if task is not None:
        gates["task"] = task
    verdict = _verdict(gates, figures)
    headline = _headline(verdict, gates, figures, cases.method)
    if asked.is_reduced:
        decided = [f"{gates['task'].findings[0]}"] if task is not None and task.verdict == PASS else []
        headline = "; ".join([asked.name, *decided, headline])
    sizes = _sizes(declared, cases)
    return ParityRecord(runtime, verdict, headline, gates, figures, len(cases), sizes, precision=precision)


def _figures(
    runtime: str, declared: Signature, cases: Cases, outputs: Sequence[Tensors], asked: Precision
) -> tuple[OutputFigures, ...]:
    assert cases.reference is not None
    assert cases.source is not None
    assert cases.floors is not None
    threshold = threshold_of(runtime, cases.recorded_by) if cases.method != INTEGERS else STEPS_THRESHOLD
    figures = []
    for spec in declared.outputs:
        if not structure.is_float(spec) and spec.name not in cases.steps:
            continue
        reference, source, export = (
            [case.get(spec.name) for case in column] for column in (cases.reference, cases.source, outputs)
        )
        if all(
            one is not None and two is not None and one.shape == two.shape
            for one, two in zip(reference, export, strict=True)
        ):
            floors, step = cases.floors[spec.name], cases.steps.get(spec.name)
            if step is None:
                entry = _judge(spec.name, reference, source, export, floors, threshold, asked.roundoff)  # type: ignore[arg-type]
            else:
                floor = Floor.over(floors, _sizes_of(reference))  # type: ignore[arg-type]
                entry = judge_steps(spec.name, source, export, step, floor, threshold)  # type: ignore[arg-type]
            figures.append(entry)
    return tuple(figures)


def _judge(
    name: str,
    reference: Sequence[Array],
    source: Sequence[Array],
    export: Sequence[Array],
    floors: Sequence[Floor],
    threshold: Threshold,
    roundoff: str,
) -> OutputFigures:
    """Return the figures of one float output over the cases that say something about it."""
    conditioning = Conditioning.of(reference, source, floors)
    exact, own, found, counted = (conditioning.kept(column) for column in (reference, source, export, floors))
    entry = judge(name, exact, own, found, Floor.over(counted, _sizes_of(exact)), threshold, roundoff)
    text, is_near = conditioning.finding(reference, export, threshold.rms)
    verdict, reason = (entry.verdict, entry.reason) if is_near else (FAIL, entry.reason or text)
    return replace(entry, verdict=verdict, reason=reason, left_out=text)


def _changed_decisions(
    declared: Signature, cases: Cases, outputs: Sequence[Tensors], figures: Sequence[OutputFigures]
) -> list[str]:
    assert cases.reference is not None
    assert cases.source is not None
    assert cases.floors is not None
    findings = []
    for entry in figures:
        reference, source, export = (
            [case[entry.name] for case in column] for column in (cases.reference, cases.source, outputs)
        )
        kept = Conditioning.of(reference, source, cases.floors[entry.name]).kept if entry.left_out else list
        changed = sum(
            structure.changed_decisions(one, other, entry.allowed_peak)
            for one, other in zip(kept(reference), kept(export), strict=True)
        )
        if changed:
            findings.append(
                f"'{entry.name}' decides for another class in {changed} rows, by more than rounding explains"
            )
    return findings


def _largest(name: str, cases: Cases, outputs: Sequence[Tensors]) -> str:
    """Return where an output differs most from its reference: case, element, both values."""
    assert cases.reference is not None
    pairs = [(run[name], known[name]) for run, known in zip(outputs, cases.reference, strict=True)]
    differences = [np.nan_to_num(np.abs(run.astype(np.float64) - known.astype(np.float64))) for run, known in pairs]
    case = int(np.argmax([array.max(initial=0.0) for array in differences]))
    place = tuple(map(int, np.unravel_index(int(differences[case].argmax()), differences[case].shape)))
    run, known = (float(array[place]) for array in pairs[case])
    where = f"{list(place)} of case {case} ({cases.kinds[case]})"
    return f"'{name}' differs most at {where}: {run:.7g}, the reference is {known:.7g}"


def _numerics(figures: Sequence[OutputFigures], cases: Cases, outputs: Sequence[Tensors], asked: Precision) -> Gate:
    verdicts = {entry.verdict for entry in figures}
    verdict = next((word for word in (FAIL, INCONCLUSIVE, WARN) if word in verdicts), PASS)
    findings = [f"'{entry.name}': {entry.reason}{_as_precise(entry, asked)}" for entry in figures if entry.reason]
    findings += [f"'{entry.name}': {entry.left_out}" for entry in figures if entry.left_out not in ("", entry.reason)]
    findings += [_largest(entry.name, cases, outputs) for entry in figures if entry.verdict in (FAIL, WARN)]
    return Gate(verdict, tuple(findings))


def _of_nothing(gates: Mapping[str, Gate], cases: Cases, limit: float) -> dict[str, Gate]:
    """Return the gates that compare outputs, passed for nothing where these do not depend on the inputs."""
    found = independent(cases, limit)
    if not found:
        return {}
    named = ", ".join(f"'{name}' by {share:.0e} of its size" for name, share in found.items())
    texts = {
        "semantics": "says nothing here",
        "numerics": f"over all inputs the source's outputs vary less than rounding, {named}: nothing in it shows",
    }
    passed = {name: gates[name] for name in texts if gates[name].verdict in (PASS, WARN)}
    return {name: Gate(INCONCLUSIVE, (texts[name], *gate.findings)) for name, gate in passed.items()}


def _as_precise(entry: OutputFigures, asked: Precision) -> str:
    if entry.counted:
        return f" ({entry.counted})"
    return "" if entry.measured.split()[0] == asked.roundoff else f", as precise as {entry.measured}"


def _verdict(gates: Mapping[str, Gate], figures: Sequence[OutputFigures]) -> str:
    verdicts = [gate.verdict for gate in gates.values()]
    is_proved = gates["weights"].verdict == gates["semantics"].verdict == PASS
    if FAIL in verdicts:
        return FAIL
    decides = gates["task"].verdict if "task" in gates else NOT_CHECKED
    if decides == INCONCLUSIVE or (gates["numerics"].verdict == TOLD and decides != PASS):
        return INCONCLUSIVE
    if INCONCLUSIVE in verdicts:  # the source differs from itself as much: its function is all that can be proved
        is_as_near = all(entry.r_rms <= entry.limit_rms and entry.r_max <= entry.limit_max for entry in figures)
        return WARN if is_proved and is_as_near else INCONCLUSIVE
    if WARN in verdicts:  # more than rounding: it stands only if weights and function are the source's, both proved
        return WARN if is_proved else FAIL
    return PASS


def _headline(verdict: str, gates: Mapping[str, Gate], figures: Sequence[OutputFigures], method: str) -> str:
    lost = max((entry.lost_bits for entry in figures), default=0.0)
    correct = min((entry.correct_bits for entry in figures), default=math.inf)
    numbers = f"{lost:.1f} bits lost, {correct:.1f} correct" if figures else "exact outputs only"
    if method == INTEGERS:
        counted = [f"'{entry.name}' {entry.counted}" for entry in figures if entry.counted]
        numbers = "; ".join([f"class {CLASS}", *(counted or [numbers])])
    if verdict == WARN and gates["numerics"].verdict == INCONCLUSIVE:
        numbers += "; weights and function are proved, its numbers are not: rounding decides in the source itself"
    told = ("weights", "semantics") if gates["numerics"].verdict == WARN else ("weights",)
    remarks = [f"{name} not checked" for name in told if gates[name].verdict == NOT_CHECKED]
    if any(entry.left_out for entry in figures):
        remarks.append("without cases at which rounding decides")
    if method not in (FLOAT64, INTEGERS):
        remarks.append(f"weaker: the reference is the {method}")
    if verdict != PASS:
        remarks += [
            f"{name}: {gate.findings[0]}"
            for name, gate in gates.items()
            if gate.verdict not in (PASS, NOT_CHECKED, TOLD)
        ]
    return "; ".join([numbers, *remarks])


def _sizes_of(column: Sequence[Array]) -> list[int]:
    return [array.size for array in column]


def _sizes(declared: Signature, cases: Cases) -> dict[str, list[int]]:
    return {
        symbol: sorted(set().union(*(structure.sizes_of(declared, symbol, case) for case in cases.inputs)))
        for symbol in declared.symbols
    }
