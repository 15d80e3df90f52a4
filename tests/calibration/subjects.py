"""What is calibrated on: the trained reference models, and small public networks of every family."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODELS = Path(__file__).parents[2] / "models"
FORMATS = ("onnx", "tflite", "savedmodel", "torchscript")
ZOO = (
    "resnet18", "bert", "mobilenetv3_small_050", "gpt2", "lstm_tagger", "convnext_atto", "t5_encoder",
    "efficientnet_b0", "gru_forecaster", "poolformer_s12", "distilbert", "mobilevit_xxs", "repvgg_a0", "opt",
)  # fmt: skip
"""Architectures of tests/zoo: convolutional, attention, hybrid, recurrent, text; random weights, none constant."""


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        folder: of the trained artifacts, one a format; None for an architecture of the zoo, which is converted first.
    """

    name: str
    folder: Path | None = None


def subjects(exports: Path) -> Mapping[str, Subject]:
    """Return the subjects by name, the trained ones that stand in ``exports`` first."""
    trained = [
        Subject(f"{folder.parent.name}/{folder.name}", folder)
        for folder in sorted(exports.glob("*/*")) if (folder / "onnx" / "artifact.json").is_file()
    ]  # fmt: skip
    return {subject.name: subject for subject in (*trained, *map(Subject, ZOO))}
