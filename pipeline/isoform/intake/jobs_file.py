"""A file of conversions, TOML: ``[defaults]`` and any number of ``[[jobs]]``, whose keys are the options of convert.

Paths are relative to the file. Nothing is opened here but the file itself.
"""

import os
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoform.core import spelling
from isoform.core.layout import CHOICES
from isoform.core.precision import FP32
from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError, UsageError


@dataclass(frozen=True)
class Entry:
    """One conversion of a file, its keys checked and its paths absolute or relative to the current folder.

    Attributes:
        place: which one of the file it is, from 1.
        options: by name; what is not given is not there.
    """

    place: int
    source: Path
    options: Mapping[str, Any]

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(self.options.get("to", ()))

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(self.options.get("precision", (FP32,)))

    @property
    def words(self) -> list[str]:
        """The command line that converts this source alone, without formats and precisions."""
        words = ["isoform", "convert", str(self.source)]
        for name, value in self.options.items():
            option = _OPTIONS[name].option
            if not option or name in ("to", "precision") or value is False:
                continue
            if value is True:
                words.append(option)
            elif isinstance(value, Mapping):
                words += [word for key, each in value.items() for word in (option, f"{key}={each}")]
            elif isinstance(value, tuple):
                words += [word for each in value for word in (option, _spelt(each))]
            else:
                words += [option, str(value)]
        return [*words, "--no-verify"] if self.options.get("verify") is False else words

    @property
    def command(self) -> str:
        """The same as it is typed."""
        return shlex.join(self.words)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes in any folder of any machine: every path is absolute."""
        options = {name: _plain(name, value) for name, value in self.options.items()}
        return {"place": self.place, "source": os.path.abspath(self.source), "options": options}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Entry":
        """Return the conversion that a record says.

        Raises:
            UsageError: an option there is not, or a value of another form.
        """
        place = int(record["place"])
        return cls(place, Path(record["source"]), _checked(record["options"], Path("/jobs"), f"job {place}"))


@dataclass(frozen=True)
class _Option:
    """What a key may be.

    Attributes:
        option: the flag of convert.
        form: for people.
        read: what it becomes, None where it has another form.
    """

    option: str
    form: str
    read: Callable[[Any, Path], Any]


def _spelt(value: Any) -> str:
    """Return an element of a list as it is typed; an input with its layout and the range of its integers."""
    if not isinstance(value, TensorSpec):
        return str(value)
    layout = f":{value.layout}" if value.layout else ""
    has_range = value.low is not None and value.high is not None
    return f"{value}{layout}{f':{value.low}..{(value.high or 0) - 1}' if has_range else ''}"


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Path):
        return os.path.abspath(value)
    if name == "arch" and value.rpartition(":")[0].endswith(".py"):
        file, _, function = value.rpartition(":")
        return f"{os.path.abspath(file)}:{function}"
    return [_spelt(each) for each in value] if isinstance(value, tuple) else value


def _text(value: Any, _: Path) -> Any:
    return value if isinstance(value, str) and value else None


def _path(value: Any, folder: Path) -> Any:
    return _under(folder, value) if isinstance(value, str) and value else None


def _architecture(value: Any, folder: Path) -> Any:
    """Return FILE:CALLABLE with the file found from the folder of the jobs; MODULE:CALLABLE stays as it is."""
    if not isinstance(value, str) or ":" not in value:
        return None
    file, _, function = value.rpartition(":")
    return f"{_under(folder, file)}:{function}" if file.endswith(".py") else value


def _words(value: Any, _: Path) -> Any:
    listed = value.split(",") if isinstance(value, str) else value
    is_list = isinstance(listed, list) and listed and all(isinstance(word, str) and word.strip() for word in listed)
    return tuple(word.strip() for word in listed) if is_list else None


def _texts(value: Any, _: Path) -> Any:
    is_list = isinstance(value, list) and value and all(isinstance(text, str) for text in value)
    return tuple(value) if is_list else None


def _inputs(value: Any, folder: Path) -> Any:
    texts = _texts(value, folder)
    return None if texts is None else tuple(map(TensorSpec.parse, texts))


def _table(value: Any, _: Path) -> Any:
    return value if isinstance(value, dict) else None


def _flag(value: Any, _: Path) -> Any:
    return value if isinstance(value, bool) else None


def _bytes(value: Any, _: Path) -> Any:
    """Return a size in bytes, of a number of them or of a text with a decimal unit."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return round(float(found[1]) * _UNITS[found[2].upper()])
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _count(value: Any, _: Path) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _layout(value: Any, _: Path) -> Any:
    return value if value in CHOICES else None


