"""What a target lets a file hold: formats, operators, precisions and sizes, by the name of the target.

Where the lists come from: the operators of TensorFlow Lite Micro were asked of its own interpreter (tflite-micro
0.dev20261023182759, from PyPI), one file for each builtin operator, and are those that it did not refuse; those with a
kernel in WebGPU are from docs/webgpu-operators.md in onnxruntime-web 1.30.0 (npm). Not aware of how a file is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isoform.core import spelling
from isoform.errors import UsageError

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_CUSTOM = "CUSTOM "
"""How the name of an operator begins that is none of TFLite's own; Flex is one."""
_MICRO_NAMES = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
    DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
_MICRO = frozenset(_MICRO_NAMES.split())
_WEBGPU_NAMES = """
    Abs Acos Acosh Add ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Clip Concat Conv
    ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand Flatten Floor
    Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample
    HardSigmoid HardSwish If InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log MatMul MaxPool Mul
    Neg Not Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ScatterND Shape Sigmoid SimplifiedLayerNormalization Sin
    Sinh Slice Softmax Split Sqrt Squeeze Sub Tan Tanh ThresholdedRelu Tile Transpose Unsqueeze Where
"""
_WEBGPU = frozenset(_WEBGPU_NAMES.split())


@dataclass(frozen=True)
class Profile:
    """One kind of target.

    Attributes:
        engine: what runs there, as messages name it.
        formats: of files that it opens; empty for all.
        operators: that it has; None for all of the format's own.
        fast: that its accelerator has; others run on the processor, which is said and refuses nothing.
        refused: dtypes that no tensor of the file may have.
        is_static: every size has to be known before it runs.
        largest_bytes: the largest file.
    """

    name: str
    engine: str
    formats: tuple[str, ...] = ()
    operators: frozenset[str] | None = None
    fast: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()
    is_static: bool = False
    largest_bytes: int | None = None


PROFILES: dict[str, Profile] = {
    row.name: row
    for row in (
        Profile(
            "microcontroller", "TensorFlow Lite Micro", ("tflite",), _MICRO, refused=_FLOATS, is_static=True
        ),
        Profile("phone", "LiteRT or ONNX Runtime", ("ort", "tflite"), refused=frozenset({"float64"})),
        Profile("browser", "ONNX Runtime Web", ("onnx", "ort"), fast=_WEBGPU, largest_bytes=2 << 30),
        Profile("server", "every runtime"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing in a file that a target does not allow; or, not refused, one that it does slowly."""

    what: str
    why: str
    is_refused: bool = True


def lookup(name: str) -> Profile:
    """Return the profile called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in PROFILES:
        raise UsageError(f"There is no profile '{name}'.", spelling.hint(name, PROFILES))
    return PROFILES[name]


def findings(profile: Profile, held: Mapping[str, Any]) -> list[Finding]:
    """Return what ``profile`` does not allow of what a file holds.

    Args:
        held: format, size_bytes, and where they are known operators and precision (counts by name) and signature.
    """
    if profile.formats and held["format"] not in profile.formats:
        return [Finding(f"format {held['format']}", f"{profile.engine} opens {' and '.join(profile.formats)}")]
    return [*_of_size(profile, held), *_of_operators(profile, held), *_of_tensors(profile, held)]


def _of_size(profile: Profile, held: Mapping[str, Any]) -> Iterator[Finding]:
    if profile.largest_bytes is not None and held["size_bytes"] >= profile.largest_bytes:
        yield Finding(f"{held['size_bytes']} bytes", f"{profile.engine} loads less than {profile.largest_bytes}")


def _of_operators(profile: Profile, held: Mapping[str, Any]) -> Iterator[Finding]:
    for name, count in (held.get("operators") or {}).items():
        what = f"{name} x{count}"
        if held["format"] == "tflite" and name.startswith(_CUSTOM):
            yield Finding(what, f"{profile.engine} has no such operator of its own")
        elif profile.operators is not None and name not in profile.operators:
            yield Finding(what, f"{profile.engine} has no kernel for it")
        elif profile.fast is not None and name not in profile.fast:
            yield Finding(what, "WebGPU has no kernel for it: it runs in WebAssembly, copied there and back", False)


def _of_tensors(profile: Profile, held: Mapping[str, Any]) -> Iterator[Finding]:
    for dtype, count in (held.get("precision") or {}).items():
        if dtype in profile.refused:
            yield Finding(f"{count} numbers in {dtype}", f"the profile {profile.name} has no {dtype}")
    for side in ("inputs", "outputs"):
        for table in (held.get("signature") or {}).get(side, ()):
            if table["dtype"] in profile.refused:
                yield Finding(
                    f"{table['name']}:{table['dtype']}", f"the profile {profile.name} has no {table['dtype']}"
                )
            if profile.is_static and not all(isinstance(size, int) for size in table["shape"]):
                sizes = ",".join(map(str, table["shape"]))
                yield Finding(f"{table['name']}[{sizes}]", f"{profile.engine} has to know every size before it runs")
