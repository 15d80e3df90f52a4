"""OpenVINO without its telemetry: importing the package sends a note of it to its makers, and a stub stands in here."""

import sys
from typing import Any

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # so that importing it fails, as if absent

import openvino  # noqa: E402

__all__ = ["core", "openvino", "reason"]


def core() -> Any:
    """Return what opens files and compiles them."""
    return openvino.Core()


def reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong; above it stand places in OpenVINO's own source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    summary = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    return ("; ".join(dict.fromkeys(summary)) or (lines[-1] if lines else type(error).__name__))[:300]
