"""A target's verdicts as a Markdown page: totals, a table of operators, and what is not right, with its reason."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from conformance import known, suite
from conformance.baseline import YARDSTICK, Baseline
from conformance.targets import TARGETS
from conformance.verdicts import CRASHED, LEFT_OUT, REFUSED, RIGHT, WORDS, WRONG, Verdict

_MOST_REASON = 160


def rendered(target: str, found: Baseline, yardstick: Mapping[str, Verdict]) -> str:
    """Return the page of a target.

    Args:
        yardstick: the verdicts of ONNX Runtime; what it passes is what counts.
    """
    counted = [name for name in found.verdicts if yardstick.get(name, Verdict(LEFT_OUT)).word == RIGHT]
    parts = [
        f"# Conformance: {TARGETS[target].title}",
        f"ONNX' own backend tests, written by `make conformance TARGETS={target} UPDATE=1` with "
        + ", ".join(f"{package} {version}" for package, version in found.versions.items())
        + ". Not to be edited: the numbers are in the JSON file beside this one.",
        _totals(found.verdicts, counted),
        "## By operator\n\nCases that ONNX Runtime passes.\n\n" + _operators(found.verdicts, counted),
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
    head = ["| operator | cases | right | refused | wrong | why |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(operator, groups[operator]) for operator in sorted(groups))])


def _row(operator: str, found: list[Verdict]) -> str:
    words = Counter(verdict.word for verdict in found)
    wrong = words[WRONG] + words[CRASHED]
    reasons = Counter(verdict.reason for verdict in found if verdict.word in (REFUSED, WRONG, CRASHED, LEFT_OUT))
    why = "; ".join(f"{_short(reason)} ({count})" for reason, count in reasons.most_common(3))
    figures = (len(found), words[RIGHT], words[REFUSED], wrong)
    return f"| {operator} | " + " | ".join(str(each) if each else "" for each in figures) + f" | {why} |"


def _line(target: str, name: str, verdict: Verdict) -> str:
    known_as = known.reason(target, name) if target != YARDSTICK and verdict.word in (WRONG, CRASHED) else ""
    return f"- `{name}`: {_short(verdict.reason)}" + (f" (known: {known_as})" if known_as else "")


def _short(reason: str) -> str:
    text = reason if len(reason) <= _MOST_REASON else reason[: _MOST_REASON - 1] + "…"
    return text.replace("|", "\\|").replace("<", "&lt;")
