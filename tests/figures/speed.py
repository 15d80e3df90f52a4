"""How fast is what comes out: our file beside the framework's own, block by block in turn, on one thread."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from figures.measure import TESTS
from zoo.interpreters import PEER

TORCHSCRIPT = {
    "resnet18": 64, "resnet50": 128, "mobilenetv2_100": 128, "mobilenetv3_small_100": 128, "efficientnet_b0": 128,
    "densenet121": 128, "convnext_atto": 128, "regnety_002": 128, "ghostnet_100": 128, "vgg11_bn": 64,
    "vit_tiny_patch16_224": 224, "deit_tiny_patch16_224": 224, "swin_tiny_patch4_window7_224": 224,
    "mixer_s32_224": 224, "poolformer_s12": 128, "mobilevit_xxs": 128, "edgenext_xx_small": 128, "levit_128s": 224,
    "inception_v3": 128, "hrnet_w18_small": 128,
}  # fmt: skip
QUANTISED = {"resnet18": 128, "mobilenetv2_100": 128, "vit_tiny_patch16_224": 224}
SAVEDMODEL = {"ResNet50": "resnet50", "MobileNetV2": "mobilenetv2_100", "DenseNet121": "densenet121"}
HARNESS = ("mlp", "text_classifier", "image_classifier")

_FOREIGN = {"figures.peer_recurrent"}
"""What runs in the interpreter of the peer, which has no isoform."""


def torchscript() -> list[dict[str, Any]]:
    """Return ours / torch.jit.trace of the source, for 20 public networks."""
    return _rows((name, [("figures.compare_torch", name, str(size), "")]) for name, size in TORCHSCRIPT.items())


def savedmodel() -> list[dict[str, Any]]:
    """Return ours from a PyTorch network / Keras' own export of the same architecture."""
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        return _rows(
            (
                keras_name,
                [
                    ("figures.compare_torch", name, "224", f"{work}/{name}.onnx"),
                    ("figures.compare_keras", keras_name, f"{work}/{name}.onnx"),
                ],
            )
            for keras_name, name in SAVEDMODEL.items()
        )


def recurrent() -> list[dict[str, Any]]:
    """Return our files of the text classifier on LiteRT / the best peer's: with open sizes, and with fixed ones."""
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        peer = f"{work}/peer.tflite"
        fixed = [("figures.peer_recurrent", peer), ("figures.compare_recurrent", "fixed", peer)]
        return _rows(
            [
                ("any batch and length / TensorFlow's loop for one review", [("figures.compare_recurrent", "while")]),
                ("one review of 40 tokens / litert-torch's unrolled file", fixed),
            ]
        )


def quantised() -> list[dict[str, Any]]:
    """Return int8 files from QDQ graphs / float files of the same networks, on LiteRT."""
    return _rows((name, [("figures.compare_quantised", name, str(size))]) for name, size in QUANTISED.items())


def harness() -> list[dict[str, Any]]:
    """Return what isoform measures / a bare loop over bound buffers, for the reference models on ONNX Runtime."""
    exports = Path(os.environ.get("OUT", TESTS.parent / "exports"))
    return _rows((name, [("figures.compare_harness", str(exports / name / "torch" / "onnx"))]) for name in HARNESS)


SECTIONS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "harness": harness,
    "recurrent": recurrent,
    "quantised": quantised,
    "torchscript-speed": torchscript,
    "savedmodel-speed": savedmodel,
}


def _rows(steps: Iterable[tuple[str, list[tuple[str, ...]]]]) -> list[dict[str, Any]]:
    entries = []
    for name, commands in steps:
        for command in commands:
            answer = _run(command)
            if "error" in answer:
                break
        entries.append({"name": name, **answer})
        print(f"{name}: {answer.get('error') or round(answer['ratio'], 3)}", file=sys.stderr, flush=True)
    return entries


def _run(command: tuple[str, ...]) -> dict[str, Any]:
    python = os.environ.get(PEER) if command[0] in _FOREIGN else sys.executable
    if not python:
        return {"error": f"not measured: {PEER} names no interpreter with litert-torch"}
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        [python, "-m", *command], capture_output=True, text=True, env=environment, check=False, cwd=Path.cwd()
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
