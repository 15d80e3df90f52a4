"""A batch of small networks, run as a user runs it, and what stands in its folder of results."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from isoform import store
from isoform.core.artifact import RECORD_NAME

FORMAT = "tflite"
_MARK = "ISOFORM_RELIABILITY"
_WIDTH, _CLASSES = 8, 16


class Batch:
    """Networks ``net0`` ..., a file of jobs, and one command that converts them all.

    Attributes:
        names: of the jobs.
        out: the folder of results.
        mark: what every process of this batch has in its environment.
    """

    def __init__(self, folder: Path, count: int, out: Path | None = None) -> None:
        """Write the networks and the file of jobs into ``folder``, which is there, as ``out`` is if it is given."""
        self.names = [f"net{place}" for place in range(count)]
        self.out, self._jobs, self.mark = out or folder / "out", folder / "jobs.toml", uuid.uuid4().hex
        for place, name in enumerate(self.names):
            onnx.save(_network(place), folder / f"{name}.onnx")
        jobs = "".join(f'[[jobs]]\nsource = "{name}.onnx"\n' for name in self.names)
        self._jobs.write_text(f'[defaults]\nto = ["{FORMAT}"]\n\n{jobs}')

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command; what it prints is dropped."""
        return self._process("--json", stdout=subprocess.DEVNULL)

    def run(self) -> dict[str, Any]:
        """Run the command to its end, and return what ``--json`` says."""
        with self._process("--json", stdout=subprocess.PIPE) as process:
            printed, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the batch ended with exit code {process.returncode}: {printed[-2000:]!r}")
        return dict(json.loads(printed))

    def alive(self) -> list[int]:
        """Return the processes that this batch started, and that are still there."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and f"{_MARK}={self.mark}".encode() in _environment(entry):
                found.append(int(entry.name))
        return found

    def count(self) -> int:
        """Return how many results stand under their names."""
        return sum((self.out / name / FORMAT).exists() for name in self.names)

    def finished(self) -> dict[str, tuple[int, int]]:
        """Return, for each job whose result stands under its name, what tells this result from another one.

        Raises:
            RuntimeError: a result that stands there is not whole.
        """
        found = {}
        for name in self.names:
            folder = self.out / name / FORMAT
            if folder.exists():
                record = store.read_json(folder / RECORD_NAME)
                if not isinstance(record, dict) or not store.is_sealed(record):
                    raise RuntimeError(f"{folder}: no whole record")
                if altered := store.altered_files(folder, record["files"]):
                    raise RuntimeError(f"{folder}: {', '.join(altered)} not as recorded")
                status = (folder / RECORD_NAME).stat()
                found[name] = (status.st_ino, status.st_mtime_ns)
        return found

    def digests(self) -> dict[str, str]:
        """Return the digest of every file of every result, but for the records, which hold times."""
        found = store.digest_files(self.out, [f"*/{FORMAT}/**/*"])
        return {name: digest for name, digest in found.items() if not name.endswith(RECORD_NAME)}

    def litter(self) -> list[str]:
        """Return what stands beside the results and is none: unfinished folders and files."""
        return sorted(str(path.relative_to(self.out)) for name in self.names for path in (self.out / name).glob(".*"))

    def _process(self, *options: str, stdout: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "isoform", "convert", "--batch", str(self._jobs), "--out", str(self.out)]
        return subprocess.Popen(
            [*command, *options], stdout=stdout, stderr=subprocess.DEVNULL, env=os.environ | {_MARK: self.mark}
        )


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it is gone, or another user's
        return b""


def _network(seed: int) -> onnx.ModelProto:
    rng = np.random.default_rng(seed)
    weights = {"w": (_WIDTH, _CLASSES), "b": (_CLASSES,)}
    held = [numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in weights.items()]
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("x", _WIDTH), ("y", _CLASSES))
    ]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
