"""``python -m figures.picture PAGE PNG [SECTION]``: a picture of one section of a report, as a reader of it sees it."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, TALLEST = 1180, 580


def main(page_path: Path, target: Path, section: str = "latency") -> None:
    """Take the upper part of ``section``, in the light scheme, with scripts blocked and no network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(
            java_script_enabled=False, offline=True, viewport={"width": WIDTH, "height": 20_000}, color_scheme="light"
        )
        page = context.new_page()
        page.goto(page_path.resolve().as_uri())
        box = page.locator(f"section[aria-labelledby={section}]").bounding_box()
        clip = {"x": 0, "y": box["y"] + 1, "width": WIDTH, "height": min(box["height"], TALLEST)}
        page.screenshot(path=target, clip=clip)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
