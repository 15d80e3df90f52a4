"""docs/conformance/<target>.md: totals, and a row an operator."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from conformance import suite
from conformance.verdicts import CRASHED, LEFT_OUT, REFUSED, RIGHT, WRONG, Verdict

_WORDS = (RIGHT, REFUSED, WRONG, CRASHED, LEFT_OUT)


def write(
    folder: Path, target: str, versions: Mapping[str, str], verdicts: Mapping[str, Verdict], counted: set[str]
) -> None:
    """Write the page of one target.

    Args:
        counted: the cases that ONNX Runtime passes.
    """
    (folder / f"{target}.md").write_text(rendered(target, versions, verdicts, counted))


def rendered(target: str, versions: Mapping[str, str], verdicts: Mapping[str, Verdict], counted: set[str]) -> str:
    """Return the page as Markdown."""
    among = Counter(verdict.word for name, verdict in verdicts.items() if name in counted)
    written_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    plain = [name for name in counted if suite.load(name).is_plain]
    total = Counter(verdict.word for verdict in verdicts.values())
    text = [
        f"# {target}",
        "",
        f"Written by `make conformance UPDATE=1`; {written_with}.",
        "",
        f"**{among[RIGHT]} right of the {len(counted)} cases that ONNX Runtime passes**, of {len(verdicts)} in all;",
        f"of its {len(plain)} over NumPy's own types, without bfloat16 and what is smaller: "
        f"**{sum(verdicts[name].word == RIGHT for name in plain)}**.",
        "",
        f"| | {' | '.join(_WORDS)} |",
        "|---" * (len(_WORDS) + 1) + "|",
        f"| of those ONNX Runtime passes | {' | '.join(str(among[word]) for word in _WORDS)} |",
        f"| of all | {' | '.join(str(total[word]) for word in _WORDS)} |",
        "",
        "The cases that count, by operator; a case over several operators stands in each row.",
        "",
        f"| operator | {' | '.join(_WORDS)} | the first reason |",
        "|---" * (len(_WORDS) + 2) + "|",
    ]
    rows: dict[str, list[str]] = {}
    for name in counted & set(verdicts):
        for operator in suite.load(name).operators:
            rows.setdefault(operator, []).append(name)
    for operator, names in sorted(rows.items()):
        counts = Counter(verdicts[name].word for name in names)
        reasons = [verdicts[name].reason for name in sorted(names) if verdicts[name].word != RIGHT]
        first = reasons[0].replace("|", "\\|").replace("\n", " ")[:140] if reasons else ""
        text.append(f"| {operator} | {' | '.join(str(counts[word] or '') for word in _WORDS)} | {first} |")
    return "\n".join(text) + "\n"
