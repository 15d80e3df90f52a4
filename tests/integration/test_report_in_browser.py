"""The page in headless Chromium, scripts blocked and without a network: what people who get it sent see of it."""

import base64
import csv
import io
import itertools
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import written_records
from isoform.stages.report import write
from isoform.stages.report.collect import collect
from isoform.stages.report.render import compose

_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_VOID = {"meta", "link", "br", "img", "hr", "input", "path", "circle", "rect", "polygon", "polyline"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with something in every section, an earlier run and latencies timed in turns included."""
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    written_records.full(before)
    written_records.full(after)
    shutil.rmtree(before / "net" / "keras" / "onnx")
    turns = before / "turns.json"
    turns.write_text(json.dumps([{
        "path": "after/net/torch/onnx", "baseline": "before/net/torch/onnx", "runtime": "ort-cpu", "error": None,
        "comparisons": [{
            "threads": 1, "verdict": "slower", "ratio": 1.08, "interval_95": [1.05, 1.1], "threshold": 0.03,
        }],
    }]))  # fmt: skip
    write(after, after / "report.html", before, turns)
    return after / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, list[str]]]:
    """Return the page at the asked width, and what went wrong: console messages and requests that left."""
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": getattr(request, "param", 1280), "height": 900}
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: None if asked.url == report.as_uri() else troubles.append(asked.url))
    page.goto(report.as_uri())
    yield page, troubles
    context.close()


def test_every_section_shows_its_charts_without_scripts_and_without_a_network(opened: tuple[Any, list[str]]) -> None:
    page, troubles = opened
    charts = {
        "before": 1, "latency": 3 * 4, "front": 2 * 4, "throughput": 2 * 2, "deployment": 1, "placement": 2 * 4,
        "roofline": 4, "training": 2 * 2,
    }  # fmt: skip
    for section, count in charts.items():
        drawings = page.locator(f"section[aria-labelledby={section}] figure > svg")
        assert drawings.count() == count, section
        assert all(drawing.bounding_box()["height"] > 100 for drawing in drawings.all()), section
    assert troubles == []


@pytest.mark.parametrize("opened", [360, 768, 1280], indirect=True)
def test_nothing_is_wider_than_the_screen_even_with_everything_open(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_no_label_leaves_its_chart(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    out = page.evaluate("""[...document.querySelectorAll('figure > svg')].flatMap(svg => {
        const own = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.right > own.right + 1 || box.left < own.left - 1 || box.bottom > own.bottom + 1;
        }).map(text => svg.querySelector('title').textContent + ': ' + text.textContent);
    })""")
    assert out == []


def test_the_tab_key_reaches_every_link_and_shows_where_it_is(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    wanted = page.evaluate("document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    reached = 1
    while reached < wanted:
        page.keyboard.press("Tab")
        tag, outline = page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert tag != "BODY", f"only {reached} of {wanted}"
        assert outline == "solid"
        reached += 1


def test_a_closed_list_of_figures_opens_from_the_keyboard(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    summary = page.locator("details.data > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.data table").first.is_visible()


def test_what_is_downloaded_is_what_the_records_say(opened: tuple[Any, list[str]], report: Path) -> None:
    page, troubles = opened
    sheets = {sheet.name: sheet for sheet in compose(collect(report.parent)).sheets}
    with page.expect_download() as kept:
        page.get_by_role("link", name="figures.json").click()
    everything = json.loads(Path(kept.value.path()).read_text())
    assert {name: everything[name] for name in sheets} == {name: sheet.document for name, sheet in sheets.items()}
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    link = page.locator("a[download='latency-net-batch1.csv']")
    with page.expect_download() as kept:
        link.click()
    assert kept.value.suggested_filename == "latency-net-batch1.csv"
    rows = list(csv.DictReader(io.StringIO(Path(kept.value.path()).read_text())))
    torch = next(row for row in rows if row["export"] == "ONNX torch" and row["threads"] == "1")
    assert float(torch["median_ns"]) == 1_002_500  # of six medians 1,000,000 ... 1,005,000
    assert troubles == []


def test_every_download_on_the_page_holds_the_table_it_stands_below(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    links = page.evaluate("[...document.querySelectorAll('a[download]')].map(link => [link.download, link.href])")
    assert len({name for name, _ in links}) == len(links)
    for name, address in links:
        content = base64.b64decode(address.partition("base64,")[2]).decode()
        if name.endswith(".csv"):
            assert len({len(row) for row in csv.reader(io.StringIO(content))}) == 1
        else:
            json.loads(content)
    shown = page.locator("details.data").count()
    assert sum(name.endswith(".csv") for name, _ in links) >= shown


def test_links_to_artifacts_lead_to_files_that_are_there(opened: tuple[Any, list[str]], report: Path) -> None:
    page, _ = opened
    links = page.evaluate("[...document.querySelectorAll('.export .links a')].map(link => link.getAttribute('href'))")
    assert len(links) == 16 * 3  # model, artifact.json, bench.json
    assert all((report.parent / link).exists() for link in links)


def test_every_chart_has_a_name_and_a_description_for_a_screen_reader(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    images = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img") and not node["ignored"]]
    assert len(images) == page.locator("svg[role=img]").count() > 40
    assert all(node["name"]["value"] and node["description"]["value"] for node in images)
    named = [node["name"]["value"] for node in images]
    assert len(set(named)) == len(named)
    roles = [node.get("role", {}).get("value") for node in nodes if not node["ignored"]]
    assert [roles.count(role) for role in ("banner", "navigation", "main")] == [1, 1, 1]
    regions = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "region"]
    assert all(regions)


def test_headings_never_skip_a_level(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(each => Number(each.tagName[1]))")
    assert levels.count(1) == 1
    assert all(next_one <= level + 1 for level, next_one in itertools.pairwise(levels))


def test_every_table_has_a_caption_and_scopes(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    assert page.evaluate("[...document.querySelectorAll('table')].every(each => each.caption)")
    assert page.evaluate("[...document.querySelectorAll('th')].every(each => each.scope)")


class _Tree(HTMLParser):
    """The tags as they are written; a closing tag has to close the one that is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.order: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.order.append(f"{len(self.open)} {tag}")
        if len({name for name, _ in attrs}) != len(attrs):
            self.faults.append(f"an attribute twice: {tag}")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(f"</{tag}> at line {self.getpos()[0]}")


