"""What a path holds, told by its bytes and never by its extension alone, without opening it in any framework.

To add a container: the mark in its row of core/format.py, or a branch in `_of_bytes` where it takes more to tell one.
`admit` says what is checked of each.
"""

import stat
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from isoform.core import spelling
from isoform.core.format import FORMATS, lookup
from isoform.errors import IsoformError, UsageError
from isoform.intake import (
    hdf5_head,
    keras_config,
    openvino_ir,
    protobuf,
    published,
    safetensors_file,
    saved_model,
    shards,
    torch_pickle,
    zip_archive,
)
from isoform.intake.zip_archive import refusal

_FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"\x1f\x8b": "a gzip archive", b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive", b"Rar!": "a RAR archive", b"\x28\xb5\x2f\xfd": "a zstd archive",
}  # fmt: skip


@dataclass(frozen=True)
class Container:
    """A path and what it is.

    Attributes:
        format: a name in `FORMATS`.
        title: for people, more exact than the format.
        files: those that hold the weights, where they are not the path itself.
        note: what its extension says, where that is something else; else None.
    """

    path: Path
    format: str
    title: str
    files: tuple[Path, ...] = ()
    note: str | None = None


def identify(path: Path) -> Container:
    """Return what ``path`` holds.

    Raises:
        UsageError: no such path.
        IsoformError: empty, damaged, ambiguous, or nothing here recognises it.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: no such file or folder.", spelling.near_path(path)) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be opened ({error}).", "Check the path and its permissions.") from error
    if stat.S_ISDIR(mode):
        return _of_folder(path)
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path}: a device, pipe or socket, not a file.", "Name a file or a folder.")
    found = _of_file(path)
    return replace(found, note=_contradiction(found))


def _contradiction(found: Container) -> str | None:
    by_suffix = next((row for row in FORMATS.values() if row.suffixes and found.path.name.endswith(row.suffixes)), None)
    accepts_any = found.path.name.endswith((".pt", ".pth", ".bin")) and found.format in ("torchscript", "pt2")
    if by_suffix is None or by_suffix.name == found.format or accepts_any:
        return None
    return f"the extension of {found.path.name} says {by_suffix.title}, the content is {found.title}"


def _of_folder(path: Path) -> Container:
    if (path / "saved_model.pb").is_file():
        return Container(path, "savedmodel", "SavedModel")
    weights = published.weights_in(path)
    if weights is not None:
        files = _of_index(weights).files if weights.name.endswith(shards.SUFFIX) else (weights,)
        return Container(path, "torch", "folder with config.json and weights", files)
    if (path / published.PIPELINE).is_file():
        raise refusal(path, "a pipeline of several networks.", f"Name one: {path / 'unet'}", "ambiguous-container")
    indexes = sorted(path.glob(f"*{shards.SUFFIX}"))
    if len(indexes) == 1:
        return replace(_of_index(indexes[0]), path=path)
    if indexes:
        raise refusal(path, f"{len(indexes)} indexes in one folder.", f"Name one: {indexes[0]}", "ambiguous-container")
    raise refusal(
        path,
        "no model in this folder that is known here.",
        "A folder needs a saved_model.pb, an index of shards (*.index.json), or config.json beside model.safetensors.",
        "unknown-format",
    )


def _of_index(path: Path) -> Container:
    files = tuple(sorted(set(shards.read_index(path).values())))
    return Container(path, "torch", f"PyTorch checkpoint in {len(files)} files", files)


def _of_file(path: Path) -> Container:
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).", "Check its permissions.") from error
    if size == 0:
        raise refusal(path, "truncated: the file is empty.")
    for magic, title in _FOREIGN.items():
        if head.startswith(magic):
            raise refusal(path, f"{title}, not a model.", "Unpack it first and name the model in it.", "unknown-format")
    if head[257:262] == b"ustar":
        raise refusal(path, "a tar archive: an ambiguous container.", "Unpack it first.", "ambiguous-container")
    if head[:4] == b"PK\x03\x04":
        return _of_zip(path)
    if path.name.endswith(shards.SUFFIX):
        return _of_index(path)
    return _of_bytes(path, head) or _unknown(path)


def _of_bytes(path: Path, head: bytes) -> Container | None:
    marked = next((row for row in FORMATS.values() if row.holds(head)), None)
    if marked is not None:
        return Container(path, marked.name, marked.title)
    if head[:8] == hdf5_head.MAGIC:
        hdf5_head.refuse_cut(path)
        return Container(path, "keras", "Keras weights or model in HDF5")
    if torch_pickle.is_legacy(head):
        return Container(path, "torch", "PyTorch checkpoint (before 1.6)")
    if torch_pickle.is_pickle(head):
        return Container(path, "torch", "pickle")
    if safetensors_file.is_header(head):
        return Container(path, "torch", "safetensors")
    if openvino_ir.is_ir(head):
        return Container(path, "openvino", "OpenVINO IR")
    if protobuf.is_onnx(path):
        return Container(path, "onnx", "ONNX")
    return None


def _unknown(path: Path) -> Container:
    if path.name == "saved_model.pb":
        raise refusal(path, "the graph of a SavedModel.", f"Name the folder: {path.parent}", "unknown-format")
    row = next((row for row in FORMATS.values() if row.suffixes and path.name.endswith(row.suffixes)), None)
    if row is not None:
        raise refusal(path, f"truncated or damaged: the extension says {row.title}, the content does not.")
    raise IsoformError(
        f"{path}: not a model in a format known here.", f"Known formats: {', '.join(FORMATS)}.", kind="unknown-format"
    )


def _of_zip(path: Path) -> Container:
    with zip_archive.open_checked(path) as archive:
        return _by_members(path, archive)


def _by_members(path: Path, archive: zipfile.ZipFile) -> Container:
    names = archive.namelist()
    inner = {name.split("/", 1)[1] for name in names if "/" in name}
    found = []
    if "config.json" in names and "metadata.json" in names:
        found.append(Container(path, "keras", "Keras archive"))
    if "archive_format" in inner or "serialized_exported_program.json" in names:
        found.append(Container(path, "pt2", lookup("pt2").title))
    elif "constants.pkl" in inner:
        found.append(Container(path, "torchscript", lookup("torchscript").title))
    elif "data.pkl" in inner:
        found.append(Container(path, "torch", "PyTorch checkpoint"))
    if len(found) > 1:
        titles = " and ".join(item.title for item in found)
        raise refusal(path, f"an ambiguous container: {titles} at once.", "Save it again.", "ambiguous-container")
    if not found:
        raise refusal(
            path, "a zip archive, but no model in it that is known here.", "Unpack it first.", "unknown-format"
        )
    return found[0]


def admit(container: Container, *, allow_pickle: bool = False, has_code: bool = False) -> None:
    """Check the bytes of a container before any loader sees them.

    Args:
        allow_pickle: what would run is only listed, or its owner trusts who made the file.
        has_code: the user named the code that the file's own classes come from.

    Raises:
        IsoformError: damaged, truncated, ambiguous, or loading it would import more than weights need.
    """
    if container.format == "savedmodel" and not allow_pickle:
        saved_model.refuse_reaching_out(container.path)
    for path in container.files or (container.path,):
        _admit_file(path, allow_pickle)
    if container.format == "keras" and zipfile.is_zipfile(container.path) and not allow_pickle:
        keras_config.refuse_code(container.path, keras_config.read_config(container.path), has_code=has_code)


def _admit_file(path: Path, allow_pickle: bool) -> None:
    if path.is_dir():
        return
    found = _of_file(path)
    if found.title == "safetensors":
        safetensors_file.read_header(path)
    elif found.format == "torch":
        torch_pickle.imports_of(path) if allow_pickle else torch_pickle.refuse_code(path)
    elif found.format in ("keras", "pt2", "torchscript") and zipfile.is_zipfile(path):
        with zip_archive.open_checked(path) as archive:
            zip_archive.check_bytes(path, archive)
