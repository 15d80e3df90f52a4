"""The head of an HDF5 file: enough to tell whether all of it is there.

Layout of the superblock: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, section II.A.
"""

from pathlib import Path

from isoform.intake.zip_archive import refusal

MAGIC = b"\x89HDF\r\n\x1a\n"
_END_PLACES = {0: (13, 24), 1: (13, 28), 2: (9, 12), 3: (9, 12)}
"""By version: where the width of an address stands, and where the addresses begin; the third one is the file's end."""
_WIDTHS = (2, 4, 8)


def refuse_cut(path: Path) -> None:
    """Refuse a file that ends before its superblock says.

    Raises:
        IsoformError: truncated, or no superblock of a known version.
    """
    with path.open("rb") as file:
        head = file.read(96)
    width_place, begin = _END_PLACES.get(head[8] if len(head) > 8 else 0, (0, 0))
    width = head[width_place] if width_place < len(head) else 8
    end = begin + 3 * width
    if len(head) < max(end, width_place + 1):
        raise refusal(path, f"truncated: an HDF5 file of {len(head)} bytes.")
    if not width_place or width not in _WIDTHS:
        raise refusal(path, "damaged: no superblock of HDF5 that is known here.")
    size, wanted = path.stat().st_size, int.from_bytes(head[end - width : end], "little")
    if size < wanted:
        raise refusal(path, f"truncated: the HDF5 file should have {wanted} bytes, it has {size}.")
