"""A quantised model on a processor that cuts integer sums off: the verdict says so, and what helps.

Where this processor has VNNI, QEMU stands in for one without.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from saturation import is_cutting

_EMULATOR = "qemu-x86_64"
_COMMAND = "import sys; sys.executable = sys.argv.pop(1); from isoform.cli import main; main()"
_NETWORK = """
<ir_version: 9, opset_import: ["" : 17]>
network (float[batch, 64] x) => (float[batch, 8] y) {
    steep = Constant <value = float {4.0}> ()
    scaled = Mul (x, steep)
    high = Sigmoid (scaled)
    y = MatMul (high, w)
}
"""


@pytest.fixture
def interpreter(tmp_path: Path) -> str:
    """Return a Python that runs without VNNI."""
    if is_cutting():
        return sys.executable
    if shutil.which(_EMULATOR) is None:
        pytest.skip(f"this processor has VNNI, and there is no {_EMULATOR} to do without")
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {_EMULATOR} -cpu Haswell "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_a_sum_that_is_cut_off_is_named_with_the_option_that_helps(interpreter: str, tmp_path: Path) -> None:
    model = ir.from_onnx_text(_NETWORK)
    weight = np.where(np.random.default_rng(0).random((64, 8)) < 0.9, 1, -1).astype(np.float32)
    model.graph.register_initializer(ir.Value(name="w", const_value=ir.tensor(weight)))
    onnx.save(ir.to_proto(model), tmp_path / "network.onnx")

    def isoform(python: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, python, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )  # fmt: skip
        return done.stdout + done.stderr

    isoform(sys.executable, "convert", "network.onnx", "--to", "tflite", "--precision", "int8", "--out", "one")
    [source] = tmp_path.glob("one/**/*.tflite")
    said = isoform(interpreter, "convert", str(source), "--to", "onnx", "--out", "two")
    assert "FAIL" in said
    assert "no VNNI" in said
    assert "session.x64quantprecision = 1" in said
