"""A folder that shows a difference with nothing but the runtime: a part of the file, its inputs, and a script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoform.core.cases import Array
from isoform.hub.divergence import cut
from isoform.hub.divergence.traced import Traced

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
    traced: Traced, given: Mapping[str, Array], output: str, expected: Array, allowed: float, limit: float,
    title: str, folder: Path,
) -> tuple[str, ...]:  # fmt: skip
    """Write the folder, which exists, and return its files, repro.py first.

    Args:
        given: what the part reads, in its own arrangement and precision.
        expected: what it should give; allowed: the RMS error that is still rounding.
    """
    path, names = cut.write(traced, given, output, folder)
    arrays: dict[str, Any] = {names[name]: np.asarray(array) for name, array in given.items()}
    np.savez(folder / "inputs.npz", **arrays)
    np.save(folder / "expected.npy", np.asarray(expected, np.float64))
    text = _SCRIPT.format(
        title=title.replace("\\", "/").replace('"', "'"), run=_RUN[traced.artifact.format].rstrip(),
        output=names[output], allowed=float(allowed), limit=float(limit),
    )  # fmt: skip
    (folder / "repro.py").write_text(text)
    return tuple(str(folder / name) for name in ("repro.py", path.name, "inputs.npz", "expected.npy"))
