"""The verdicts as figures to be downloaded; the page shows the same as a matrix."""

from isoform.stages.report.collect import Collection
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text


def sheet(collection: Collection) -> Sheet:
    """Return one row for each export and runtime, and one for each export that was never verified."""
    columns = (
        Column("model", "Model"), Column("framework", "Framework"), Column("precision", "Precision"),
        Column("format", "Format"), Column("runtime", "Runtime"), Column("verdict", "Verdict"),
        Column("lost_bits", "Bits lost", lambda bits: figure_text(bits, ".1f"), is_number=True),
        Column("headline", "Headline"),
    )  # fmt: skip
    rows = []
    for entry in collection.entries:
        known = (entry.name, entry.framework, entry.precision, entry.format)
        for runtime, record in entry.parity.items():
            rows.append((*known, runtime, record.verdict, entry.lost_bits(runtime), record.headline))
        if not entry.parity:
            rows.append((*known, "", entry.verdict, None, ""))
    return Sheet("parity", "Verdicts", columns, tuple(rows))
