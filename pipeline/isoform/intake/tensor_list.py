"""The tensors of a checkpoint by name, dtype and shape, read without PyTorch and without importing what a pickle names.

Every name in the pickle becomes an inert stand-in; only what rebuilds a tensor is understood.
"""

import io
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.intake import safetensors_file, torch_pickle
from isoform.intake.zip_archive import refusal

_STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64",
    "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool",
    "ComplexFloat": "complex64", "ComplexDouble": "complex128",
}  # fmt: skip
_SAFETENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_HEADER_PICKLES = 3
_DEEPEST = 60


@dataclass(frozen=True)
class ListedTensor:
    """A tensor as the file describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class _Inert:
    """Stands for anything that a pickle imports: can be called, filled and called again, and does nothing."""

    contents: list[Any]
    state: Any

    def __new__(cls, *arguments: Any, **named: Any) -> "_Inert":
        made = super().__new__(cls)
        made.contents, made.state = list(arguments), None
        return made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> "_Inert":
        return _Inert(*arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.contents.append(value)

    def append(self, value: Any) -> None:
        self.contents.append(value)

    def extend(self, values: Any) -> None:
        self.contents.extend(values)

    add = append


class _Dict(dict[Any, Any]):
    """An OrderedDict that takes no attributes from a file."""

    def __setstate__(self, state: Any) -> None:
        return


@dataclass(frozen=True)
class _Storage:
    dtype: str


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return _rebuilt
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return lambda tensor, *rest: tensor
        kind = re.fullmatch(r"(\w+)Storage", name)
        if module == "torch" and kind:
            return _Storage(_STORAGES.get(kind[1], kind[1]))
        return type(name if name.isidentifier() else "Inert", (_Inert,), {})

    def persistent_load(self, pid: Any) -> Any:
        is_storage = isinstance(pid, tuple) and len(pid) > 1 and isinstance(pid[1], _Storage)
        return pid[1] if is_storage else _Storage("unknown")


def _rebuilt(storage: Any, offset: Any = 0, size: Any = (), *rest: Any) -> ListedTensor:
    shape = tuple(int(number) for number in size) if isinstance(size, (tuple, list)) else ()
    return ListedTensor("", storage.dtype if isinstance(storage, _Storage) else "unknown", shape)


def listed(path: Path) -> list[ListedTensor]:
    """Return the tensors of a PyTorch checkpoint or TorchScript file.

    Raises:
        IsoformError: the pickle in it does not make sense; nothing of it was executed.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if safetensors_file.is_header(head) and not torch_pickle.is_pickle(head):
        return [
            ListedTensor(tensor.name, _SAFETENSORS.get(tensor.dtype, tensor.dtype), tensor.shape)
            for tensor in safetensors_file.read_header(path)
        ]
    try:
        return list(_tensors(_unpickled(path, head), "", set(), 0))
    except Exception as error:  # an unpickler raises whatever a wrong pickle leads it to
        raise refusal(path, f"its pickle makes no sense ({type(error).__name__}: {str(error)[:80]}).") from error


def _unpickled(path: Path, head: bytes) -> Any:
    if head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.split("/")[-1] == "data.pkl")
            return _Reader(io.BytesIO(archive.read(name)), encoding="utf-8").load()
    with path.open("rb") as file:
        for _ in range(_HEADER_PICKLES if torch_pickle.is_legacy(head) else 0):
            _Reader(file).load()
        return _Reader(file, encoding="utf-8").load()


def _tensors(found: Any, name: str, seen: set[int], depth: int) -> Iterator[ListedTensor]:
    if isinstance(found, ListedTensor):
        yield ListedTensor(name, found.dtype, found.shape)
        return
    if not isinstance(found, (Mapping, list, tuple, _Inert)) or id(found) in seen or depth > _DEEPEST:
        return
    seen.add(id(found))
    if isinstance(found, Mapping):
        rows = list(found.items())
    elif isinstance(found, _Inert):
        rows = [("", found.state), *(("", item) for item in found.contents)]
    else:
        rows = list(enumerate(found))
    for key, inner in rows:
        word = str(key) if key not in ("_parameters", "_buffers", "_modules") else ""
        yield from _tensors(inner, f"{name}.{word}".strip(".") if word else name, seen, depth + 1)
