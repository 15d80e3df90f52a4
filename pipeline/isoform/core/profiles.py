"""What a target lets a file hold: formats, operators, precisions, layouts and sizes, by the name of the target.

Where the lists come from: the operators of TensorFlow Lite Micro were asked of its own interpreter (tflite-micro
0.dev20261023182759, from PyPI), one file for each builtin operator, and are those that it did not refuse; those with a
kernel in WebGPU are from docs/webgpu-operators.md in onnxruntime-web 1.30.0 (npm). Not aware of how a file is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isoform.core import spelling
from isoform.core.precision import PRECISIONS, Precision, Variant
from isoform.core.precision import lookup as precision_of
from isoform.core.signature import Signature
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
        layouts: by format, the axes of images that its convolutions are written for; where one is not named, any does.
        is_static: every size has to be known before it runs.
        largest_bytes: the largest file.
    """

    name: str
    engine: str
    formats: tuple[str, ...] = ()
    operators: frozenset[str] | None = None
    fast: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()
    layouts: Mapping[str, str] = field(default_factory=dict)
    is_static: bool = False
    largest_bytes: int | None = None


PROFILES: dict[str, Profile] = {
    row.name: row
    for row in (
        Profile(
            "microcontroller", "TensorFlow Lite Micro", ("tflite",), _MICRO, refused=_FLOATS,
            layouts={"tflite": "NHWC"}, is_static=True,
        ),
        Profile(
            "phone", "LiteRT or ONNX Runtime", ("ort", "tflite"), refused=frozenset({"float64"}),
            layouts={"ort": "NCHW", "tflite": "NHWC"},
        ),
        Profile(
            "browser", "ONNX Runtime Web", ("onnx", "ort"), fast=_WEBGPU, layouts={"onnx": "NCHW", "ort": "NCHW"},
            largest_bytes=2 << 30,
        ),
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
        held: format, size_bytes, and where they are known operators and precision (counts by name), signature, and
            layout_changes: how many transposes of images stand beside convolutions and poolings.
    """
    if profile.formats and held["format"] not in profile.formats:
        return [Finding(f"format {held['format']}", f"{profile.engine} opens {' and '.join(profile.formats)}")]
    return [
        *_of_size(profile, held), *_of_operators(profile, held), *_of_tensors(profile, held), *_of_layout(profile, held)
    ]  # fmt: skip


def refuse(profile: Profile, variants: Sequence[Variant]) -> None:
    """Refuse formats and precisions that ``profile`` does not allow, whatever the model is.

    Raises:
        UsageError: one of them is asked for; the hint says what is allowed.
    """
    for each in variants:
        if profile.formats and each.format not in profile.formats:
            raise UsageError(
                f"The profile {profile.name} takes no {each.format}: {profile.engine} opens "
                f"{' and '.join(profile.formats)}.",
                f"Convert to what it opens: --to {','.join(profile.formats)}",
            )
        if computes_in(precision_of(each.precision)) in profile.refused:
            raise UsageError(
                f"The profile {profile.name} takes no {each.precision}: it has no "
                f"{computes_in(precision_of(each.precision))}.",
                f"Choose another one: --precision {','.join(precisions(profile))}",
            )


def refuse_sizes(profile: Profile, signature: Signature) -> None:
    """Refuse a model with open sizes where every size has to be known.

    Raises:
        UsageError: some are open; the hint says how to declare one.
    """
    open_ones = [spec for spec in signature.inputs if any(isinstance(dim, str) for dim in spec.shape)]
    if profile.is_static and open_ones:
        spec = open_ones[0]
        fixed = ",".join("1" if isinstance(dim, str) else str(dim) for dim in spec.shape)
        raise UsageError(
            f"The profile {profile.name} takes no open sizes: {', '.join(map(str, open_ones))}.",
            f"Declare a number for each: --input '{spec.name}:{spec.dtype}[{fixed}]'",
        )


def computes_in(precision: Precision) -> str:
    """Return the dtype of the activations of a file in this precision."""
    return "int8" if precision.name == "int8" else precision.stored or "float32"


def precisions(profile: Profile) -> list[str]:
    """Return the words for ``--precision`` that ``profile`` allows and one of its formats carries."""
    rows = (row for row in PRECISIONS.values() if computes_in(row) not in profile.refused)
    return [row.name for row in rows if not profile.formats or set(row.formats) & set(profile.formats)]


def allowed(profile: Profile) -> dict[str, Any]:
    """Return what ``profile`` allows: formats, precisions, layouts by format, operators, sizes; "any" for all."""
    return {
        "profile": profile.name,
        "engine": profile.engine,
        "formats": list(profile.formats) or "any",
        "precisions": precisions(profile),
        "layouts": dict(profile.layouts) or "any",
        "operators": sorted(profile.operators) if profile.operators is not None else "any",
        "fast_operators": sorted(profile.fast) if profile.fast is not None else "any",
        "refused_dtypes": sorted(profile.refused),
        "open_sizes": not profile.is_static,
        "largest_bytes": profile.largest_bytes,
    }


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


def _of_layout(profile: Profile, held: Mapping[str, Any]) -> Iterator[Finding]:
    wanted, changes = profile.layouts.get(held["format"]), held.get("layout_changes") or 0
    if wanted is None:
        return
    convolutions = f"convolutions in {held['format']} are {wanted} only"
    if changes:
        what = f"{changes} transpose{'s' * (changes > 1)} beside convolutions"
        yield Finding(what, f"{convolutions}: each one copies an image", False)
    for table in (held.get("signature") or {}).get("inputs", ()):
        if table.get("layout") in ("NCHW", "NHWC") and table["layout"] != wanted:
            yield Finding(f"{table['name']}:{table['layout']}", f"{convolutions}: --io-layout {wanted.lower()}", False)
