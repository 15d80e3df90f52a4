"""The formats; isoform.intake.container tells which one a path holds.

To add a format: one row in `FORMATS`. What has no mark at a fixed place is told in intake/container.py.
"""

from dataclasses import dataclass
from pathlib import Path

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
        file_name: what it is called in an artifact's folder; "" where it is never written.
        beside: files that belong to it where they are there, after its ``{name}`` or its ``{stem}``.
        is_parted: those files are always written.
        mark: bytes that every such file has, and where; None where it takes more to tell one.
        is_graph: a file becomes a hub graph as it stands, without any framework's tracing.
        faults_need: the extra that brings what faults are planted with; "" where none are.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    runtime: str
    is_checkpoint: bool = False
    file_name: str = ""
    beside: tuple[str, ...] = ()
    is_parted: bool = False
    mark: tuple[int, bytes] | None = None
    is_graph: bool = False
    faults_need: str = ""

    @property
    def written(self) -> tuple[str, ...]:
        """What stands in an artifact's folder of this format at least, the model first."""
        return (self.file_name, *(_beside(self, self.file_name) if self.is_parted else ()))

    def holds(self, head: bytes) -> bool:
        """Tell whether a file that begins with ``head`` bears this format's mark."""
        return self.mark is not None and head[self.mark[0] :].startswith(self.mark[1])


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "executorch", "ExecuTorch", (".pte",), "executorch",
            file_name="model.pte", mark=(4, b"ET12"), faults_need="executorch",
        ),
        Format("keras", "Keras", (".keras", ".weights.h5", ".h5"), "keras", file_name="model.keras"),
        Format(
            "onnx", "ONNX", (".onnx",), "ort-cpu",
            file_name="model.onnx", beside=("{name}.data",), is_graph=True, faults_need="onnx",
        ),
        Format(
            "openvino", "OpenVINO IR", (".xml",), "openvino",
            file_name="model.xml", beside=("{stem}.bin",), is_parted=True, faults_need="openvino",
        ),
        Format(
            "ort", "ORT format", (".ort",), "ort-cpu",
            file_name="model.ort", mark=(4, b"ORTM"), is_graph=True, faults_need="onnxruntime",
        ),
        Format("pt2", "PyTorch export", (".pt2",), "torch-export", file_name="model.pt2", faults_need="torch"),
        Format("savedmodel", "SavedModel", (), "tf", file_name="saved_model", faults_need="tensorflow"),
        Format(
            "tflite", "TFLite", (".tflite",), "litert",
            file_name="model.tflite", mark=(4, b"TFL3"), is_graph=True, faults_need="litert",
        ),
        Format("torch", "PyTorch", (".safetensors", ".pt", ".pth", ".bin"), "torch-eager", is_checkpoint=True),
        Format(
            "torchscript", "TorchScript", (".ts", ".torchscript"), "torch-jit",
            file_name="model.ts", faults_need="torch",
        ),
    )
}  # fmt: skip


def lookup(name: str) -> Format:
    """Return the format called ``name``.

    Raises:
        UsageError: there is none; the hint lists them all.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format '{name}'.", spelling.hint(name, FORMATS))
    return FORMATS[name]


def files_of(model: Path) -> tuple[Path, ...]:
    """Return the files that a model on disk consists of: all of a folder, else the file and those that belong to it."""
    if model.is_dir():
        return tuple(path for path in model.rglob("*") if path.is_file())
    return tuple(path for path in (model, *map(model.with_name, beside(model.name))) if path.is_file())


def beside(name: str) -> tuple[str, ...]:
    """Return what files may be called that belong to the model file ``name``."""
    rows = (row for row in FORMATS.values() if row.beside and name.endswith(row.suffixes))
    return tuple(found for row in rows for found in _beside(row, name))


def _beside(row: Format, name: str) -> tuple[str, ...]:
    return tuple(form.format(name=name, stem=name.rpartition(".")[0]) for form in row.beside)
