"""The line of a network's code that a node of the hub graph comes from, as PyTorch's exporter noted it.

Not aware of what wants to know: a refusal names the line, an explanation too.
"""

import re
from pathlib import Path

import onnx_ir as ir

_TRACE = "pkg.torch.onnx.stack_trace"
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)[^\n]*(?:\n(?! *File )(?P<code>[^\n]*))?')
_LIBRARIES = "site-packages"
_OURS = str(Path(__file__).parents[1])


def source_line(node: ir.Node) -> tuple[str, str]:
    """Return ``file:line`` and its code, both empty where nothing was noted."""
    return line_of(str(node.metadata_props.get(_TRACE, "")))


def line_of(trace: str) -> tuple[str, str]:
    """Return ``file:line`` and its code of the innermost frame of the network's own code, else of the library's."""
    frames = [frame.groupdict() for frame in _FRAME.finditer(trace) if not frame["file"].startswith(_OURS)]
    own = [frame for frame in frames if _LIBRARIES not in frame["file"]] or frames
    if not own:
        return "", ""
    return f"{Path(own[-1]['file']).name}:{own[-1]['line']}", (own[-1]["code"] or "").strip()


def named(node: ir.Node, opset: str) -> str:
    """Return ``'Op' (node NAME, OPSET)`` for a refusal, and the line of the network's code where it is known."""
    return f"'{node.op_type}' (node {node.name or 'without a name'}, {opset})" + told(*source_line(node))


def told(place: str, code: str) -> str:
    """Return what a refusal says of a line, with a space before it; nothing where it is not known."""
    return f" at {place}" + (f" `{code}`" if code else "") if place else ""
