"""The precisions: what an export stores and computes in, which formats carry it, and what its weights may become.

A precision is a property of an artifact, not a format. It is the last step of a route: the float32 file is made as
ever, and one job makes the other of it. To add one: a row in `PRECISIONS`, and what it does in a file of its job. Not
aware of how a file is rewritten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isoform.core import format as known_formats
from isoform.core import spelling
from isoform.errors import UsageError

FP32 = "fp32"
_CAST, _QUANTIZE = "isoform.jobs.precision:cast", "isoform.jobs.quantize:quantize"


@dataclass(frozen=True)
class Precision:
    """One row.

    Attributes:
        name: the word on the command line, in folder names and in JSON.
        title: for people.
        roundoff: the class whose unit roundoff the numbers are held to, a key of `isoform.core.numerics.UNIT_ROUNDOFF`.
        formats: those that carry it here.
        job: what makes a file of it from the float32 file of the same format; "" where nothing has to be done.
        stored: the dtype that a weight may be rounded to; "" where weights stay, or become integers of a scale.
    """

    name: str
    title: str
    roundoff: str
    formats: tuple[str, ...]
    job: str = ""
    stored: str = ""

    @property
    def is_reduced(self) -> bool:
        """Whether it is less than what models are trained in, so that gate 4 is asked."""
        return self.name != FP32

    @property
    def is_integer(self) -> bool:
        """Whether weights become integers of a scale: then gate 4 decides, and gate 3 is told only.

        Representative inputs are needed: what may stay in float is searched on them.
        """
        return self.job == _QUANTIZE


PRECISIONS: dict[str, Precision] = {
    row.name: row
    for row in (
        Precision(FP32, "single precision", "float32", tuple(known_formats.FORMATS)),
        Precision("fp16", "half precision", "float16", ("onnx", "tflite", "torchscript"), _CAST, "float16"),
        Precision("bf16", "bfloat16", "bfloat16", ("torchscript",), _CAST, "bfloat16"),
        Precision("dynamic-int8", "weights of eight bits", "bfloat16", ("onnx", "tflite"), _QUANTIZE),
        Precision("int8", "eight bits", "bfloat16", ("onnx", "tflite"), _QUANTIZE),
    )
}
"""Eight bits have half a step of 2^-8 of their range, the unit roundoff of bfloat16. ONNX Runtime and LiteRT have no
kernels for bfloat16 on CPUs; SavedModel and PT2 are read by frameworks, which hold their own ways to reduce them."""


@dataclass(frozen=True)
class Variant:
    """One format in one precision: what a task makes."""

    format: str
    precision: str = FP32

    @property
    def label(self) -> str:
        """The name of its folder: the format's own in float32, else ``<format>-<precision>``."""
        return label(self.format, self.precision)


def label(format_name: str, precision: str) -> str:
    """Return what a format in a precision is called, in folders and in tables."""
    return format_name if precision == FP32 else f"{format_name}-{precision}"


def lookup(name: str) -> Precision:
    """Return the precision called ``name``.

    Raises:
        UsageError: there is none; the hint lists them all.
    """
    if name not in PRECISIONS:
        raise UsageError(f"There is no precision '{name}'.", spelling.hint(name, PRECISIONS))
    return PRECISIONS[name]


def variants(formats: Iterable[str], precisions: Sequence[str], *, is_default: bool = False) -> tuple[Variant, ...]:
    """Return every format in every precision, each once.

    Args:
        is_default: nobody has named the formats: those that do not carry a precision are left out of it.

    Raises:
        UsageError: no such format or precision, or a format that does not carry one.
    """
    wanted = [lookup(name) for name in dict.fromkeys(precisions)]
    found = []
    for row in map(known_formats.lookup, dict.fromkeys(formats)):
        for precision in wanted:
            if row.name in precision.formats:
                found.append(Variant(row.name, precision.name))
            elif not is_default:
                raise UsageError(
                    f"{row.title} does not carry {precision.name}; {', '.join(precision.formats)} "
                    f"do{'es' * (len(precision.formats) == 1)}.",
                    f"Leave {row.name} out of --to, or {precision.name} out of --precision.",
                )
    return tuple(found)
