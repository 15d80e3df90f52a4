"""Operators in a SavedModel that reach out of it, found in its bytes before TensorFlow reads them.

A node names its operator in field 2 of NodeDef (tensorflow/core/framework/node_def.proto). The same bytes stand in
every function and in graphs that are serialized into constants, so that one search covers all of them.
"""

import mmap
from pathlib import Path

from isoform.intake.zip_archive import refusal

REACHING_OUT = (
    "ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc",
    "WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2",
    "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2",
    "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "LoadDataset", "SaveDataset", "SaveDatasetV2",
    "GeneratorDataset", "CSVDataset", "CSVDatasetV2", "SqlDataset", "MatchingFilesDataset", "SnapshotDataset",
    "SnapshotDatasetV2", "CacheDataset", "CacheDatasetV2", "DataServiceDataset", "DataServiceDatasetV2",
    "WriteSummary", "WriteGraphSummary", "CreateSummaryFileWriter", "DebugIdentityV2",
)  # fmt: skip
"""They read or write files, talk to other machines, or call Python."""
_OPERATOR = 0x12
"""The tag of NodeDef.op: field 2, a string."""


def reaching_out(folder: Path) -> tuple[str, ...]:
    """Return which operators in the SavedModel reach out of it.

    Raises:
        IsoformError: its graph is empty.
    """
    path = folder / "saved_model.pb"
    if path.stat().st_size == 0:
        raise refusal(path, "truncated: the file is empty.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return tuple(name for name in REACHING_OUT if data.find(bytes([_OPERATOR, len(name)]) + name.encode()) >= 0)


def refuse_reaching_out(folder: Path) -> None:
    """Refuse a SavedModel that reads or writes files, talks to other machines, or calls Python.

    Raises:
        IsoformError: the operators are named.
    """
    found = reaching_out(folder)
    if found:
        raise refusal(
            folder,
            f"reaches out of itself: its graph or one of its functions has {', '.join(found)}.",
            "Save the model without its input pipeline; a file's contents belong into a constant or an asset.",
            "unsafe-graph",
        )
