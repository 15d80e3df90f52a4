"""What is in memory while a file is read back: LiteRT maps and packs the weights, so none of the graph's may stay."""

import subprocess
import sys
from pathlib import Path

SCRIPT = '''
import gc, sys
from pathlib import Path
import onnx_ir as ir
from isoform.converters import onnx_to_tflite
from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph

folder = Path(sys.argv[1])
graph.save(ir.from_onnx_text("""<ir_version: 10, opset_import: ["": 21]>
    net (float[n, 2] x) => (float[n, 2] y) <float[2, 2] w = {1.0, 2.0, 3.0, 4.0}> { y = MatMul(x, w) }"""),
    folder / "net.onnx")
gc.collect()
shape = Signature((TensorSpec("x", "float32", ("n", 2)),), (TensorSpec("y", "float32", ("n", 2)),))
onnx_to_tflite.read_back = lambda *_: print(sum(isinstance(each, ir.Model) for each in gc.get_objects()))
onnx_to_tflite.convert(Artifact("onnx", folder / "net.onnx", shape), folder / "net.tflite", ConvertOptions())
'''


def test_no_graph_is_held_while_the_file_is_read_back(tmp_path: Path) -> None:
    """In an interpreter of its own: what other tests hold on to is not the converter's."""
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout == "0\n"
