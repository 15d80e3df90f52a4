"""Where ONNX Runtime can run here: asked of it in a child, as it has to be imported for that."""

from collections.abc import Callable
from typing import Any

import onnxruntime


def listed(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the names of the execution providers, in the order in which ONNX Runtime prefers them."""
    return {"providers": onnxruntime.get_available_providers()}