def test_the_browser_has_nothing_to_repair(opened: tuple[Any, list[str]], report: Path) -> None:
    """What a parser mends, it moves: the tree that Chromium built is the one that was written, tag for tag."""
    page, _ = opened
    written = _Tree()
    written.feed(report.read_text())
    built = page.evaluate("""(() => {
        const order = [], walk = (node, depth) => {
            order.push(depth + ' ' + node.tagName.toLowerCase());
            [...node.children].forEach(child => walk(child, depth + 1));
        };
        walk(document.documentElement, 0);
        return order;
    })()""")
    assert written.faults == []
    assert written.order == built
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "n" * 200, "שלום עולם", "🧠" * 40, "a\u202eb", "=1+1", "%00/../x"]
)
def test_names_of_any_kind_break_neither_page_nor_width(browser: Any, tmp_path: Path, name: str) -> None:
    own = written_records.artifact(tmp_path, name, "onnx", "PASS")
    written_records.measured(own, 1000, 1100)
    written_records.training(tmp_path, "torch", is_generated=False)
    write(tmp_path, tmp_path / "report.html")
    context = browser.new_context(java_script_enabled=True, offline=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("script").count() == 0
    assert troubles == []
    context.close()


def test_print_shows_what_the_screen_hides_and_hides_what_paper_cannot_use(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    page.emulate_media(media="print")
    assert page.locator(".export").first.locator("h4").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert not page.locator(".downloads").first.is_visible()


def test_paper_is_white_whatever_the_screen_was_and_tables_fit_on_it(browser: Any, report: Path) -> None:
    context = browser.new_context(
        java_script_enabled=False, offline=True, color_scheme="dark", viewport={"width": 718, "height": 1000}
    )  # A4 at 96 dpi, less its margins
    page = context.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('section[aria-labelledby=cost]').scrollWidth") <= 718
    context.close()


def test_dark_and_light_are_two_sets_of_colours(browser: Any, report: Path) -> None:
    backgrounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(java_script_enabled=False, offline=True, color_scheme=scheme)
        page = context.new_page()
        page.goto(report.as_uri())
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(20, 23, 28)"]
