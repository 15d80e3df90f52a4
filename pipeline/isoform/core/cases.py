"""Named input sets, and the reference outputs recorded for them (``cases.npz``).

A case is one call of the model. The file holds everything that a machine without the source needs to verify any
export: inputs, float64 reference outputs, the source's own outputs, and how far rounding alone moves the outputs.
Not aware of runtimes: recording the references is the work of stages/reference.py.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UsageError

Array = npt.NDArray[Any]
Tensors = Mapping[str, Array]

_VERSION = 2
"""Of the file; 2 keeps floors case by case."""
FLOAT64, CENTRE = "float64", "centre of disturbed float32 runs"
INTEGERS = "source's own run, compared in steps of its integers"
"""How references were recorded; the second where the source cannot run in float64, and weaker; the third where the
source computes in integers of a scale, which rounds by itself."""


@dataclass(frozen=True)
class Floor:
    """How much the model amplifies rounding, for one output (method.md, ``s`` and ``m_s``)."""

    rms: float
    peak: float

    @classmethod
    def over(cls, floors: Sequence["Floor"], sizes: Sequence[int]) -> "Floor":
        """Return the floor of several cases together, each with its number of elements."""
        squares = sum(size * floor.rms**2 for floor, size in zip(floors, sizes, strict=True))
        return cls(float(np.sqrt(squares / max(sum(sizes), 1))), max((floor.peak for floor in floors), default=0.0))


@dataclass(frozen=True)
class Cases:
    """Input sets with what the source answers to them.

    Attributes:
        kinds: what each case is: representative, gaussian, zeros, ones, large, tiny, repeated, or given.
        inputs: one mapping a case, name to array.
        reference: the source's outputs in float64, or None where no reference has been recorded.
        method: how the reference was recorded, `FLOAT64`, `CENTRE` or `INTEGERS`.
        source: the source's outputs as it normally runs, strict float32.
        floors: by output name, what rounding alone does to the float64 outputs, case by case.
        recorded_by: the runtime that answered, "" where no reference has been recorded.
        steps: by name, how far apart the values of an output are that is made of integers; of quantised sources.
    """

    kinds: tuple[str, ...]
    inputs: tuple[Tensors, ...]
    reference: tuple[Tensors, ...] | None = None
    source: tuple[Tensors, ...] | None = None
    floors: Mapping[str, tuple[Floor, ...]] | None = None
    recorded_by: str = ""
    method: str = FLOAT64
    steps: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    def with_reference(
        self,
        reference: Sequence[Tensors],
        source: Sequence[Tensors],
        floors: Mapping[str, tuple[Floor, ...]],
        method: str = FLOAT64,
        steps: Mapping[str, float] | None = None,
    ) -> "Cases":
        return replace(
            self,
            reference=tuple(reference),
            source=tuple(source),
            floors=dict(floors),
            method=method,
            steps=dict(steps or {}),
        )

    def recorded(self, runtime: str) -> "Cases":
        """Return the same cases, the references known to be those of ``runtime``."""
        return replace(self, recorded_by=runtime)

    def only(self, chosen: Sequence[int]) -> "Cases":
        """Return the cases at these positions, with what was recorded for them."""

        def rows(column: tuple[Tensors, ...]) -> tuple[Tensors, ...]:
            return tuple(column[index] for index in chosen)

        return replace(
            self,
            kinds=tuple(self.kinds[index] for index in chosen),
            inputs=rows(self.inputs),
            reference=rows(self.reference) if self.reference is not None else None,
            source=rows(self.source) if self.source is not None else None,
            floors=None
            if self.floors is None
            else {name: tuple(floors[index] for index in chosen) for name, floors in self.floors.items()},
        )


def from_user(path: Path, signature: Signature) -> Cases:
    """Return the user's own inputs from an npz: one array an input, or ``NAME.0``, ``NAME.1`` ... for several cases.

    Raises:
        UsageError: an input is missing, or its shape or dtype is not the signature's.
    """
    arrays = _read_arrays(path)
    names = [spec.name for spec in signature.inputs]
    count = 1 + max((int(key.rsplit(".", 1)[1]) for key in arrays if key.rsplit(".", 1)[-1].isdigit()), default=0)
    inputs = []
    for index in range(count):
        case = {name: arrays.get(f"{name}.{index}", arrays.get(name)) for name in names}
        missing = [name for name, array in case.items() if array is None]
        if missing:
            raise UsageError(
                f"{path}: case {index} has no array '{missing[0]}'.",
                f"Save one array for each input ({', '.join(names)}), or NAME.0, NAME.1 ... for several cases.",
            )
        for spec in signature.inputs:
            check(spec, case[spec.name], f"{path}, case {index}")
        inputs.append({name: array for name, array in case.items() if array is not None})
    return Cases(("given",) * count, tuple(inputs))


def _read_arrays(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path}: not a readable npz file of plain arrays ({error}).", "Write it with numpy.savez."
        ) from error


def widened(case: Tensors) -> dict[str, Array]:
    """Return one case, its numbers in floating point as float64: every one of them exactly."""
    return {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in case.items()}


def check(spec: TensorSpec, array: Any, where: str) -> None:
    """Raise UsageError if ``array`` is not what ``spec`` declares."""
    fits = len(array.shape) == len(spec.shape) and all(
        isinstance(dim, str) or dim == size for dim, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits or str(array.dtype) != spec.dtype:
        raise UsageError(
            f"{where}: '{spec.name}' is {array.dtype}{list(array.shape)}, declared {spec}.",
            "Save the array in the declared dtype and shape.",
        )


def save(cases: Cases, path: Path) -> None:
    """Write ``cases`` to ``path``; equal cases give equal bytes."""
    columns: dict[str, Sequence[Tensors] | None] = {
        "in": cases.inputs, "ref": cases.reference, "src": cases.source,
    }  # fmt: skip
    arrays: dict[str, Array] = {}
    names: dict[str, list[str]] = {}
    for column, rows in columns.items():
        if rows is not None:
            names[column] = list(rows[0])
            for case, row in enumerate(rows):
                for position, array in enumerate(row.values()):
                    arrays[f"{column}.{case}.{position}"] = array
    floors = {name: [[each.rms, each.peak] for each in found] for name, found in (cases.floors or {}).items()}
    head = {"version": _VERSION, "kinds": cases.kinds, "names": names, "floors": floors}
    head |= {"recorded_by": cases.recorded_by, "method": cases.method, "steps": dict(cases.steps)}
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, _storable(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue())


def _storable(array: Array) -> Array:
    """Return ``array`` without Python objects: runtimes give text as str or as UTF-8 bytes."""
    if array.dtype.kind != "O":
        return np.asarray(array)
    text = [item.decode() if isinstance(item, bytes) else str(item) for item in array.ravel()]
    return np.array(text, dtype=str).reshape(array.shape)


def stream_inputs(path: Path) -> Iterator[Tensors]:
    """Yield the inputs that `save` wrote, case by case, only one of them in memory.

    Raises:
        IsoformError: the file is missing, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            head = json.loads(bytes(archive["head"]))
            for case in range(len(head["kinds"])):
                yield {name: archive[f"in.{case}.{position}"] for position, name in enumerate(head["names"]["in"])}
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise IsoformError(
            f"{path}: not a readable cases file ({error}).", "Export the artifact again.", kind="damaged"
        ) from error


def load(path: Path) -> Cases:
    """Return what `save` wrote.

    Raises:
        IsoformError: the file is missing, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            head = json.loads(bytes(archive["head"]))
            if head.get("version", 1) != _VERSION:
                raise ValueError(f"version {head.get('version', 1)}, and this isoform reads {_VERSION}")
            columns = {
                column: tuple(
                    {name: archive[f"{column}.{case}.{position}"] for position, name in enumerate(names)}
                    for case in range(len(head["kinds"]))
                )
                for column, names in head["names"].items()
            }
            floors = {name: tuple(Floor(*pair) for pair in pairs) for name, pairs in head["floors"].items()}
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise IsoformError(
            f"{path}: not a readable cases file ({error}).", "Export the artifact again.", kind="damaged"
        ) from error
    reference, source = columns.get("ref"), columns.get("src")
    return Cases(
        tuple(head["kinds"]),
        columns["in"],
        reference,
        source,
        floors if reference is not None else None,
        head.get("recorded_by", ""),
        head.get("method", FLOAT64),
        head.get("steps", {}),
    )
