"""Protocol buffers' text format, of the kinds of values that servers' configurations have.

https://protobuf.dev/reference/protobuf/textformat-spec: a message is a mapping, a repeated field a list, an enum's
value an `Enum`. Not aware of any schema.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Enum(str):
    """The name of an enum's value; it is written without quotes."""


def written(message: Mapping[str, Any]) -> str:
    """Return a message as text, one field a line; repeated messages are written one after the other."""
    return "".join(f"{line}\n" for line in _lines(message))


def _lines(message: Mapping[str, Any]) -> Iterator[str]:
    for name, value in message.items():
        for entry in value if _is_repeated_message(value) else (value,):
            if isinstance(entry, Mapping):
                yield f"{name} {{"
                yield from (f"  {line}" for line in _lines(entry))
                yield "}"
            else:
                yield f"{name}: {_scalar(entry)}"


def _is_repeated_message(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value)


def _scalar(value: Any) -> str:
    if isinstance(value, Enum):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_scalar, value))}]"
    return str(value)


def _quoted(text: str) -> str:
    """Return a string literal, escaped as JSON is; characters beyond ASCII stay as they are."""
    return json.dumps(text, ensure_ascii=False)
