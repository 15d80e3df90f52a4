"""Faults in a TFLite file: it is read as a hub graph, and emitted again as isoform emits every TFLite file.

A weight that several operators or loops of the file share is read once for each: a fault in it is one in all of them.
"""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform import hub
from isoform.core.artifact import Artifact
from isoform.hub.faults import graph
from isoform.hub.faults.table import Fault

__all__ = ["FAULTS", "opened", "save"]


def opened(artifact: Artifact) -> ir.Model:
    """Return the graph of an artifact."""
    return hub.from_tflite(artifact.model, artifact.entry)


def save(model: ir.Model, target: Path) -> None:
    """Write the graph as a file."""
    target.write_bytes(hub.to_tflite(model))


def _wherever_shared(fault: Fault[ir.Model]) -> Fault[ir.Model]:
    def planted(model: ir.Model, rng: np.random.Generator) -> str | None:
        before = {value: value.const_value for each in model.graphs() for value in each.initializers.values()}
        told = fault(model, rng)
        for value, tensor in before.items():
            if value.const_value is not tensor and tensor is not None:
                for other in (other for other, held in before.items() if other is not value and _is_same(held, tensor)):
                    other.const_value = ir.tensor(value.const_value, name=other.name)
        return told

    return planted


def _is_same(one: ir.TensorProtocol | None, other: ir.TensorProtocol) -> bool:
    is_alike = one is not None and (one.dtype, tuple(one.shape)) == (other.dtype, tuple(other.shape))
    return is_alike and one is not None and np.array_equal(one.numpy(), other.numpy())


FAULTS = {name: _wherever_shared(fault) for name, fault in graph.FAULTS.items()}