_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]?B)")
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_OPTIONS = {
    "source": _Option("", "a path", _path),
    "to": _Option("--to", "formats: [\"onnx\", \"tflite\"]", _words),
    "precision": _Option("--precision", "precisions: [\"fp32\", \"int8\"]", _words),
    "name": _Option("--name", "text", _text),
    "arch": _Option("--arch", "FILE_OR_MODULE:CALLABLE", _architecture),
    "arch_args": _Option("--arch-arg", "a table", _table),
    "inputs": _Option("--input", "a list of NAME:DTYPE[DIM,...]", _inputs),
    "signature": _Option("--signature", "text", _text),
    "cases": _Option("--cases", "a path", _path),
    "via": _Option("--via", "a format", _text),
    "avoid": _Option("--avoid", "a list of converters", _texts),
    "io_layout": _Option("--io-layout", f"one of {', '.join(CHOICES)}", _layout),
    "allow_pickle": _Option("--allow-pickle", "true or false", _flag),
    "allow_nonfinite": _Option("--allow-nonfinite", "true or false", _flag),
    "verify": _Option("", "true or false", _flag),
    "memory": _Option("", "a size: \"6 GB\"", _bytes),
    "gpus": _Option("", "a number of GPUs", _count),
}  # fmt: skip


def read(path: Path) -> list[Entry]:
    """Return the conversions of a file, in order.

    Raises:
        UsageError: no such file, a key that is none of convert's options, a value of another form, a job without a
            source or formats.
        IsoformError: it is not TOML.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file.", spelling.near_path(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise IsoformError(f"{path}: not valid TOML: {error}.", "Correct this place.", kind="damaged") from None
    for key in document:
        if key not in ("defaults", "jobs"):
            raise UsageError(f"{path}: there is no section '{key}'.", "Write one [defaults] and a [[jobs]] for each.")
    defaults, jobs = document.get("defaults", {}), document.get("jobs", [])
    if not isinstance(defaults, dict) or not isinstance(jobs, list) or not jobs:
        raise UsageError(f"{path}: there are no [[jobs]].", 'Write [[jobs]] and below it: source = "model.onnx"')
    shared = _checked(defaults, path.parent, f"{path}: [defaults]")
    return [_entry(job, shared, path, place) for place, job in enumerate(jobs, start=1)]


def _entry(job: Any, shared: Mapping[str, Any], path: Path, place: int) -> Entry:
    where = f"job {place}"
    if not isinstance(job, dict):
        raise UsageError(f"{path}: {where} is no table.", "Write [[jobs]] above each.")
    options = {**shared, **_checked(job, path.parent, f"{path}: {where}")}
    for needed in ("source", "to"):
        if needed not in options:
            raise UsageError(f"{path}: {where} has no '{needed}'.", f"Add {needed} = {_OPTIONS[needed].form}.")
    source = options.pop("source")
    return Entry(place, source, options)


def _checked(given: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    found = {}
    for key, value in given.items():
        if key not in _OPTIONS:
            raise UsageError(f"{where} has the unknown key '{key}'.", spelling.hint(key, _OPTIONS))
        try:
            found[key] = _OPTIONS[key].read(value, folder)
        except UsageError as error:
            raise UsageError(f"{where}: {error.what}", error.hint) from None
        if found[key] is None:
            raise UsageError(f"{where}: {key} is {value!r}.", f"It is {_OPTIONS[key].form}.")
    return found


def _under(folder: Path, text: str) -> Path:
    return folder / text if str(folder) != "." else Path(text)
