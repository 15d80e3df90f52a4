"""The cases, in memory: model, data sets and tolerances."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
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
    return {f"{kind}/{case.name}": case for kind in KINDS for case in load_model_tests(kind=kind)}


def names() -> list[str]:
    """Return the names of all cases, in the order of their kinds."""
    return list(_found())


def load(name: str) -> Case:
    """Return the case ``name``, its files read where it has any."""
    case = _found()[name]
    model, sets = case.model, case.data_sets
    if model is None:
        model = onnx.load(os.path.join(case.model_dir, "model.onnx"))
        sets = list(_data_sets(case.model_dir, model))
    pairs = tuple(([value(each) for each in inputs], [value(each) for each in outputs]) for inputs, outputs in sets)
    return Case(name, model, pairs, case.rtol, case.atol)


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


def _is_plain(given: Any) -> bool:
    if isinstance(given, list):
        return all(map(_is_plain, given))
    return given is None or given.dtype.isbuiltin == 1 or given.dtype.kind in "OU"


def _data_sets(folder: str, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    for place in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        yield _protos(place, "input", model.graph.input), _protos(place, "output", model.graph.output)


def _protos(place: str, side: str, values: Any) -> list[Any]:
    found = []
    for index in range(len(glob.glob(os.path.join(place, f"{side}_*.pb")))):
        proto = _PROTOS[values[index].type.WhichOneof("value")]()
        with open(os.path.join(place, f"{side}_{index}.pb"), "rb") as file:
            proto.ParseFromString(file.read())
        found.append(proto)
    return found
