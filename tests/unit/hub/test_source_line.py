"""A node names the line of the network's code that it comes from, where an exporter noted one."""

from pathlib import Path

import onnx_ir as ir
import pytest

import isoform
from isoform.hub.source_line import named, source_line

OURS = f'File "{Path(isoform.__file__).parent}/hub/torchscript.py", line 46, in forward\n    outputs = call(module)\n'
LIBRARY = '  File "/x/site-packages/library/model.py", line 12, in forward\n    y = sample(x)\n'
USERS = '  File "/home/me/net.py", line 3, in forward\n    y = torch.det(x)\n'


def node(trace: str) -> ir.Node:
    made = ir.node("Det", [], name="determinant")
    if trace:
        made.metadata_props["pkg.torch.onnx.stack_trace"] = trace
    return made


@pytest.mark.parametrize(
    ("trace", "found"),
    [
        ("", ("", "")),
        (OURS, ("", "")),
        (OURS + LIBRARY, ("model.py:12", "y = sample(x)")),
        (OURS + USERS + LIBRARY, ("net.py:3", "y = torch.det(x)")),
        ('File "/home/me/net.py", line 3, in forward', ("net.py:3", "")),
    ],
)
def test_the_innermost_line_of_the_networks_own_code_is_found(trace: str, found: tuple[str, str]) -> None:
    assert source_line(node(trace)) == found


def test_a_refusal_names_operator_node_and_line() -> None:
    assert named(node(""), "opset 20") == "'Det' (node determinant, opset 20)"
    assert named(node(USERS), "opset 20") == "'Det' (node determinant, opset 20) at net.py:3 `y = torch.det(x)`"
    assert named(ir.node("Det", []), "opset 20") == "'Det' (node without a name, opset 20)"
