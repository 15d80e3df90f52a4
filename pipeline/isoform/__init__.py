"""isoform: one model, every format, the same numbers.

The functions below are imported when they are first used: ``import isoform`` loads nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoform.api import bench, convert, verify
    from isoform.stages.export import Result

__all__ = ["Result", "bench", "convert", "verify"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from isoform import api

        return getattr(api, name)
    raise AttributeError(f"module 'isoform' has no attribute '{name}'")
