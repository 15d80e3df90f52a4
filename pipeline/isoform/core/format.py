"""The formats; isoform.intake.container tells which one a path holds.

To add a format: one row in `FORMATS`, and a signature in intake/container.py where its bytes have one.
"""

from dataclasses import dataclass

from isoform.core import spelling
from isoform.errors import UsageError


@dataclass(frozen=True)
class Format:
    """One way to write a model down.

    Attributes:
        name: the word on the command line, in the registry and in JSON.
        title: for people.
        suffixes: file endings, most usual first; none for a folder.
        runtime: the format's own runtime, on which an export has to prove itself.
        is_checkpoint: holds weights only, so that it needs the code that builds the network.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    runtime: str
    is_checkpoint: bool = False


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("keras", "Keras", (".keras", ".weights.h5", ".h5"), "keras"),
        Format("onnx", "ONNX", (".onnx",), "ort-cpu"),
        Format("pt2", "PyTorch export", (".pt2",), "torch-export"),
        Format("savedmodel", "SavedModel", (), "tf"),
        Format("tflite", "TFLite", (".tflite",), "litert"),
        Format("torch", "PyTorch", (".safetensors", ".pt", ".pth", ".bin"), "torch-eager", is_checkpoint=True),
        Format("torchscript", "TorchScript", (".ts", ".torchscript"), "torch-jit"),
    )
}


def lookup(name: str) -> Format:
    """Return the format called ``name``.

    Raises:
        UsageError: there is none; the hint lists them all.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'.", spelling.hint(name, FORMATS))
    return FORMATS[name]
