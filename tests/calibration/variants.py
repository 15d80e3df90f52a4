"""``python -m calibration.variants FOLDER [WAY]``: every legitimate way to run one artifact, judged like the artifact.

A variant is a session of the format's own runtime: another level of optimisation, another number of threads, fusion or
a delegate switched off, batch normalisation folded. All compute the same function as exactly as floats can. What a
runtime reads once in the life of a process has an interpreter of its own: `PROCESSES` says which there are.
"""

import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from isoform.core import cases as case_files
from isoform.core.artifact import CASES_NAME, Artifact, open_artifact
from isoform.core.cases import Cases
from isoform.core.parity import PASS, Gate, assess
from isoform.core.protocols import RunOptions, Session

Opened = Iterator[tuple[str, Callable[[], Session]]]
THREADS = (1, 2)
PROCESSES = {
    "savedmodel": {
        "2 threads": (2, {"TF_ENABLE_ONEDNN_OPTS": "1"}), "1 thread": (1, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
        "2 threads, without oneDNN": (2, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    },
}  # fmt: skip
"""By format, ways that need a process of their own: how many threads, and what stands in its environment."""
RUNTIMES = {"onnx": "ort-cpu", "tflite": "litert", "savedmodel": "tf", "torchscript": "torch-jit"}


def rows(folder: Path, way: str = "") -> list[dict[str, Any]]:
    """Return a row a variant of the artifact in ``folder``, those that can be had in this process; ``way`` is its name.

    What a runtime refuses to run so has a row that says why.
    """
    artifact, cases = open_artifact(folder), case_files.load(folder / CASES_NAME)
    found = []
    for variant, load in _WAYS[artifact.format](artifact):
        name = f"{variant}, {way}" if way else variant
        session = load()
        try:
            found.append(judged(name, artifact, session, cases))
        except _Refused as refusal:
            found.append(
                {"kind": "refused", "runtime": RUNTIMES[artifact.format], "name": name, "reason": str(refusal)}
            )
        finally:
            session.close()
    return found


def judged(name: str, artifact: Artifact, session: Session, cases: Cases) -> dict[str, Any]:
    """Return the row of one variant: what it is and what the gates say; the file is the same, and its weights."""
    runtime = RUNTIMES[artifact.format]
    outputs = [session.run(inputs) for inputs in cases.inputs]
    same = Gate(PASS)
    record = assess(runtime, artifact.signature, session.signature, cases, outputs, same, same)
    return {
        "kind": "variant", "runtime": runtime, "name": name, "verdict": record.verdict,
        "gates": [gate for gate, each in record.gates.items() if each.verdict != PASS],
        **ratios(record.outputs),
    }  # fmt: skip


def ratios(outputs: Any) -> dict[str, float | None]:
    """Return the largest ratios over the outputs; null for infinity."""
    found = {
        "r_rms": max((each.r_rms for each in outputs), default=0.0),
        "r_max": max((each.r_max for each in outputs), default=0.0),
    }
    return {name: round(value, 3) if math.isfinite(value) else None for name, value in found.items()}


def _onnx(artifact: Artifact) -> Opened:
    import onnxruntime

    from isoform.hub import graph
    from isoform.hub.passes.fold_batch_norm import fold_batch_norm
    from isoform.runtimes import ort

    levels = onnxruntime.GraphOptimizationLevel
    named = {"disabled": levels.ORT_DISABLE_ALL, "basic": levels.ORT_ENABLE_BASIC,
             "extended": levels.ORT_ENABLE_EXTENDED, "all": levels.ORT_ENABLE_ALL}  # fmt: skip
    for level, value in named.items():
        for threads in THREADS:

            def load(value: Any = value, threads: int = threads) -> Session:
                settings = onnxruntime.SessionOptions()
                settings.graph_optimization_level, settings.intra_op_num_threads = value, threads
                providers = ["CPUExecutionProvider"]
                return ort.OrtSession(
                    onnxruntime.InferenceSession(artifact.model, settings, providers=providers), "cpu"
                )

            yield f"optimisation {level}, {_counted(threads)}", load

    def folded() -> Session:
        model = graph.load(artifact.model)
        graph.infer_shapes(model)
        fold_batch_norm(model)
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / "model.onnx"
            graph.save(model, path)
            return ort.load(artifact.moved_to(path), RunOptions())

    if any(node.op_type == "BatchNormalization" for node in graph.load(artifact.model).graph):
        yield "batch normalisation folded", folded


def _tflite(artifact: Artifact) -> Opened:
    from isoform.runtimes import litert

    for is_optimised in (True, False):
        for threads in THREADS:
            options = RunOptions(threads=threads, is_optimised=is_optimised)
            name = f"{'with' if is_optimised else 'without'} XNNPACK, {_counted(threads)}"
            yield name, lambda options=options: litert.load(artifact, options)  # type: ignore[misc]


class _Refused(Exception):
    """The runtime cannot run this file in this way; the message says what stops it."""


def _savedmodel(artifact: Artifact) -> Opened:
    import tensorflow as tf

    from isoform.runtimes import tf as runtime

    threads = int(os.environ["OMP_NUM_THREADS"])
    for is_optimised in (True, False):
        options = RunOptions(threads=threads, is_optimised=is_optimised)
        name = "default" if is_optimised else "without graph optimisation"
        yield name, lambda options=options: runtime.load(artifact, options)  # type: ignore[misc]

    def compiled() -> Session:
        session = runtime.load(artifact, RunOptions(threads=threads))
        function = tf.function(session._function, jit_compile=True)

        def call(**tensors: Any) -> Any:
            try:
                return function(**tensors)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                raise _Refused(f"XLA: {str(error).strip().splitlines()[0][:200]}") from error

        return runtime.SavedModelSession(session._loaded, call, session.signature)

    yield "with XLA", compiled


def _torchscript(artifact: Artifact) -> Opened:
    import torch

    from isoform.runtimes import torch_jit

    def load(*, threads: int = 2, has_onednn: bool = True, is_fused: bool = True) -> Session:
        torch.backends.mkldnn.flags(enabled=has_onednn).__enter__()
        torch._C._jit_set_texpr_fuser_enabled(is_fused)
        return torch_jit.load(artifact, RunOptions(threads=threads))

    for threads in THREADS:
        yield f"default, {_counted(threads)}", lambda threads=threads: load(threads=threads)  # type: ignore[misc]
    yield "without oneDNN", lambda: load(has_onednn=False)
    yield "without fusion", lambda: load(is_fused=False)

    def frozen() -> Session:
        torch.backends.mkldnn.flags(enabled=True).__enter__()
        module = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.load(str(artifact.model)).eval()))
        return torch_jit.ScriptSession(module, artifact.signature, "cpu")

    yield "frozen, batch normalisation folded", frozen


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


_WAYS = {"onnx": _onnx, "tflite": _tflite, "savedmodel": _savedmodel, "torchscript": _torchscript}


if __name__ == "__main__":
    print(json.dumps(rows(Path(sys.argv[1]), *sys.argv[2:])))
