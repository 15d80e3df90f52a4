"""``python -m figures.compare_keras NETWORK ONNX``: SavedModel from ONNX beside Keras' own export."""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from figures.blocks import compare
from isoform import hub


def main() -> None:
    name, path = sys.argv[1:]
    warnings.simplefilter("ignore")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    folder = Path(tempfile.mkdtemp())
    ours = hub.to_tensorflow(path)
    tf.saved_model.save(ours, str(folder / "ours"), signatures=ours.serve)
    getattr(keras.applications, name)(weights=None, classes=10).export(folder / "peer", verbose=False)
    image = np.random.default_rng(0).random((1, 224, 224, 3)).astype(np.float32)
    calls = []
    for each, fed in (("ours", image.transpose(0, 3, 1, 2)), ("peer", image)):
        served = tf.saved_model.load(str(folder / each)).signatures["serving_default"]
        (argument,) = served.structured_input_signature[1]
        calls.append(_call(served, argument, tf.constant(fed)))
    print(json.dumps(compare(*calls)))


def _call(served: object, argument: str, image: tf.Tensor) -> object:
    return lambda: served(**{argument: image})  # type: ignore[operator]


if __name__ == "__main__":
    main()
