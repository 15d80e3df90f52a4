"""Which pages there are, what each needs, and in which run of the tests it belongs.

A front matter may say ``prepared: FILE ...`` (from `docs.samples`) and ``requires: MODULE ...``. Pages that make a
model in PyTorch or in TensorFlow themselves are named here; all others run apart from both.
"""

from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs"
WRITTEN_BY_COMMANDS = (
    "calibration.md", "conformance", "figures.md", "frameworks.md", "reliability.md", "scale.md", "trials.md", "zoo.md",
)  # fmt: skip
"""Pages of figures, which make targets write."""

TORCH = frozenset(
    {
        "index.md", "training.md",
        "sources/pytorch.md", "sources/pytorch-modules.md", "sources/timm.md", "sources/torchscript.md",
        "sources/pt2.md", "sources/folder.md", "sources/hub-folders.md", "targets/torchscript.md", "targets/pt2.md",
        "targets/executorch.md",
    }
)  # fmt: skip
TENSORFLOW = frozenset({"sources/keras.md", "sources/savedmodel.md", "sources/tflite.md", "targets/savedmodel.md"})


def pages() -> list[str]:
    """Return every page that is run, by its path under docs/."""
    found = (path.relative_to(PAGES) for path in PAGES.rglob("*.md"))
    return sorted(str(path) for path in found if path.parts[0] not in WRITTEN_BY_COMMANDS)


def front_matter(page: Path) -> dict[str, list[str]]:
    """Return the words under each key between the two lines ``---`` that a page may begin with."""
    first, *lines = page.read_text(encoding="utf-8").splitlines()
    if first != "---":
        return {}
    rows = (line.partition(":") for line in lines[: lines.index("---")])
    return {key: words.split() for key, _, words in rows}
