"""The way to TFLite by the peers: each function sets up in an interpreter that has the peer, and returns the work.

Not aware of isoform's emitters: networks are those of the zoo, built as everywhere.
"""

import os
from collections.abc import Callable
from pathlib import Path

IMAGES = "calibration_image_sample_data_20x128x128x3_float32.npy"
Work = Callable[[], object]


def litert_torch(name: str, target: str) -> Work:
    """Measure litert-torch on a loaded network of the zoo, for one size of every axis: it knows no others."""
    import litert_torch
    import torch

    from zoo.catalogue import entries
    from zoo.inputs import drawn
    from zoo.peer import Flat

    entry = entries()[name]
    inputs = {key: torch.from_numpy(array) for key, array in drawn(entry).items()}
    module = Flat(entry.build(), list(inputs)).eval()
    return lambda: litert_torch.convert(module, tuple(inputs.values())).export(target)


def onnx2tf(source: str, target: str) -> Work:
    """Measure onnx2tf on an ONNX file; it fetches a file of images when it runs, unless one lies in the folder."""
    import numpy as np
    import onnx2tf

    os.chdir(Path(target).parent)
    np.save(IMAGES, np.random.default_rng(0).random((20, 128, 128, 3)).astype(np.float32))
    return lambda: onnx2tf.convert(
        input_onnx_file_path=source, output_folder_path=target, non_verbose=True, not_use_onnxsim=True
    )
