"""Evaluating a graph in PyTorch, each tensor shown as soon as it is there and freed as soon as nothing reads it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import fx

from isoform.core.cases import Array, Tensors
from isoform.core.protocols import Perturbation
from isoform.hub import graph
from isoform.hub.emitters.torch import OPERATORS
from isoform.hub.emitters.torch_emission import Emission
from isoform.hub.passes.expand_functions import expand_functions
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.upcast import upcast

Observe = Callable[[str, Array], None]
Change = Callable[[str, Array], Array]
_DTYPES = {True: torch.float64, False: torch.float32}


class DoesNotRun(Exception):
    """An operator raised: ``tensor`` is what it would have given, ``reason`` what it said."""

    def __init__(self, tensor: str, reason: str) -> None:
        super().__init__(f"{tensor}: {reason}")
        self.tensor, self.reason = tensor, reason


class Evaluation:
    """A graph as a module whose every tensor can be looked at."""

    def __init__(self, model: ir.Model, *, is_float64: bool, perturbation: Perturbation | None = None) -> None:
        """Prepare a copy of ``model``; weights are shared unless they are disturbed or widened.

        Raises:
            IsoformError: PyTorch has no form for an operator.
        """
        own = model.clone()
        if is_float64:
            upcast(own)
        expand_functions(own, OPERATORS.carries)
        graph.infer_shapes(own)
        name_nodes(own)
        OPERATORS.require(own)
        self._is_float64, self._perturbation = is_float64, perturbation
        self._inputs = [str(value.name) for value in own.graph.inputs]
        with _default_dtype(is_float64):
            emission = Emission(own, own.graph)
            self._module = emission.module()
        if perturbation is not None:
            _disturb(self._module, perturbation)
        self._names: dict[str, list[str]] = {}
        for value, node in emission.values.items():
            self._names.setdefault(node.name, []).append(str(value.name))

    def run(self, case: Tensors, observe: Observe, change: Change | None = None) -> None:
        """Evaluate one case; ``observe`` is called with the name of each tensor and what it holds.

        Args:
            change: returns what is read further on in the place of a tensor.

        Raises:
            DoesNotRun: an operator does not take these sizes.
        """
        tensors = [torch.from_numpy(array) for array in self._wide(case)]
        with _default_dtype(self._is_float64), torch.no_grad():
            _Observed(self._module, self._names, observe, change).run(*tensors)

    def values(self, case: Tensors, names: Collection[str], change: Change | None = None) -> dict[str, Array]:
        """Return the tensors called ``names`` of one case, as far as they exist."""
        found: dict[str, Array] = {}

        def keep(name: str, array: Array) -> None:
            if name in names:
                found[name] = array

        self.run(case, keep, change)
        return found

    def _wide(self, case: Tensors) -> Iterator[Array]:
        factors = None if self._perturbation is None else self._perturbation.draws()
        for name in self._inputs:
            array = np.array(case[name])
            if array.dtype.kind == "f":
                array = array.astype(np.float64 if self._is_float64 else np.float32)
                array = array if factors is None else (array * factors(array.shape)).astype(array.dtype)
            yield array


class _Observed(fx.Interpreter):
    def __init__(
        self, module: fx.GraphModule, names: Mapping[str, list[str]], observe: Observe, change: Change | None
    ) -> None:
        super().__init__(module)
        self._names, self._observe, self._change = names, observe, change

    def run_node(self, n: fx.Node) -> Any:
        try:
            result = super().run_node(n)
        except (RuntimeError, IndexError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DoesNotRun(next(iter(self._names.get(n.name, ())), n.name), reason) from error
        if isinstance(result, torch.Tensor) and n.op != "get_attr":
            for name in self._names.get(n.name, ()):
                if self._change is not None and n.op != "placeholder":
                    result = torch.from_numpy(np.ascontiguousarray(self._change(name, result.detach().numpy())))
                self._observe(name, result.detach().numpy())
        return result


@torch.no_grad()
def _disturb(module: torch.nn.Module, perturbation: Perturbation) -> None:
    factors = perturbation.draws()
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor * torch.from_numpy(np.asarray(factors(tuple(tensor.shape)))).to(tensor.dtype)


@contextmanager
def _default_dtype(is_float64: bool) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(_DTYPES[is_float64])
    try:
        yield
    finally:
        torch.set_default_dtype(before)
