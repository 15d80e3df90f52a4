"""What has to be the same on both sides of a cluster: isoform's own code, Python, and the packages of the routes."""

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import isoform
from isoform import registry, store

_ALWAYS = ("dask", "distributed", "numpy")
_DIGITS = 12
OWN = frozenset({"isoform", "isoform's code", "python", "machine"})
"""Names of what is no package that a route needs."""


def here(modules: Iterable[str]) -> dict[str, str]:
    """Return what this side has, by name; none of the modules is imported."""
    root = Path(isoform.__file__).parent
    return {
        "isoform": metadata.version("isoform"),
        "isoform's code": store.digest_of(store.digest_files(root, ["**/*.py"]))[:_DIGITS],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "machine": platform.machine(),
        **{name: registry.version_of(name) for name in sorted({*_ALWAYS, *modules})},
    }


def has_bokeh() -> bool:
    """Tell whether this process could draw Dask's dashboard."""
    return find_spec("bokeh") is not None


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return what differs, a phrase each: ``torch 2.13.0 here and 2.12.1 there``."""
    return [
        f"{name} {ours.get(name, 'unknown')} here and {theirs.get(name, 'unknown')} there"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]
