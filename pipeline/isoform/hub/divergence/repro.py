"""A folder that shows a difference with nothing but the runtime: a part of the file, its inputs, and a script."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.cases import Array

Write = Callable[[Mapping[str, Array], str, Path], tuple[Path, dict[str, str]]]
"""Writes a part of a file, as `file.File.write` does."""

LIMIT = 8.0
"""The error that a part may have whose meaning is asked, as a multiple of rounding's: runtimes approximate."""
_RUN = {
    "onnx": """import onnxruntime


def run(given):
    session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], given)[0]
""",
    "tflite": """from ai_edge_litert.interpreter import Interpreter


def run(given):
    interpreter = Interpreter(str(HERE / "model.tflite"))
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], given[details["name"]])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
""",
    "torchscript": """import torch


def run(given):
    program = torch.jit.load(str(HERE / "model.ts"))
    with torch.no_grad():
        return program(*map(torch.from_numpy, given.values())).numpy()
""",
    "savedmodel": """import tensorflow as tf


def run(given):
    loaded = tf.saved_model.load(str(HERE / "model"))
    tensors = {name: tf.constant(array) for name, array in given.items()}
    return loaded.signatures["serving_default"](**tensors)[OUTPUT].numpy()
""",
}
_SCRIPT = '''"""{title}

model.* is that part of the file alone, inputs.npz what it is given, expected.npy what should come out, in float64.
Ends with 1 where the error is more than LIMIT times what rounding to float32 explains.
"""

import sys
from pathlib import Path

import numpy as np
{run}

HERE = Path(__file__).parent
OUTPUT = {output!r}
ALLOWED = {allowed!r}
LIMIT = {limit!r}

with np.load(HERE / "inputs.npz") as archive:
    found = run({{name: archive[name] for name in archive.files}}).astype(np.float64)
expected = np.load(HERE / "expected.npy")
error = float(np.sqrt(np.mean(np.square(found - expected))))
place = np.unravel_index(int(np.abs(found - expected).argmax()), found.shape)
print(f"RMS error {{error:.3g}}, {{error / ALLOWED:.3g}} times what is allowed (limit {{LIMIT:g}})")
print(f"differs most at {{[int(index) for index in place]}}: {{found[place]:.7g}}, expected {{expected[place]:.7g}}")
sys.exit(error > LIMIT * ALLOWED)
'''


def write(
    write_part: Write, form: str, given: Mapping[str, Array], output: str, expected: Array, allowed: float,
    limit: float, title: str, folder: Path,
) -> tuple[str, ...]:  # fmt: skip
    """Write the folder, which exists, and return its files, repro.py first.

    Args:
        form: the format of the part.
        given: what the part reads, in its own arrangement and precision.
        expected: what it should give; allowed: the RMS error that is still rounding.
    """
    path, names = write_part(given, output, folder)
    arrays: dict[str, Any] = {names[name]: np.asarray(array) for name, array in given.items()}
    np.savez(folder / "inputs.npz", **arrays)
    np.save(folder / "expected.npy", np.asarray(expected, np.float64))
    text = _SCRIPT.format(
        title=title.replace("\\", "/").replace('"', "'"), run=_RUN[form].rstrip(),
        output=names[output], allowed=float(allowed), limit=float(limit),
    )  # fmt: skip
    (folder / "repro.py").write_text(text)
    return tuple(str(folder / name) for name in ("repro.py", path.name, "inputs.npz", "expected.npy"))
