"""One node being emitted as PyTorch: its inputs as fx proxies, its attributes, its weights as parameters.

A function in this folder writes ordinary PyTorch on proxies; fx records it, so that the module's code reads as if
written by hand. Small integer vectors that hold sizes stay Python lists of numbers and proxies: a size taken from a
tensor is then still dynamic when the module is traced.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import torch
from torch import fx

from isoform.errors import IsoformError
from isoform.hub.emitters.registry import OpTable
from isoform.hub.emitters.torch_weights import Weights
from isoform.hub.passes.fold_weights import constant

Array = npt.NDArray[Any]
Value = Any
"""A proxy of a tensor; or `Sizes`."""
Emit = Callable[["Call"], Value | Sequence[Value]]
OPERATORS: OpTable[Emit] = OpTable("PyTorch")
op = OPERATORS.op


@dataclass(frozen=True)
class Sizes:
    """A vector of sizes, or one size: numbers and proxies of numbers.

    Attributes:
        is_scalar: one number without an axis.
    """

    items: list[Any]
    is_scalar: bool = False


@dataclass
class Call:
    """A node, and the values that are emitted already."""

    node: ir.Node
    opset: int
    values: MutableMapping[ir.Value, Value]
    weights: Weights

    def __getitem__(self, index: int) -> Any:
        """Return input ``index`` as the proxy of a tensor, which has to be there."""
        value = self.get(index)
        if value is None:
            raise self.refusal(f"input {index} is absent")
        if isinstance(value, Sizes):
            return self._stacked(value)
        return value

    def get(self, index: int) -> Value | None:
        """Return input ``index``, a weight made a parameter; None where it is absent."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            return None
        if value not in self.values:
            array = constant(value)
            assert array is not None, "every value is computed before it is read"
            self.values[value] = self.weights.proxy(str(value.name), array)
        return self.values[value]

    def array(self, index: int) -> Array | None:
        """Return input ``index`` where it is constant."""
        return constant(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def arranged(self, index: int, array: Array) -> Any:
        """Return the parameter that holds ``array``, made of the weight at ``index``."""
        value = self.node.inputs[index]
        return self.weights.proxy(f"{value.name if value is not None else self.node.name}", array)

    def sizes(self, index: int) -> list[Any] | None:
        """Return input ``index`` as sizes: numbers, or proxies of what is known when the module runs."""
        array = self.array(index)
        if array is not None:
            return [int(number) for number in array.reshape(-1)]
        value = self.get(index)
        return value.items if isinstance(value, Sizes) else None

    def ints_of(self, name: str, index: int) -> list[int] | None:
        """Return integers that older opsets have as an attribute and newer ones as a constant input."""
        if name in self.node.attributes:
            return self.ints(name)
        if index >= len(self.node.inputs) or self.node.inputs[index] is None:
            return None
        array = self.array(index)
        if array is None:
            raise self.refusal(f"'{name}' is computed while the model runs")
        return [int(number) for number in array.reshape(-1)]

    def rank(self, index: int) -> int:
        """Return the number of axes of an input."""
        value = self.node.inputs[index]
        if value is None or value.shape is None:
            raise self.refusal(f"the rank of input {index} is unknown")
        return len(value.shape)

    def int(self, name: str, default: int) -> int:
        return self.node.attributes[name].as_int() if name in self.node.attributes else default

    def float(self, name: str, default: float) -> float:
        return self.node.attributes[name].as_float() if name in self.node.attributes else default

    def string(self, name: str, default: str) -> str:
        return self.node.attributes[name].as_string() if name in self.node.attributes else default

    def ints(self, name: str) -> list[Any] | None:
        return list(self.node.attributes[name].as_ints()) if name in self.node.attributes else None

    def refusal(self, why: str) -> IsoformError:
        """Return the error for a form of this operator that is not carried."""
        return IsoformError(
            f"'{self.node.op_type}' (node {self.node.name}, opset {self.opset}): {why}, which has no PyTorch form here.",
            "Other formats can carry it: --to onnx,savedmodel",
            kind="unsupported-operator",
        )

    def _stacked(self, sizes: Sizes) -> Any:
        """Return sizes as an int64 tensor."""
        proxy = next((item for item in sizes.items if isinstance(item, fx.Proxy)), None)
        if proxy is None:
            array = np.array(sizes.items, np.int64)
            return self.weights.proxy(f"{self.node.name}/sizes", array.reshape(()) if sizes.is_scalar else array)
        parts = [proxy.tracer.create_proxy("call_function", torch.scalar_tensor, (item,), {"dtype": torch.int64})
                 for item in sizes.items]  # fmt: skip
        return parts[0] if sizes.is_scalar else torch.stack(parts)
