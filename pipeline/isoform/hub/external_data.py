"""Weights beside an ONNX file: checked before anything reads them, mapped privately so that nobody needs a copy."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform.errors import IsoformError

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
    data = path.parent / tensor.location
    if Path(tensor.location).is_absolute() or not data.resolve().is_relative_to(path.parent.resolve()):
        raise IsoformError(
            f"{path}: keeps weights in {tensor.location}, outside of its own folder.",
            "Put the data file beside the model, and save the model again.",
            kind="refused",
        )
    if data.is_symlink() or not data.is_file():
        state = "is a link" if data.is_symlink() else "is not there"
        raise IsoformError(
            f"{path}: keeps weights in {data.name}, which {state}.", "Fetch or copy the data file too.", kind="no-file"
        )
    if data.stat().st_nlink > 1:  # whoever has its other name can change it while it is read
        raise IsoformError(
            f"{path}: keeps weights in {data.name}, a file with {data.stat().st_nlink} names (a hard link).",
            f"Make a copy of its own: cp {data.name} copy && mv copy {data.name}",
            kind="refused",
        )
    end = (tensor.offset or 0) + tensor.nbytes
    if data.stat().st_size < end:
        raise IsoformError(
            f"{data}: ends after {data.stat().st_size} bytes, '{tensor.name}' needs {end}.",
            "The file is truncated: fetch it again.",
            kind="damaged",
        )
    return data
