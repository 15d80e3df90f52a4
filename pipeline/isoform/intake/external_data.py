"""Weights beside an ONNX file: what is looked at before anything reads them."""

from pathlib import Path

from isoform.errors import IsoformError


def checked(path: Path, name: str, location: str, offset: int, size_bytes: int) -> Path:
    """Return the data file that a model keeps a tensor in, known to hold all of it.

    Args:
        path: the model.
        name: of the tensor.
        location: of the data file, as the model has it.

    Raises:
        IsoformError: the data file is missing, too short, a link, or outside of the model's folder.
    """
    data = path.parent / location
    if Path(location).is_absolute() or not data.resolve().is_relative_to(path.parent.resolve()):
        raise IsoformError(
            f"{path}: keeps weights in {location}, outside of its own folder.",
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
    if data.stat().st_size < offset + size_bytes:
        raise IsoformError(
            f"{data}: ends after {data.stat().st_size} bytes, '{name}' needs {offset + size_bytes}.",
            "The file is truncated: fetch it again.",
            kind="damaged",
        )
    return data
