"""What is kept of a runtime's complaint: what is wrong and at which operator, in one line."""

import pytest

from isoform.jobs.infer import _reason

TORCHSCRIPT = """The following operation failed in the TorchScript interpreter.
Traceback of TorchScript, serialized code (most recent call last):
  File "code/__torch__.py", line 8, in forward
    x: Tensor) -> Tensor:
    _0 = torch.view(x, [2, 784])
         ~~~~~~~~~~ <--- HERE
    return _0
RuntimeError: shape '[2, 784]' is invalid for input of size 784
"""


@pytest.mark.parametrize(
    ("complaint", "kept"),
    [
        ("plain\nmore", "plain"),
        ("", "RuntimeError"),
        ("Graph execution error:\n\nA shape is wrong.\n\t [[{{node a/b}}]] [Op:f]", "{{node a/b}} A shape is wrong."),
        ("A shape is wrong. [[{{node a/b}}]] [Op:f]", "{{node a/b}} A shape is wrong."),
        (
            "while running Reshape node. Name:'r' Status Message: /a/b.h:91 f(x) size != 0 was false. Input shape:{1}",
            "while running Reshape node. Name:'r' Input shape:{1}",
        ),
        (TORCHSCRIPT, "RuntimeError: shape '[2, 784]' is invalid for input of size 784 at"
         " _0 = torch.view(x, [2, 784])"),
        ("x" * 999, "x" * 300),
    ],
)  # fmt: skip
def test_one_line_names_what_is_wrong_and_where(complaint: str, kept: str) -> None:
    assert _reason(RuntimeError(complaint)) == kept
