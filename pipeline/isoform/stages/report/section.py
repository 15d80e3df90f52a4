"""What the page is made of: sections of charts, each with the figures behind it."""

from dataclasses import dataclass

from isoform.stages.report.sheet import Sheet


@dataclass(frozen=True)
class Figure:
    """One chart.

    Attributes:
        drawing: SVG; empty where a table says it better.
        sheet: the figures behind it, shown on request and to be downloaded.
    """

    title: str
    drawing: str
    sheet: Sheet
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Charts that are read together: those of one model."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes:
        anchor: an identifier within the page.
        short: its title in the list of sections.
        lead: what is shown and how it is to be read, in a sentence or two.
        table: shown above the charts, with nothing to open.
        missing: what is said where there is nothing to show; ``command`` makes the records, if one does.
    """

    anchor: str
    title: str
    short: str
    lead: str
    groups: tuple[Group, ...] = ()
    table: Sheet | None = None
    missing: str = ""
    command: str = ""

    @property
    def sheets(self) -> list[Sheet]:
        tables = [self.table] if self.table else []
        return tables + [figure.sheet for group in self.groups for figure in group.figures]
