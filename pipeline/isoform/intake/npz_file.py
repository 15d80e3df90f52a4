"""Archives of arrays (.npz), judged by their headers before NumPy makes room for what these claim."""

import math
import zipfile
from pathlib import Path

import numpy as np

from isoform.intake import zip_archive
from isoform.intake.zip_archive import refusal


def refuse_bombs(path: Path) -> None:
    """Refuse an archive whose arrays claim more bytes than it holds, or that unpacks to very many.

    Raises:
        IsoformError: that, truncated, or not an archive of arrays; the array is named.
    """
    with zip_archive.open_checked(path) as archive:
        for info in archive.infolist():
            _check_array(path, archive, info)


def _check_array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    name = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as member:
            read = np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(member) != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            held = info.file_size - member.tell()
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise refusal(path, f"truncated or damaged: '{name}' is no array ({error}).") from error
    claimed = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and claimed != held:
        raise refusal(path, f"the array '{name}' claims {claimed} bytes and has {held}.", kind="zip-bomb")
