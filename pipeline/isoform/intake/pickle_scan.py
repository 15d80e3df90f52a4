"""What a pickle would import, found by walking its opcodes; nothing in it is executed.

Opcodes: https://docs.python.org/3/library/pickletools.html. A name that is put together while unpickling cannot be
known without executing it, so it is listed as unknown. Not aware of PyTorch but for the names that its weights use.
"""

import io
import pickletools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

UNKNOWN = "a name computed while loading"
_STRINGS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING")
_KEEPS_TOP = ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_WITHOUT_EFFECT = ("PROTO", "FRAME", *_KEEPS_TOP)
_MOST_OPCODES = 20_000_000
_WEIGHTS = re.compile(
    r"collections\.(?:OrderedDict|Counter|defaultdict)|torch\.(?:\w+Storage|Size|device|serialization\._get_layout)"
    r"|torch\._utils\._rebuild_(?:tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|qtensor|sparse_tensor"
    r"|meta_tensor_no_storage|nested_tensor|wrapper_subclass|device_tensor_from_cpu_tensor)"
    r"|torch\.(?:storage\.(?:Untyped|Typed)Storage|nn\.parameter\.(?:Parameter|UninitializedParameter))"
    r"|torch\._tensor\._rebuild_from_type_v2|torch\.(?:_tensor\.)?Tensor"
    r"|torch\.(?:float|double|half|bfloat|int|uint|long|short|bool|complex|q?u?int|float8_)\w*"
    r"|torch\.per_(?:tensor|channel)_\w+|(?:builtins|__builtin__)\.(?:set|bytearray|complex)|_codecs\.encode"
)


@dataclass(frozen=True)
class PickleScan:
    """What was found in one pickle.

    Attributes:
        imports: ``module.name`` of everything that loading would import, sorted.
        end: bytes from the beginning of the stream to behind the pickle.
    """

    imports: tuple[str, ...]
    end: int

    @property
    def beyond_weights(self) -> tuple[str, ...]:
        """The imports that a state dict has no use for."""
        return beyond_weights(self.imports)


def beyond_weights(imports: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``imports`` that are not among what PyTorch itself writes for tensors and their containers."""
    return tuple(name for name in imports if not _WEIGHTS.fullmatch(name))


def scan(stream: IO[bytes]) -> PickleScan:
    """Return what the pickle at the beginning of ``stream`` would import.

    Raises:
        ValueError: not a whole pickle.
    """
    begin = stream.tell()
    walk = _Walk()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count > _MOST_OPCODES:
            raise ValueError(f"more than {_MOST_OPCODES} opcodes")
        walk.step(opcode.name, argument)
    return PickleScan(tuple(sorted(walk.imports)), stream.tell() - begin)


def scan_bytes(data: bytes) -> PickleScan:
    """Return `scan` of ``data``."""
    return scan(io.BytesIO(data))


class _Walk:
    """The last strings and the memo: enough to know what STACK_GLOBAL takes from the stack.

    Strings may only come from right before it, as every pickler writes them; anything in between makes it unknown.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self._last: list[str | None] = []
        self._memo: dict[int, str | None] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in ("GLOBAL", "INST"):
            self.imports.add(str(argument).replace(" ", ".", 1))
            self._push(None)
        elif name == "STACK_GLOBAL":
            module, attribute = ([None, None, *self._last])[-2:]
            self.imports.add(UNKNOWN if module is None or attribute is None else f"{module}.{attribute}")
            self._push(None)
        elif name.startswith("EXT"):
            self.imports.add(f"extension {argument}")
            self._push(None)
        elif name in _STRINGS:
            self._push(str(argument))
        elif name in _GETS:
            self._push(self._memo.get(int(argument)))
        elif name in _KEEPS_TOP:
            key = len(self._memo) if name == "MEMOIZE" else int(argument)
            self._memo[key] = self._last[-1] if self._last else None
        elif name not in _WITHOUT_EFFECT:
            self._push(None)

    def _push(self, value: str | None) -> None:
        self._last = [*self._last[-1:], value]
