"""The key of a result: everything that it depends on, and nothing else: no clock, no path, no time of a file.

A stage gives digests of inputs, options and versions; what holds for every stage is added here.
"""

import functools
import platform
from pathlib import Path
from typing import Any

from isoform import store

_PACKAGE = Path(__file__).parents[1]


def entry_key(**parts: Any) -> str:
    """Return the digest of ``parts`` (JSON values), of this platform and of isoform's own files."""
    return store.digest_of({"parts": parts, "platform": this_platform(), "code": code_digest()})


@functools.cache
def code_digest() -> str:
    """Return a digest of every file of this package, as it was when first asked for: children run the same code."""
    files = (path for path in _PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return store.digest_of({path.relative_to(_PACKAGE).as_posix(): store.digest_file(path) for path in files})


def this_platform() -> dict[str, str]:
    """Return what a result may depend on of the machine, whichever its processor is."""
    version = ".".join(platform.python_version_tuple()[:2])
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {version}",
    }
