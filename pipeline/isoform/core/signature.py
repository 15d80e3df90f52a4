"""What goes into a model and what comes out: names, dtypes, shapes with named dimensions, layout.

Not aware of files, frameworks or values: arrays are checked against a signature elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from isoform.core import spelling
from isoform.errors import UsageError

Dim = int | str
"""A size, or the name of a dimension whose size is known only when the model runs."""

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8",
    "uint8", "uint16", "uint32", "uint64", "bool", "string",
)  # fmt: skip
LAYOUTS = ("NCHW", "NHWC", "NCW", "NWC", "NCDHW", "NDHWC")

_SPEC = re.compile(
    r"(?P<name>[^:\[\]]+):(?P<dtype>[a-z0-9]+)\[(?P<dims>[^\[\]]*)\](?::(?P<layout>[A-Z]+))?(?::(?P<low>-?\d+)\.\.(?P<high>-?\d+))?"
)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        shape: sizes and names of dynamic dimensions, outermost first; () is a scalar.
        layout: which axis is which, for images and sequences; None where the question does not arise.
        low: for integer inputs, the smallest value that the model accepts.
        high: for integer inputs, one more than the largest value that the model accepts.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    layout: str | None = None
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UsageError(f"'{self.name}' has the unknown dtype '{self.dtype}'.", spelling.hint(self.dtype, DTYPES))
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise UsageError(
                f"'{self.name}' begins at {self.low}, above {self.high - 1}.", "Write the smallest value first: 0..499."
            )
        if self.layout is not None and (self.layout not in LAYOUTS or len(self.layout) != len(self.shape)):
            raise UsageError(
                f"'{self.name}' has {len(self.shape)} dimensions and the layout '{self.layout}'.",
                f"A layout names every axis, and is one of: {', '.join(LAYOUTS)}.",
            )

    @classmethod
    def parse(cls, text: str) -> "TensorSpec":
        """Return the spec written as ``image:float32[batch,3,224,224]:NCHW``; a word is a dynamic dimension.

        Behind it may stand a layout, and the range of integers, both ends included: ``ids:int64[n,length]:0..29999``.

        Raises:
            UsageError: the text has another form.
        """
        match = _SPEC.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"'{text}' does not describe an input.",
                "Write NAME:DTYPE[dim,dim,...], for example 'image:float32[batch,3,224,224]'.",
            )
        words = [word.strip() for word in match["dims"].split(",")] if match["dims"].strip() else []
        dims = tuple(_dim(word, text) for word in words)
        low, high = (int(match["low"]), int(match["high"]) + 1) if match["low"] else (None, None)
        return cls(match["name"], match["dtype"], dims, match["layout"], low, high)

    def __str__(self) -> str:
        return f"{self.name}:{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the dynamic dimensions, in order, each once."""
        return tuple(dict.fromkeys(dim for dim in self.shape if isinstance(dim, str)))

    def sizes(self, symbols: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape with every name replaced by its size in ``symbols``."""
        return tuple(symbols[dim] if isinstance(dim, str) else dim for dim in self.shape)

    def with_layout(self, layout: str) -> "TensorSpec":
        """Return the same tensor with its axes in the order of ``layout``."""
        if self.layout is None or sorted(self.layout) != sorted(layout):
            raise UsageError(
                f"'{self.name}' has the layout '{self.layout}', which cannot become '{layout}'.",
                "Declare the layout of this input in the manifest, with the same letters in another order.",
            )
        shape = tuple(self.shape[self.layout.index(letter)] for letter in layout)
        return replace(self, shape=shape, layout=layout)

    def to_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        optional = {"layout": self.layout, "low": self.low, "high": self.high}
        return record | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TensorSpec":
        return cls(
            record["name"], record["dtype"], tuple(record["shape"]),
            record.get("layout"), record.get("low"), record.get("high"),
        )  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """The inputs and the outputs of a model, in order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __post_init__(self) -> None:
        for side, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [spec.name for spec in specs]
            if len(set(names)) != len(names):
                raise UsageError(f"Two {side} have one name among {names}.", "Give every tensor its own name.")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of all dynamic dimensions of the inputs, in order, each once."""
        return tuple(dict.fromkeys(symbol for spec in self.inputs for symbol in spec.symbols))

    @property
    def has_batch_axis(self) -> bool:
        """Whether the first axis of all inputs and outputs is one dynamic dimension that stands nowhere else."""
        specs = (*self.inputs, *self.outputs)
        first = {spec.shape[0] if spec.shape else None for spec in specs}
        others = {dim for spec in specs for dim in spec.shape[1:]}
        return bool(self.inputs) and len(first) == 1 and isinstance(min(first, key=str), str) and not first & others

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Signature":
        return cls(
            tuple(TensorSpec.from_json(spec) for spec in record["inputs"]),
            tuple(TensorSpec.from_json(spec) for spec in record["outputs"]),
        )


def _dim(word: str, text: str) -> Dim:
    if word.isdigit():
        return int(word)
    if word.isidentifier():
        return word
    raise UsageError(f"'{word}' in '{text}' is not a dimension.", "A dimension is a number or a name.")
