"""Everything isoform raises on purpose, and the exit code that each becomes.

::

    IsoformError                 4   a conversion, load or run failed
    ├── UsageError               2   the command line or a manifest asks for something that cannot be
    ├── MissingDependency        3   a package has to be installed first
    ├── VersionSkew              3   a worker of a cluster has other versions than the machine that asks
    ├── UnsupportedOperator      4   a target cannot carry these operators
    ├── InputChanged             4   what is read was written to meanwhile
    ├── NotProved                1   a verdict is no pass, and what was asked for needs one
    ├── NoRoute                  4   no chain of converters leads from one format to the other
    └── ChildFailed              4   a child interpreter crashed, hung, ran out of memory or broke the protocol

Results are not errors: a parity failure, a broken lock or a missed budget ends with exit code 1 and a record. A bug of
ours ends with 70. Foreign exceptions become one of these at one border, the child interpreter, and cross it as JSON.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

OK = 0
RESULT_FAILED = 1
INTERRUPTED = 130
INTERNAL_ERROR = 70


class IsoformError(Exception):
    """Something went wrong that the user can act on: what happened, on one line, and one thing to do.

    Both may quote a file, whose names may hold anything; what ends a line or steers a terminal is written by its code.
    """

    exit_code: ClassVar[int] = 4
    kind: str = "failed"

    def __init__(self, what: str, hint: str, *, kind: str | None = None) -> None:
        self.what = written_out(what)
        self.hint = written_out(hint)
        super().__init__(self.what, self.hint)
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        return self.what

    def to_json(self) -> dict[str, Any]:
        """Return the ``error`` object of every record: kind, message, hint."""
        return {"kind": self.kind, "message": self.what, "hint": self.hint}


class UsageError(IsoformError):
    """The request itself is wrong; nothing was started."""

    exit_code = 2
    kind = "usage"


class MissingDependency(IsoformError):
    """A package that this work needs is not installed."""

    exit_code = 3
    kind = "missing-dependency"

    @classmethod
    def of(cls, module: str, needed_for: str, extra: str) -> "MissingDependency":
        return cls(
            f"{needed_for} needs the package '{module}', which is not installed.",
            f"pip install 'isoform[{extra}]'",
        )


class UnsupportedOperator(IsoformError):
    """A graph holds operators that the target has no form for; all of them are named at once."""

    kind = "unsupported-operator"

    @classmethod
    def of(cls, nodes: Sequence[str], target: str) -> "UnsupportedOperator":
        """Return the error for ``nodes``, each written ``'Op' (node NAME, opset N)``."""
        listed = "; ".join(nodes[:8]) + (f"; and {len(nodes) - 8} more" if len(nodes) > 8 else "")
        return cls(
            f"{listed}: no {target} form here.",
            f"See what {target} can carry: isoform inspect --operators {target}",
        )


class InputChanged(IsoformError):
    """What came of an input belongs to none of the states that it was in."""

    kind = "input-changed"

    @classmethod
    def of(cls, source: object) -> "InputChanged":
        return cls(
            f"{source} was written to while it was converted, or its code, cases or tokenizer were.",
            "Run the same command again, once nothing writes there.",
        )


class NotProved(IsoformError):
    """A verdict is no pass, and what was asked for needs one."""

    exit_code = RESULT_FAILED
    kind = "parity"


class NoRoute(IsoformError):
    """No chain of installed converters connects two formats."""

    kind = "no-route"


class ChildFailed(IsoformError):
    """A child interpreter did not answer; ``kind`` says how: crashed, timeout, out-of-memory or protocol."""

    kind = "crashed"


class VersionSkew(IsoformError):
    """A worker of a cluster has other versions than the machine that asks it."""

    exit_code = 3
    kind = "version-skew"


_MEMORY_WORDS = (
    "MemoryError", "Cannot allocate memory", "can't allocate memory", "out of memory", "OOM", "bad_alloc",
    "Failed to allocate memory", "ALLOC_FAILED",
)  # fmt: skip
"""Of Python, libc, PyTorch on the CPU and on CUDA, TensorFlow, C++, ONNX Runtime's arena, cuBLAS and cuDNN."""

_BY_KIND: dict[str, type[IsoformError]] = {
    cls.kind: cls for cls in (UsageError, MissingDependency, UnsupportedOperator, NoRoute, VersionSkew)
}


def from_json(record: dict[str, Any]) -> IsoformError:
    """Return the exception that ``to_json`` described, as far as its kind has a class of its own."""
    kind = str(record.get("kind", IsoformError.kind))
    cls = _BY_KIND.get(kind, IsoformError)
    return cls(str(record.get("message", "")), str(record.get("hint", "")), kind=kind)


def written_out(text: str) -> str:
    r"""Return ``text`` on one line: control and direction characters become their codes, ``\x0a`` for a new line."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def tells_of_memory(text: str) -> bool:
    """Tell whether a message of the system, of a framework or of CUDA says that there was not enough memory."""
    return any(word in text for word in _MEMORY_WORDS)


def of_system(error: OSError) -> IsoformError:
    """Return the error for what the system refused: a read-only folder, a full disk, a name that is too long."""
    place = f"{error.filename}: " if error.filename else ""
    return IsoformError(
        f"{place}{error.strerror or type(error).__name__}.",
        "Check permissions and free space, or choose another --out.",
        kind="system",
    )
