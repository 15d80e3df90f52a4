"""A written graph in ONNX Runtime, opened to see that it runs: as it stands, its weights mapped from the file."""

from pathlib import Path
from typing import Any

import onnxruntime


def session(path: Path) -> Any:
    """Return a session on the CPU; what the binding raises for a graph that it refuses goes through."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    # What is tried is the graph as it stands; and both would copy the weights, which are mapped from the file.
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def line(error: Exception) -> str:
    """Return the first line of what the binding says."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
