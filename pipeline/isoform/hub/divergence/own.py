"""A file as its own format has it, and the runtime that runs it."""

from collections.abc import Callable
from typing import Any

from isoform.core.artifact import Artifact
from isoform.core.protocols import Session

FORMATS = ("torchscript", "savedmodel")


def opened(artifact: Artifact, load: Callable[[Artifact], Session]) -> Any:
    """Return the `file.File` of an artifact in one of `FORMATS`."""
    if artifact.format == "torchscript":
        from isoform.hub.divergence.script_file import ScriptFile

        return ScriptFile(artifact, load)
    from isoform.hub.divergence.saved_model_file import SavedModelFile  # only one of the two frameworks need be there

    return SavedModelFile(artifact, load)
