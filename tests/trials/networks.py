"""Networks of identical layers: so many more layers are so much slower, whatever the machine."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from isoform.core.artifact import Artifact
from isoform.core.signature import Signature, TensorSpec

LAYERS, SLOWER_LAYERS = 40, 42
_WIDTH, _ROWS = 128, 128
SIGNATURE = Signature((TensorSpec("x", "float32", (_ROWS, _WIDTH)),), (TensorSpec("y", "float32", (_ROWS, _WIDTH)),))


def written(path: Path, layers: int) -> Artifact:
    """Write a chain of matrix products and rectifiers with weights of its own for each layer."""
    rng = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    for layer in range(layers):
        weight = (rng.normal(size=(_WIDTH, _WIDTH)) / np.sqrt(_WIDTH / 2)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{layer}"))
        after = "y" if layer == layers - 1 else f"h{layer}"
        nodes += [
            helper.make_node("MatMul", [name, f"w{layer}"], [f"m{layer}"]),
            helper.make_node("Relu", [f"m{layer}"], [after]),
        ]
        name = after
    sides = [helper.make_tensor_value_info(side, TensorProto.FLOAT, [_ROWS, _WIDTH]) for side in ("x", "y")]
    graph = helper.make_graph(nodes, "layers", sides[:1], sides[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return Artifact("onnx", path, SIGNATURE)
