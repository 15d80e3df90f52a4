"""The cases: model, data sets and tolerances, and what each is a case of."""

import pickle
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
_PROTOS = {
    "tensor_type": onnx.TensorProto,
    "sequence_type": onnx.SequenceProto,
    "optional_type": onnx.OptionalProto,
}
_GROUPS = {
    "simple": "(simple models)",
    "pytorch-converted": "(PyTorch layers)",
    "pytorch-operator": "(PyTorch operators)",
}
_EXPANDED = "_expanded"
"""The end of the name of a case whose operator is replaced by the function that ONNX defines it by."""


@dataclass(frozen=True)
class Case:
    """One backend test.

    Attributes:
        name: ``kind/name``.
        data_sets: pairs of inputs and outputs; a value is an array, a list of values, or None.
    """

    name: str
    model: onnx.ModelProto
    data_sets: tuple[tuple[list[Any], list[Any]], ...]
    rtol: float
    atol: float

    @property
    def is_plain(self) -> bool:
        """Whether every value is of a type that NumPy has itself: no bfloat16, no type of eight bits or less."""
        return all(_is_plain(each) for inputs, outputs in self.data_sets for each in (*inputs, *outputs))

    @property
    def operators(self) -> set[str]:
        return {node.op_type for node in self.model.graph.node}


@lru_cache
def _found() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases of infinity and of casts that overflow
        return {f"{kind}/{case.name}": case for kind in KINDS for case in load_model_tests(kind=kind)}


def names() -> list[str]:
    """Return the names of all cases, in the order of their kinds."""
    return list(_found())


@lru_cache
def load(name: str) -> Case:
    """Return the case ``name``, its files read where it has any."""
    case = _found()[name]
    model, sets = case.model, case.data_sets
    if model is None:
        folder = Path(case.model_dir)
        model = onnx.load(folder / "model.onnx")
        sets = list(_data_sets(folder, model))
    pairs = tuple(([value(each) for each in inputs], [value(each) for each in outputs]) for inputs, outputs in sets)
    return Case(name, model, pairs, case.rtol, case.atol)


def subject(name: str) -> str:
    """Return what a case is filed under: the operator it is a case of, or in brackets the kind of model it holds."""
    kind, _, bare = name.partition("/")
    if kind != "node":
        return _GROUPS[kind]
    origin = f"node/{bare.partition(_EXPANDED)[0]}"
    found = load(origin if origin in _found() else name).operators
    return (found - {"Constant"} or {"Constant"}).pop()


def pack(names: Sequence[str], folder: Path) -> None:
    """Write one file a case into ``folder``, so that a process need not make all cases to run one."""
    for name in names:
        (folder / _file(name)).write_bytes(pickle.dumps(load(name)))


def unpack(name: str, folder: Path) -> Case:
    """Return the case that ``pack`` wrote."""
    case: Case = pickle.loads((folder / _file(name)).read_bytes())
    return case


def value(given: Any) -> Any:
    """Return a test value as an array, a list of such, or None for an empty optional."""
    if isinstance(given, onnx.TensorProto):
        return numpy_helper.to_array(given)
    if isinstance(given, onnx.SequenceProto):
        return [value(each) for each in numpy_helper.to_list(given)]
    if isinstance(given, onnx.OptionalProto):
        return value(numpy_helper.to_optional(given))
    if isinstance(given, (list, tuple)):
        return [value(each) for each in given]
    return None if given is None else np.asarray(given)


def is_plain(dtype: np.dtype[Any]) -> bool:
    """Return whether NumPy has the type itself; bfloat16, and what is smaller than a byte, come from ml_dtypes."""
    return dtype.type.__module__ == "numpy"


def _is_plain(given: Any) -> bool:
    return all(map(_is_plain, given)) if isinstance(given, list) else given is None or is_plain(given.dtype)


def _file(name: str) -> str:
    return name.replace("/", ".") + ".pickle"


def _data_sets(folder: Path, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    for place in sorted(folder.glob("test_data_set_*")):
        yield _protos(place, "input", model.graph.input), _protos(place, "output", model.graph.output)


def _protos(place: Path, side: str, values: Any) -> list[Any]:
    found = []
    for index in range(len(list(place.glob(f"{side}_*.pb")))):
        proto = _PROTOS[values[index].type.WhichOneof("value")]()
        proto.ParseFromString((place / f"{side}_{index}.pb").read_bytes())
        found.append(proto)
    return found
