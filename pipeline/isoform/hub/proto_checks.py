"""An ONNX file's own contradictions, refused before anything believes it: loaders pick one of two answers in silence.

Not aware of what an operator means; weights in other files are checked where they are opened.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import onnx

from isoform.errors import IsoformError

_STANDARD = ("", "ai.onnx")
_BITS = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}
_UNSIZED = ("UNDEFINED", "STRING")


def refuse_contradictions(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse a model that says two things at once, or what cannot be.

    Raises:
        IsoformError: an opset beyond what is known, two weights of one name, a weight whose bytes do not fit its shape,
            functions that call one another in a circle.
    """
    newest = onnx.defs.onnx_opset_version()
    for entry in proto.opset_import:
        if entry.domain in _STANDARD and not 1 <= entry.version <= newest:
            raise _damaged(
                path, f"opset {entry.version} is not one of 1 to {newest}.", "Export it with an opset in this range."
            )
    _refuse_circles(proto, path)
    for graph in _graphs(proto.graph):
        names: set[str] = set()
        for tensor in graph.initializer:
            if tensor.name in names:
                raise _damaged(path, f"two weights are called '{tensor.name}'.", "Give each its own name.")
            names.add(tensor.name)
            _check_tensor(tensor, path)


def _refuse_circles(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse functions that call themselves, by way of others too: who expands them would not come to an end."""
    called = {_key(function): {_key(node) for node in _nodes(function)} for function in proto.functions}
    while called:
        free = {name for name, others in called.items() if not others & called.keys()}
        if not free:
            name = ".".join(part for part in min(called) if part)
            raise _damaged(path, f"the function '{name}' calls itself, directly or by way of others.")
        called = {name: others for name, others in called.items() if name not in free}


def _key(item: onnx.FunctionProto | onnx.NodeProto) -> tuple[str, str, str]:
    name = item.name if isinstance(item, onnx.FunctionProto) else item.op_type
    return item.domain, name, item.overload


def _nodes(function: onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(onnx.GraphProto(node=function.node)):
        yield from graph.node


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    waiting = [graph]
    while waiting:
        found = waiting.pop()
        yield found
        for node in found.node:
            for attribute in node.attribute:
                waiting.extend(attribute.graphs)
                if attribute.HasField("g"):
                    waiting.append(attribute.g)


def _check_tensor(tensor: onnx.TensorProto, path: Path) -> None:
    names = onnx.TensorProto.DataType
    if tensor.data_type not in names.values():
        raise _damaged(path, f"the weight '{tensor.name}' has the unknown type {tensor.data_type}.")
    kind = names.Name(tensor.data_type)
    if any(size < 0 for size in tensor.dims):
        raise _damaged(path, f"the weight '{tensor.name}' has the shape {list(tensor.dims)}.")
    for entry in tensor.external_data:
        if entry.key in ("offset", "length") and not entry.value.isdecimal():
            raise _damaged(path, f"the weight '{tensor.name}' has the {entry.key} {entry.value[:40]!r}.")
    if tensor.HasField("raw_data") and kind not in _UNSIZED:
        bits = _BITS.get(kind) or 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        wanted = -(-math.prod(tensor.dims) * bits // 8)
        if len(tensor.raw_data) != wanted:
            raise _damaged(
                path,
                f"the weight '{tensor.name}', {kind} {list(tensor.dims)}, wants {wanted} bytes and has "
                f"{len(tensor.raw_data)}.",
            )


def _damaged(path: Path, what: str, hint: str = "Export or fetch the model again.") -> IsoformError:
    return IsoformError(f"{path}: {what}", hint, kind="damaged")
