"""Weights beside an ONNX file: checked before anything reads them, mapped privately so that nobody needs a copy."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform.intake.external_data import checked

_SMALLEST_MAPPED_BYTES = 1 << 16
_BITS_OF_A_BYTE = 8


def open_weights(model: ir.Model, path: Path) -> None:
    """Map the external weights of ``model``, which was read from ``path``, in place.

    The mapping is private and writable: a framework may own such an array and train it, the file stays as it is.

    Raises:
        IsoformError: a data file is missing, too short, a link, or outside of the model's folder.
    """
    for value in _initializers(model):
        tensor = value.const_value
        if not isinstance(tensor, ir.ExternalTensor):
            continue
        data = _checked(tensor, path)
        if tensor.nbytes >= _SMALLEST_MAPPED_BYTES and tensor.dtype.bitwidth % _BITS_OF_A_BYTE == 0:
            shape = tuple(int(size) for size in tensor.shape)
            array = np.memmap(data, tensor.dtype.numpy(), mode="c", offset=tensor.offset or 0, shape=shape)
            value.const_value = ir.Tensor(array, dtype=tensor.dtype, name=tensor.name)


def _initializers(model: ir.Model) -> list[ir.Value]:
    return [value for graph in model.graphs() for value in graph.initializers.values()]


def _checked(tensor: ir.ExternalTensor, path: Path) -> Path:
    """Return the data file of a tensor, known to hold all of it."""
    return checked(path, str(tensor.name), str(tensor.location), tensor.offset or 0, tensor.nbytes)
