"""``python -m figures.compare_recurrent while|fixed [PEER]``: the text classifier on LiteRT beside a peer's file.

``while``: our file with dynamic batch and length beside the one of TensorFlow's converter, whose loop it keeps only for
a fixed batch. ``fixed``: ours for one review of 40 tokens beside litert-torch's, which lies at PEER.
"""

import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from figures.blocks import compare
from figures.conversions import network
from isoform import hub
from zoo import tflite_file

BATCH, LENGTH, VOCABULARY = 1, 40, 10_000
AT_MOST = {"while": 0.5, "fixed": 1.0}
"""Of the peer's time."""


def main() -> None:
    kind, *peers = sys.argv[1:]
    warnings.simplefilter("ignore")
    module = network("torch", model="text_classifier").eval()
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        ours = Path(work, "ours.tflite")
        ours.write_bytes(hub.to_tflite(exported(module, is_fixed=kind == "fixed")))
        peer = Path(peers[0]) if peers else _tensorflow(Path(work, "peer.tflite"))
        _check(ours, module, [(BATCH, LENGTH)] if kind == "fixed" else [(1, 40), (3, 7), (2, 1), (1, 90), (1, 40)])
        tokens = np.random.default_rng(0).integers(0, VOCABULARY, (BATCH, LENGTH))
        found = compare(invoked(ours, tokens), invoked(peer, tokens))
        counts = [tflite_file.operators(path).total() for path in (ours, peer)]
        print(json.dumps(found | {"limit": AT_MOST[kind], "operators": counts[0], "peer_operators": counts[1]}))


def exported(module: torch.nn.Module, is_fixed: bool) -> Any:
    """Return the hub graph, with the batch and the length left open or as they are measured."""
    if is_fixed:
        return hub.from_torch(module, (torch.zeros(BATCH, LENGTH, dtype=torch.int64),))
    shapes = ({0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)},)
    return hub.from_torch(module, (torch.zeros(2, 12, dtype=torch.int64),), dynamic_shapes=shapes)


def invoked(path: Path, tokens: Any) -> Callable[[], object]:
    """Return a call of the file on these tokens, on one thread."""
    interpreter = Interpreter(str(path), num_threads=1)
    [details] = interpreter.get_input_details()
    interpreter.resize_tensor_input(details["index"], tokens.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(details["index"], tokens.astype(details["dtype"]))
    return lambda: interpreter.invoke()


def _check(path: Path, module: torch.nn.Module, sizes: list[tuple[int, int]]) -> None:
    """Compare one interpreter's answers with PyTorch's, at one size after the other: nothing is left from before."""
    runner = Interpreter(str(path), num_threads=1).get_signature_runner()
    [name], [result] = runner.get_input_details(), runner.get_output_details()
    for seed, size in enumerate(sizes):
        tokens = np.random.default_rng(seed).integers(0, VOCABULARY, size)
        with torch.no_grad():
            wanted = module(torch.from_numpy(tokens)).numpy()
        for _ in range(2):
            np.testing.assert_allclose(runner(**{name: tokens})[result], wanted, rtol=1e-5, atol=1e-6)


def _tensorflow(path: Path) -> Path:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = network("keras", model="text_classifier")
    specification = tf.TensorSpec((BATCH, LENGTH), tf.int64)
    function = tf.function(lambda tokens: model(tokens), input_signature=[specification]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function)  # loops lose the variables that they read otherwise
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())
    return path


if __name__ == "__main__":
    main()
