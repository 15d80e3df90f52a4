"""Small networks that are all different: layers, widths and weights are drawn, so that no result stands for two."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPERATORS = ("Relu", "Tanh", "Sigmoid")


def write(folder: Path, count: int) -> Path:
    """Write ``count`` networks of one to four dense layers; return the file of jobs that converts them."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for place in range(count):
        onnx.save(_network(rng), folder / f"net_{place}.onnx")
    jobs = folder / "jobs.toml"
    rows = "".join(f"[[jobs]]\nsource = 'net_{place}.onnx'\n" for place in range(count))
    jobs.write_text(f"[defaults]\nto = ['tflite']\n{rows}")
    return jobs


def _network(rng: np.random.Generator) -> onnx.ModelProto:
    widths = [int(width) for width in rng.integers(4, 65, size=rng.integers(2, 6))]
    nodes, weights, name = [], [], "x"
    for layer, (rows, columns) in enumerate(pairwise(widths)):
        kernel = (rng.normal(size=(rows, columns)) / np.sqrt(rows)).astype(np.float32)
        bias = rng.normal(size=columns).astype(np.float32)
        weights += [numpy_helper.from_array(kernel, f"w{layer}"), numpy_helper.from_array(bias, f"b{layer}")]
        after = "y" if layer == len(widths) - 2 else f"h{layer}"
        nodes += [
            helper.make_node("Gemm", [name, f"w{layer}", f"b{layer}"], [f"g{layer}"]),
            helper.make_node(OPERATORS[rng.integers(len(OPERATORS))], [f"g{layer}"], [after]),
        ]
        name = after
    sides = [
        helper.make_tensor_value_info(side, TensorProto.FLOAT, ["n", width])
        for side, width in (("x", widths[0]), ("y", widths[-1]))
    ]
    graph = helper.make_graph(nodes, "dense", sides[:1], sides[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
