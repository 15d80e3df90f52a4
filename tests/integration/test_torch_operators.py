"""Every operator that the PyTorch emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

What is right as a module is traced too, as TorchScript files are: that is again right, or refused. All cases:
``make conformance TARGETS="torch torchscript"``.
"""

import pytest

from conformance import sample

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)


@pytest.mark.parametrize("target", ["torch", "torchscript", "torchscript_weights"])
def test_no_case_is_wrong_and_none_is_worse_than_recorded(target: str) -> None:
    worse = sample.worse(target)
    assert not worse, worse
