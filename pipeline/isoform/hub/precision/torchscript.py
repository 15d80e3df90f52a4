"""A TorchScript program in half precision or bfloat16: tensors rounded, types in its graphs replaced, float32 outside.

PyTorch's own kernels compute in the smaller type and sum in float32 inside of softmax, normalisations and products. A
number that the program writes out beyond half precision's range, as the -1e9 of a mask, is refused by PyTorch when the
file is run, which is done once here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from isoform.core.artifact import Artifact
from isoform.errors import IsoformError
from isoform.hub import torchscript

PACKAGES = ("torch",)
_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_SCALAR_TYPES = {"fp16": 5, "bf16": 15}
"""As TorchScript's graphs write dtypes (c10::ScalarType)."""
_FLOAT = 6


class _Outside(torch.nn.Module):
    """A program behind float32 inputs and outputs."""

    def __init__(self, program: torch.jit.ScriptModule, dtype: torch.dtype) -> None:
        super().__init__()
        self.program = program
        self._dtype = dtype

    def forward(self, *inputs: torch.Tensor) -> Any:
        found = self.program(*(self._to(tensor, torch.float32, self._dtype) for tensor in inputs))
        return _mapped(found, lambda tensor: self._to(tensor, self._dtype, torch.float32))

    @staticmethod
    def _to(tensor: torch.Tensor, before: torch.dtype, after: torch.dtype) -> torch.Tensor:
        return tensor.to(after) if tensor.dtype == before else tensor


def write(source: Artifact, target: Path, precision: str) -> tuple[list[str], list[str]]:
    """Write ``source`` to ``target`` and run it at sizes that were not traced.

    Returns:
        Nothing stays in float32 but the inputs and outputs.

    Raises:
        IsoformError: PyTorch has no kernel for an operator in this precision, or a constant does not fit it.
    """
    program = torchscript.opened(source.model).to(_DTYPES[precision])
    for graph in _graphs(program):
        for node in list(_nodes(graph)):
            _retype(graph, node, precision)
    module = torchscript.Named(_Outside(program, _DTYPES[precision]), source.signature)
    try:
        torchscript.write(module, source.signature, target)
    except IsoformError as error:
        raise IsoformError(
            f"PyTorch does not run this program in {precision}: {error.what}",
            "bf16 has the range of float32: --precision bf16" if precision == "fp16" else "Take fp32, or ONNX in fp16.",
            kind="no-precision",
        ) from error
    return [], []


def _graphs(program: torch.jit.ScriptModule) -> Iterator[Any]:
    """Yield the graph of every method of every submodule."""
    for module in program.modules():
        for name in module._c._method_names():
            yield module._c._get_method(name).graph


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph or block, those of the blocks in it, too."""
    for node in graph.nodes():
        yield node
        for block in node.blocks():
            yield from _nodes(block)


def _retype(graph: Any, node: Any, precision: str) -> None:
    """Let a constant tensor, and a result that is asked for in float32 by name, be of the smaller type."""
    if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
        tensor = node.t("value")
        if tensor.dtype == torch.float32 and tensor.dim():
            node.t_("value", tensor.to(_DTYPES[precision]))
    elif node.kind().startswith("aten::") and node.schema() != "(no schema)":
        arguments = torch._C.parse_schema(node.schema()).arguments
        for place, (argument, value) in enumerate(zip(arguments, list(node.inputs()), strict=False)):
            if argument.name == "dtype" and value.toIValue() == _FLOAT:
                graph.setInsertPoint(node)
                node.replaceInput(place, graph.insertConstant(_SCALAR_TYPES[precision]))


def _mapped(found: Any, function: Any) -> Any:
    if isinstance(found, torch.Tensor):
        return function(found)
    if isinstance(found, dict):
        return {name: _mapped(each, function) for name, each in found.items()}
    return type(found)(_mapped(each, function) for each in found)
