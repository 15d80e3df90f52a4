"""What the models were trained on, and how their loss and accuracy went."""

from collections.abc import Iterator, Sequence

from isoform.stages.report.charts.curves import Line, over_epochs
from isoform.stages.report.collect import Training
from isoform.stages.report.section import Figure, Group
from isoform.stages.report.sheet import Column, Sheet
from isoform.stages.report.text import figure_text, slug


def groups(trainings: Sequence[Training]) -> list[tuple[Group, list[Training]]]:
    """Return, for each model, its curves over epochs and the trainings of all frameworks."""
    found = []
    for name in dict.fromkeys(training.name for training in trainings):
        group = [training for training in trainings if training.name == name]
        found.append((Group(name, tuple(_figures(name, group))), group))
    return found


def _figures(name: str, group: list[Training]) -> Iterator[Figure]:
    for quantity in ("loss", "accuracy"):
        lines = list(_lines(group, quantity))
        if lines:
            title = f"{name}: {quantity} by epoch"
            sheet = Sheet(f"training-{slug(name)}-{quantity}", title, _columns(quantity), tuple(_rows(lines)))
            told = f"Last values: {', '.join(line.label for line in lines)}."
            yield Figure(quantity.capitalize(), over_epochs(sheet.name, lines, title, quantity, told), sheet)


def _lines(group: list[Training], quantity: str) -> Iterator[Line]:
    for place, training in enumerate(group):
        for side, field in (("test", f"test_{quantity}"), ("train", quantity)):
            values = [float(epoch[field]) for epoch in training.record["epochs"] if epoch.get(field) is not None]
            if values:
                label = f"{training.framework} {side} {values[-1]:.3f}"
                corners = [(float(epoch), value) for epoch, value in enumerate(values, start=1)]
                yield Line(place, label, corners, is_dashed=side == "train")


def _rows(lines: Sequence[Line]) -> Iterator[tuple[object, ...]]:
    for line in lines:
        framework, side, _ = line.label.rsplit(" ", 2)
        for epoch, value in line.corners:
            yield framework, side, int(epoch), value


def _columns(quantity: str) -> tuple[Column, ...]:
    return (
        Column("framework", "Framework"), Column("split", "Split"), Column("epoch", "Epoch", is_number=True),
        Column(quantity, quantity.capitalize(), lambda value: figure_text(value, ".4f"), is_number=True),
    )  # fmt: skip
