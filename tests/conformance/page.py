"""The records as Markdown, one page a target: totals, a table of operators, and what is not right, with its reason."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from conformance import baseline, known, suite
from conformance.baseline import YARDSTICK, Baseline
from conformance.targets import TARGETS
from conformance.verdicts import CRASHED, LEFT_OUT, REFUSED, RIGHT, WORDS, WRONG, Verdict

_MOST_REASON = 160
_ABOUT = """# Conformance

ONNX' own backend tests (kinds node, simple, pytorch-converted and pytorch-operator) through each emitter, on the
format's own runtime, with each case's own tolerance, not tighter than 1e-3 relative. What counts are the cases that
ONNX Runtime passes; in brackets those of them without bfloat16 and types of eight bits or less that NumPy lacks.
`right` agrees with ONNX; `refused` is said before anything runs; what is `wrong` or `crashed` stands on the target's
page with what is known of it; `left out` means that the runtime's interface cannot be given such a value.

Written by `make conformance UPDATE=1`; `make conformance` compares with it, and `make test` does so with a part of the
cases.

"""


def write() -> None:
    """Write the page of every target that has a record, and the one that lists them."""
    records = {target: record for target in TARGETS if (record := baseline.read(target)).verdicts}
    if YARDSTICK not in records:
        raise SystemExit(f"nothing is on record for {YARDSTICK}, by which the others are counted: run it first")
    yardstick = records[YARDSTICK].verdicts
    for target, record in records.items():
        baseline.path(target).with_suffix(".md").write_text(rendered(target, record, yardstick))
    (baseline.DOCS / "README.md").write_text(listed(records, yardstick))


def listed(records: Mapping[str, Baseline], yardstick: Mapping[str, Verdict]) -> str:
    """Return the page of all targets, a row each."""
    head = [f"| target | {' | '.join(WORDS)} | cases |", "|---" * (len(WORDS) + 2) + "|"]
    rows = [_target_row(target, each.verdicts, _passed(each.verdicts, yardstick)) for target, each in records.items()]
    return _ABOUT + "\n".join([*head, *rows]) + "\n"


def _target_row(target: str, verdicts: Mapping[str, Verdict], counted: list[str]) -> str:
    plain = [name for name in counted if suite.load(name).is_plain]
    passed, over_plain = (Counter(verdicts[name].word for name in names) for names in (counted, plain))
    figures = [f"{passed[word]} ({over_plain[word]})" if passed[word] else "" for word in WORDS]
    cells = " | ".join([*figures, f"{len(counted)} ({len(plain)})"])
    return f"| [{TARGETS[target].title}]({target}.md) | {cells} |"


def _passed(verdicts: Mapping[str, Verdict], yardstick: Mapping[str, Verdict]) -> list[str]:
    return [name for name in verdicts if name in yardstick and yardstick[name].word == RIGHT]


def rendered(target: str, found: Baseline, yardstick: Mapping[str, Verdict]) -> str:
    """Return the page of a target.

    Args:
        yardstick: the verdicts of ONNX Runtime; what it passes is what counts.
    """
    counted = _passed(found.verdicts, yardstick)
    is_yardstick = target == YARDSTICK
    parts = [
        f"# Conformance: {TARGETS[target].title}",
        f"ONNX' own backend tests, written by `make conformance TARGETS={target} UPDATE=1` with "
        + ", ".join(f"{package} {version}" for package, version in found.versions.items())
        + ". Not to be edited: the numbers are in the JSON file beside this one.",
        _totals(found.verdicts, counted),
        f"## By operator\n\n{'All cases' if is_yardstick else 'Cases that ONNX Runtime passes'}.\n\n"
        + _operators(found.verdicts, list(found.verdicts) if is_yardstick else counted),
    ]
    for word, title in ((WRONG, "Wrong"), (CRASHED, "Does not run"), (LEFT_OUT, "Left out")):
        listed = [name for name, verdict in found.verdicts.items() if verdict.word == word]
        if listed:
            parts.append(f"## {title}\n\n" + "\n".join(_line(target, name, found.verdicts[name]) for name in listed))
    return "\n\n".join(parts) + "\n"


def _totals(verdicts: Mapping[str, Verdict], counted: list[str]) -> str:
    everything, passed = (Counter(verdicts[name].word for name in names) for names in (verdicts, counted))
    plain = [name for name in counted if suite.load(name).is_plain]
    over_plain = Counter(verdicts[name].word for name in plain)
    rows = [f"| {word} | {passed[word]} | {over_plain[word]} | {everything[word]} |" for word in WORDS]
    head = ["| | that ONNX Runtime passes | of these, without types that NumPy lacks | all |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| **cases** | {len(counted)} | {len(plain)} | {len(verdicts)} |"])


def _operators(verdicts: Mapping[str, Verdict], counted: list[str]) -> str:
    groups: defaultdict[str, list[Verdict]] = defaultdict(list)
    for name in counted:
        groups[suite.subject(name)].append(verdicts[name])
    head = ["| operator | cases | right | refused | wrong | left out | why |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(operator, groups[operator]) for operator in sorted(groups))])


def _row(operator: str, found: list[Verdict]) -> str:
    words = Counter(verdict.word for verdict in found)
    wrong = words[WRONG] + words[CRASHED]
    reasons = Counter(verdict.reason for verdict in found if verdict.word in (REFUSED, WRONG, CRASHED, LEFT_OUT))
    why = "; ".join(f"{_short(reason)} ({count})" for reason, count in reasons.most_common(3))
    figures = (len(found), words[RIGHT], words[REFUSED], wrong, words[LEFT_OUT])
    return f"| {operator} | " + " | ".join(str(each) if each else "" for each in figures) + f" | {why} |"


def _line(target: str, name: str, verdict: Verdict) -> str:
    known_as = known.reason(target, name) if target != YARDSTICK and verdict.word in (WRONG, CRASHED) else ""
    return f"- `{name}`: {_short(verdict.reason)}" + (f" (known: {known_as})" if known_as else "")


def _short(reason: str) -> str:
    text = reason if len(reason) <= _MOST_REASON else reason[: _MOST_REASON - 1] + "…"
    return text.replace("|", "\\|").replace("<", "&lt;")
