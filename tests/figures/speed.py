"""How fast is what comes out: our file beside the framework's own, block by block in turn, on one thread."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures.measure import TESTS

TORCHSCRIPT = {
    "resnet18": 64, "resnet50": 128, "mobilenetv2_100": 128, "mobilenetv3_small_100": 128, "efficientnet_b0": 128,
    "densenet121": 128, "convnext_atto": 128, "regnety_002": 128, "ghostnet_100": 128, "vgg11_bn": 64,
    "vit_tiny_patch16_224": 224, "deit_tiny_patch16_224": 224, "swin_tiny_patch4_window7_224": 224,
    "mixer_s32_224": 224, "poolformer_s12": 128, "mobilevit_xxs": 128, "edgenext_xx_small": 128, "levit_128s": 224,
    "inception_v3": 128, "hrnet_w18_small": 128,
}  # fmt: skip
SAVEDMODEL = {"ResNet50": "resnet50", "MobileNetV2": "mobilenetv2_100", "DenseNet121": "densenet121"}


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


SECTIONS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "torchscript-speed": torchscript,
    "savedmodel-speed": savedmodel,
}


def _rows(steps: Any) -> list[dict[str, Any]]:
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
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, env=environment, check=False, cwd=Path.cwd()
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
