"""What is counted in graphs that are looked at: transposes of images beside convolutions, and no others."""

from pathlib import Path

import onnx
from onnx import parser

from isoform.jobs.look import look

WRAPPED = """
<ir_version: 9, opset_import: ["" : 18]>
g (float[n,8,8,3] x) => (float[n,4,4,4] y) {
  first = Transpose <perm = [0, 3, 1, 2]> (x)
  c = Conv <pads = [1, 1, 1, 1]> (first, w)
  r = Relu(c)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
  last = Transpose <perm = [0, 2, 3, 1]> (p)
  y = Identity(last)
  turned = Transpose <perm = [1, 0, 2, 3]> (r)
}
"""


def test_transposes_that_a_convolution_or_pooling_reads_or_gives_are_counted(tmp_path: Path) -> None:
    model = parser.parse_model(WRAPPED)
    model.graph.initializer.append(onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4, 3, 3, 3], [0.5] * 108))
    onnx.save(model, tmp_path / "m.onnx")
    found = look({"path": str(tmp_path / "m.onnx"), "format": "onnx"}, lambda **_: None)
    assert found["layout_changes"] == 2
    assert found["operators"]["Transpose"] == 3
