"""Figures as they are downloaded: what a program reads back is what the record says."""

import base64
import csv
import io
import json
import math

import pytest

from isoform.stages.report.sheet import Column, Sheet, address, markdown

COLUMNS = (Column("name", "Name"), Column("latency_ns", "Latency", lambda ns: f"{ns / 1e6} ms", is_number=True))


def sheet(*rows: tuple[object, ...]) -> Sheet:
    return Sheet("s", "A | title", COLUMNS, rows)


@pytest.mark.parametrize("name", ["plain", 'a "quoted", name', "two\nlines", "שלום 🧠", ""])
def test_csv_is_read_back_as_it_was(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(sheet((name, 1_234_567.25)).csv))
    assert row == {"name": name, "latency_ns": "1234567.25"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_spreadsheet_obeys_a_name(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(sheet((name, -1)).csv))
    assert row == {"name": f"'{name}", "latency_ns": "-1"}
    assert sheet((name, -1)).document["data"] == [[name, -1]]


def test_json_has_every_digit_and_null_for_what_it_cannot_say() -> None:
    document = json.loads(sheet(("a", 0.1), ("b", math.inf), ("c", None)).json)
    assert document == {"columns": ["name", "latency_ns"], "data": [["a", 0.1], ["b", None], ["c", None]]}


def test_an_address_holds_what_it_was_given_whatever_that_is() -> None:
    held = address("text/csv", "ü\ud800🧠\n")
    assert base64.b64decode(held.partition("base64,")[2]).decode() == "ü\\ud800🧠\n"


def test_markdown_keeps_its_columns_whatever_the_names() -> None:
    text = markdown([sheet(("a|b <script>\nc", 1e6))])
    assert text == ("## A \\| title\n\n| Name | Latency |\n| --- | ---: |\n| a\\|b &lt;script> c | 1.0 ms |\n")
