"""Drawing a network for TensorBoard loads no other framework: TensorFlow would cost every training its memory."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.torch

_PROGRAM = """
import sys
import torch
from isoform.jobs import train_torch
from isoform.jobs.train_torch_graph import drawn

network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
assert len(drawn(network, torch.ones(1, 3))) > 100
print(sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


def test_a_pytorch_training_has_no_tensorflow_in_its_process() -> None:
    pytest.importorskip("tensorflow", reason="without TensorFlow nothing could load it")
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
