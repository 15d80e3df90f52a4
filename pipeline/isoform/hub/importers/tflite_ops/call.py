"""One operator being read: its inputs as values of the hub graph, its options, and the nodes that it becomes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from isoform.errors import IsoformError
from isoform.hub.importers.tflite_file import Array, Operator, Tensor
from isoform.hub.importers.tflite_ops.frame import Frame, is_quantized
from isoform.hub.importers.tflite_ops.table import ImportTable

Import = Callable[["Call"], ir.Value | Sequence[ir.Value]]
OPERATORS: ImportTable[Import] = ImportTable()
op = OPERATORS.op

COMPLEX = "complex64"
LAST = np.iinfo(np.int64).max
"""The end of a Slice that goes on to the last element, or, negated, back through the first."""
_Activation = schema.ActivationFunctionType
_CLIPS = {_Activation.RELU_N1_TO_1: (-1, 1), _Activation.RELU6: (0, 6)}


@dataclass
class Call:
    """An operator and its frame.

    Attributes:
        is_real: whether quantised inputs are read as the numbers that they stand for.
    """

    operator: Operator
    frame: Frame
    is_real: bool

    @property
    def count(self) -> int:
        """How many inputs are listed, absent ones among them."""
        return len(self.operator.inputs)

    def has(self, index: int) -> bool:
        """Return whether input ``index`` is there."""
        return index < self.count and self.operator.inputs[index] != -1

    def __getitem__(self, index: int) -> ir.Value:
        """Return input ``index``, which has to be there."""
        place = self._place(index)
        return self.frame.real(place) if self.is_real else self.frame.stored(place)

    def get(self, index: int) -> ir.Value | None:
        """Return input ``index``; None where it is absent."""
        return self[index] if self.has(index) else None

    def moved(self, index: int, move: Callable[[ir.Value], ir.Value]) -> ir.Value:
        """Return input ``index`` after ``move``, which computes nothing: of integers, where they stand for numbers."""
        place, tensor = self._place(index), self.tensor(index)
        if self.is_real and is_quantized(tensor) and tensor.quantization and not tensor.quantization.is_per_channel:
            return self.frame.dequantized(move(self.frame.stored(place)), tensor)
        return move(self[index])

    def tensor(self, index: int) -> Tensor:
        """Return what the file says of input ``index``."""
        return self.frame.graph.tensors[self._place(index)]

    def result(self, index: int = 0) -> Tensor:
        """Return what the file says of output ``index``."""
        return self.frame.graph.tensors[self.operator.outputs[index]]

    def rank(self, index: int = 0) -> int:
        """Return the number of axes of input ``index``."""
        return self.rank_of(self.tensor(index))

    def rank_of(self, tensor: Tensor) -> int:
        """Return the number of axes of a tensor, which the file has to say."""
        if not tensor.has_rank:
            raise self.refusal(f"the rank of '{tensor.name}' is unknown")
        return len(tensor.shape)

    def array(self, index: int) -> Array | None:
        """Return input ``index`` as it is stored, where it is constant."""
        return self.frame.array(self.operator.inputs[index]) if self.has(index) else None

    def ints_of(self, index: int) -> list[int]:
        """Return the integers of an input that has to be constant."""
        array = self.array(index)
        if array is None:
            raise self.refusal(f"'{self.tensor(index).name}' is computed while the model runs")
        return [int(number) for number in array.reshape(-1)]

    def real_dtype(self, index: int) -> str:
        """Return the dtype that input ``index`` is read as."""
        tensor = self.tensor(index)
        return "float32" if self.is_real and is_quantized(tensor) else tensor.dtype

    def is_complex(self, index: int) -> bool:
        """Return whether input ``index`` is of complex numbers, whose parts are a further axis, the last."""
        return self.tensor(index).dtype == COMPLEX

    def is_float(self, index: int) -> bool:
        """Return whether input ``index`` is read as floating numbers."""
        return self.real_dtype(index).startswith("float")

    def entries(self, index: int) -> list[int | None]:
        """Return what is known of a list of sizes: all entries of a constant, the constant ones of a packed list."""
        array = self.array(index)
        if array is not None:
            return [int(number) for number in array.reshape(-1)]
        place = self._place(index)
        maker = next((each for each in self.frame.graph.operators if place in each.outputs), None)
        if maker is None or maker.name != "PACK":
            return []
        parts = [self.frame.array(each) for each in maker.inputs]
        return [None if part is None else int(part.item()) for part in parts]

    def axis(self, axis: int, index: int = 0) -> int:
        """Return an axis of input ``index``, counted from the front."""
        rank = self.rank(index)
        if not -rank <= axis < max(rank, 1):
            raise self.refusal(f"axis {axis} of {rank}")
        return axis % rank if rank else 0

    def emit(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Append a node with one output and return that."""
        return self.frame.emit(op_type, inputs, attributes)[0]

    def emit_several(self, op_type: str, inputs: Sequence[ir.Value | None], count: int, **attributes: Any) -> list[Any]:
        """Append a node and return its outputs."""
        return self.frame.emit(op_type, inputs, attributes, count)

    def ints(self, *numbers: int) -> ir.Value:
        """Return a constant list of int64."""
        return self.frame.target.constant(np.array(numbers, np.int64))

    def number(self, number: Any, dtype: str) -> ir.Value:
        """Return a constant scalar."""
        return self.frame.target.constant(np.array(number, dtype))

    def constant(self, array: Array) -> ir.Value:
        """Return a small constant."""
        return self.frame.target.constant(np.asarray(array))

    def cast(self, value: ir.Value, dtype: str) -> ir.Value:
        """Return ``value`` in another dtype."""
        return self.emit("Cast", value, to=ir.DataType.from_numpy(np.dtype(dtype)))

    def sizes(self, index: int) -> ir.Value:
        """Return an input that lists sizes, as int64 of rank one; a constant one is a constant again."""
        array = self.array(index)
        if array is not None:
            return self.ints(*(int(number) for number in array.reshape(-1)))
        value = self.emit("Reshape", self[index], self.ints(-1)) if self.rank(index) != 1 else self[index]
        return value if self.tensor(index).dtype == "int64" else self.cast(value, "int64")

    def transposed(self, value: ir.Value, perm: Sequence[int]) -> ir.Value:
        """Return ``value`` with its axes in another order."""
        return value if list(perm) == sorted(perm) else self.emit("Transpose", value, perm=list(perm))

    def squeezed(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.emit("Squeeze", value, self.ints(*axes)) if axes else value

    def unsqueezed(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.emit("Unsqueeze", value, self.ints(*axes)) if axes else value

    def size_of(self, value: ir.Value, axis: int) -> ir.Value:
        """Return the size of one axis of ``value``, int64[1]."""
        return self.emit("Shape", value, start=axis, end=axis + 1)

    def weight(self, index: int, arrange: Callable[[Array], Array], channels: int, perm: Sequence[int]) -> ir.Value:
        """Return a weight in another order of its axes, dequantised after; a constant one stays a view of the file.

        Args:
            arrange: the reordering of a constant array: a view.
            channels: the axis on which the weight's own channels stand after.
            perm: the same for one that is computed; only axes change places then.
        """
        tensor, place = self.tensor(index), self.operator.inputs[index]
        if self.array(index) is None:
            return self.transposed(self.frame.real(place), perm)
        stored = self._arranged(place, arrange)
        return self.frame.dequantized(stored, tensor, channels) if is_quantized(tensor) else stored

    def bias(self, index: int) -> ir.Value | None:
        """Return a bias as numbers; None where it is absent."""
        if not self.has(index):
            return None
        tensor, place = self.tensor(index), self.operator.inputs[index]
        if tensor.quantization is None or tensor.dtype not in ("int32", "int64"):
            return self.frame.real(place)
        if tensor.dtype == "int32":
            return self.frame.dequantized(self.frame.stored(place), tensor, 0)
        scale = tensor.quantization.scale
        return self._arranged(place, lambda array: (array * scale).astype(np.float32))

    def activated(self, value: ir.Value, activation: int, dtype: str | None = None) -> ir.Value:
        """Return ``value`` after a fused activation."""
        if activation == _Activation.NONE:
            return value
        if activation == _Activation.RELU:
            return self.emit("Relu", value)
        if activation == _Activation.TANH:
            return self.emit("Tanh", value)
        if activation not in _CLIPS:
            raise self.refusal(f"the fused activation {activation}")
        found = dtype or ("float32" if self.is_real and is_quantized(self.result()) else self.result().dtype)
        return self.emit("Clip", value, *(self.number(bound, found) for bound in _CLIPS[activation]))

    def refusal(self, why: str) -> IsoformError:
        """Return the error for a form of this operator that has no ONNX form here."""
        graph = self.frame.graph.name or "the main graph"
        return IsoformError(
            f"'{self.operator.name}' (operator {self.operator.index} of {graph}, version {self.operator.version}): "
            f"{why}, which has no ONNX form here.",
            "Export the model without this operator, for example cut before it.",
            kind="unsupported-operator",
        )

    def _place(self, index: int) -> int:
        if not self.has(index):
            raise self.refusal(f"input {index} is absent")
        return self.operator.inputs[index]

    def _arranged(self, place: int, arrange: Callable[[Array], Array]) -> ir.Value:
        """Return a constant with its numbers in another order; one that is itself computed lazily stays so."""
        name, known = self.frame.graph.tensors[place].name, self.frame.values.get(place)
        if known is None or isinstance(known.const_value, ir.Tensor):
            array = self.frame.array(place)
            assert array is not None, "asked only of constants"
            return self.frame.target.initializer(name, ir.Tensor(arrange(array)))
        lazy = known.const_value
        empty = arrange(np.broadcast_to(np.zeros((), lazy.dtype.numpy()), tuple(lazy.shape)))
        return self.frame.target.initializer(name, deferred(lambda: arrange(lazy.numpy()), empty))


def deferred(compute: Callable[[], Array], like: Array) -> ir.LazyTensor:
    """Return a tensor that is computed each time it is asked for; ``like`` has its dtype and shape."""
    return ir.LazyTensor(
        lambda: ir.Tensor(compute()), ir.DataType.from_numpy(like.dtype), ir.Shape(like.shape), cache=False
    )
