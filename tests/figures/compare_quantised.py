"""``python -m figures.compare_quantised NETWORK SIZE``: an int8 TFLite file from a QDQ graph beside the float file.

ONNX Runtime's static quantisation writes the graph, calibrated on noise: what it costs is measured, not what it tells.
"""

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from figures.blocks import compare
from isoform import hub
from zoo import tflite_file, vision

INPUT = "image"


class Noise(CalibrationDataReader):
    """Images for the one input."""

    def __init__(self, images: list[Any]) -> None:
        self._left: Iterator[Any] = iter([{INPUT: image} for image in images])

    def get_next(self) -> Any:
        return next(self._left, None)


def main() -> None:
    name, size = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    images = list(np.random.default_rng(0).standard_normal((8, 1, 3, size, size)).astype(np.float32))
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        graph = Path(work, "float.onnx")
        hub.save(hub.from_torch(vision.build(name), {INPUT: torch.rand(1, 3, size, size)}), graph)
        folded, quantised = Path(work, "folded.onnx"), Path(work, "int8.onnx")
        quant_pre_process(graph, folded, skip_symbolic_shape=True)  # else batch-norms stand between its convolutions
        quantize_static(
            folded, quantised, Noise(images), QuantFormat.QDQ,
            per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        files = [_written(each) for each in (quantised, graph)]
        found = compare(*(_call(file, images[0]) for file in files))
        ours, peer = (tflite_file.described(file) for file in files)
        print(json.dumps(found | ours | {f"peer_{key}": value for key, value in peer.items()}))


def _written(graph: Path) -> Path:
    path = graph.with_suffix(".tflite")
    path.write_bytes(hub.to_tflite(graph))
    return path


def _call(path: Path, image: Any) -> Any:
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    [details] = interpreter.get_input_details()
    interpreter.set_tensor(details["index"], image)
    return lambda: interpreter.invoke()


if __name__ == "__main__":
    main()
