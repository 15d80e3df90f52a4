"""The one table of converters and runtimes.

To add one: a file in converters/ or runtimes/ and a row here. The module is imported on first use, in a child
interpreter; reading this table imports nothing.
"""

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from isoform.core import format as formats
from isoform.core import spelling
from isoform.errors import MissingDependency, UsageError


@dataclass(frozen=True)
class Converter:
    """One edge between two formats; its file is converters/<name>.py.

    The name is ``<source>_to_<target>``; a word after the target tells a second way between the same formats.

    Attributes:
        cost: routes with a smaller sum are tried first; a framework's own exporter costs 1, the hub's emitters 2,
            another project's converter 5: it comes after our own ways.
        needs: modules that must be importable.
        extra: the extra of isoform that installs them.
        is_last: no route goes on from what it writes: another compiler's file is an end.
    """

    name: str
    cost: int
    needs: tuple[str, ...]
    extra: str
    is_last: bool = False

    @property
    def source(self) -> str:
        return self.name.split("_to_")[0]

    @property
    def target(self) -> str:
        return self.name.split("_to_")[1].partition("_")[0]

    @property
    def way(self) -> str:
        """What tells this way from another between the same formats; "" for the first."""
        return self.name.split("_to_")[1].partition("_")[2]

    @property
    def module(self) -> str:
        return f"isoform.converters.{self.name}"


@dataclass(frozen=True)
class Runtime:
    """One engine that runs a format; its file is runtimes/<stem>.py.

    Attributes:
        formats: what it opens.
        device: "cpu" or "cuda".
        is_source: it runs in float64 too and gives reference outputs; exports are not verified on it.
        tells_placement: it can tell which operators ran where.
        evaluates_float64: it can evaluate a file in float64 on the CPU, as gate 2 asks.
    """

    name: str
    stem: str
    formats: tuple[str, ...]
    needs: tuple[str, ...]
    extra: str
    device: str = "cpu"
    is_source: bool = False
    evaluates_float64: bool = False
    tells_placement: bool = False

    @property
    def module(self) -> str:
        return f"isoform.runtimes.{self.stem}"


CONVERTERS: dict[str, Converter] = {
    row.name: row
    for row in (
        Converter("keras_to_onnx", 1, ("keras", "tensorflow", "tf2onnx", "onnx_ir", "onnxruntime"), "tensorflow"),
        Converter("keras_to_savedmodel", 1, ("keras", "tensorflow"), "tensorflow"),
        Converter("onnx_to_openvino", 2, ("openvino",), "openvino"),
        Converter("onnx_to_ort", 2, ("onnx_ir", "onnxruntime"), "onnxruntime"),
        Converter("onnx_to_pt2", 2, ("onnx_ir", "torch"), "torch"),
        Converter("onnx_to_savedmodel", 2, ("onnx_ir", "tensorflow"), "tensorflow"),
        Converter("onnx_to_tflite", 2, ("onnx_ir", "ai_edge_litert", "flatbuffers"), "litert"),
        Converter("onnx_to_torchscript", 2, ("onnx_ir", "torch"), "torch"),
        Converter("ort_to_onnx", 1, ("onnx_ir",), "onnx"),
        Converter("savedmodel_to_onnx", 1, ("tensorflow", "tf2onnx", "onnx_ir", "onnxruntime"), "tensorflow"),
        Converter("tflite_to_onnx", 2, ("onnx_ir", "ai_edge_litert", "flatbuffers", "onnxruntime"), "litert"),
        Converter("pt2_to_executorch", 2, ("torch", "executorch"), "executorch", is_last=True),
        Converter("pt2_to_onnx", 1, ("torch", "onnxscript"), "torch"),
        Converter("torch_to_onnx", 1, ("torch", "onnxscript"), "torch"),
        Converter("torch_to_onnx_traced", 2, ("torch", "onnxscript"), "torch"),
        Converter("torch_to_pt2", 1, ("torch",), "torch"),
        Converter("torch_to_tflite", 5, ("torch", "litert_torch", "ai_edge_litert"), "litert-torch", is_last=True),
        Converter("torch_to_torchscript", 1, ("torch",), "torch"),
        Converter("torchscript_to_onnx", 1, ("torch", "onnxscript"), "torch"),
        Converter("torchscript_to_onnx_scripted", 2, ("torch", "onnxscript"), "torch"),
    )
}

