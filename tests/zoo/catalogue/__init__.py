"""Every architecture of the zoo, by name. To add one, add a row to the file of its kind; no framework is imported."""

from typing import Any

from zoo.catalogue import diffusion, images, keras_models, scenes, series, speech, text
from zoo.entry import Entry

_SOURCES = (images, text, speech, scenes, series, diffusion, keras_models)


def entries() -> dict[str, Entry]:
    """Return every architecture by its name."""
    found: dict[str, Entry] = {}
    for source in _SOURCES:
        for entry in source.entries():
            assert entry.name not in found, f"two architectures are called '{entry.name}'"
            found[entry.name] = entry
    return found


def build(name: str) -> Any:
    """Return the network called ``name``: what ``isoform.convert(arch="zoo.catalogue:build")`` calls."""
    return entries()[name].build()