RUNTIMES: dict[str, Runtime] = {
    row.name: row
    for row in (
        Runtime("executorch", "et", ("executorch",), ("torch", "executorch"), "executorch"),
        Runtime("keras", "keras_eager", ("keras",), ("keras", "tensorflow"), "tensorflow", is_source=True),
        Runtime("litert", "litert", ("tflite",), ("ai_edge_litert",), "litert", tells_placement=True),
        Runtime("onnx-reference", "onnx_reference", ("onnx", "ort"), ("onnx", "onnx_ir"), "onnx", is_source=True),
        Runtime("openvino", "ov", ("openvino",), ("openvino",), "openvino"),
        Runtime("ort-cpu", "ort", ("onnx", "ort"), ("onnxruntime",), "onnxruntime", tells_placement=True),
        Runtime("ort-cuda", "ort", ("onnx",), ("onnxruntime",), "cuda", device="cuda", tells_placement=True),
        Runtime("tf", "tf", ("savedmodel",), ("tensorflow",), "tensorflow", evaluates_float64=True),
        Runtime("torch-eager", "torch_eager", ("torch",), ("torch",), "torch", is_source=True),
        Runtime("torch-export", "torch_export", ("pt2",), ("torch",), "torch", evaluates_float64=True),
        Runtime("torch-jit", "torch_jit", ("torchscript",), ("torch",), "torch", evaluates_float64=True),
        Runtime("torch-jit-cuda", "torch_jit", ("torchscript",), ("torch",), "torch", device="cuda"),
    )
}


def converter(name: str) -> Converter:
    """Return the row of the converter ``name``, or raise UsageError with the names there are."""
    if name not in CONVERTERS:
        raise UsageError(f"There is no converter '{name}'.", spelling.hint(name, CONVERTERS))
    return CONVERTERS[name]


def runtime(name: str) -> Runtime:
    """Return the row of the runtime ``name``, or raise UsageError with the names there are."""
    if name not in RUNTIMES:
        raise UsageError(f"There is no runtime '{name}'.", spelling.hint(name, RUNTIMES))
    return RUNTIMES[name]


def written() -> tuple[str, ...]:
    """Return the formats that some converter writes, sorted."""
    return tuple(sorted({row.target for row in CONVERTERS.values()}))


def runtimes_of(format_name: str) -> tuple[Runtime, ...]:
    """Return the runtimes that open ``format_name``, as artifacts are verified: not those of sources."""
    return tuple(row for row in RUNTIMES.values() if format_name in row.formats and not row.is_source)


def source_runtime(format_name: str) -> Runtime:
    """Return the runtime that gives the reference outputs of a source: made for that, else the format's own."""
    rows = [row for row in RUNTIMES.values() if format_name in row.formats]
    own = formats.lookup(format_name).runtime
    return next((row for row in rows if row.is_source), RUNTIMES[own])


def require(row: Converter | Runtime) -> None:
    """Raise MissingDependency if a package that ``row`` needs is not installed."""
    for module in row.needs:
        if find_spec(module) is None:
            raise MissingDependency.of(module, f"'{row.name}'", row.extra)


def missing(*rows: Converter | Runtime) -> tuple[str, ...]:
    """Return the commands that install what ``rows`` lack, each once; empty where all is there."""
    hints = []
    for row in rows:
        try:
            require(row)
        except MissingDependency as error:
            hints.append(error.hint)
    return tuple(dict.fromkeys(hints))


def version_of(module: str) -> str:
    """Return the installed version of the package that holds ``module``, without importing it.

    ONNX Runtime with CUDA is another package with the same module: its name ends in ``-gpu``.
    """
    for name in (module.replace("_", "-"), f"{module.replace('_', '-')}-gpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
