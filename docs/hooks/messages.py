"""Every message that isoform raises on purpose, read out of its source when the site is built.

A page lists kinds of errors as headings of the third level; the hook ends each section with what such errors say.
"""

import ast
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import isoform
from isoform import errors

MARK = "<!-- every message of a kind, from the source, below what is said of it -->"
PLACE = "…"
"""What stands for the values of a message."""

SOURCE = Path(isoform.__file__).parent
CLASSES = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, Exception)}
_SECTION = re.compile(r"^### ([a-z0-9-]+)\n.*?(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, order=True)
class Message:
    """What an error says, with `PLACE` for values; its kind as ``--json`` has it, and the exit code."""

    kind: str
    what: str
    hint: str
    exit_code: int


@dataclass(frozen=True)
class Maker:
    """A function that returns an error: its parameters, what those are unless given, and the error's own call."""

    parameters: tuple[str, ...]
    defaults: Mapping[str, ast.expr]
    call: ast.Call

    def bound(self, call: ast.Call) -> dict[str, str]:
        """Return the text of each parameter in ``call``."""
        given = dict(zip(self.parameters, call.args, strict=False))
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        return {name: _text(node, {}) for name, node in {**self.defaults, **given}.items()}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page that bears the mark with messages at the end of its sections; mkdocs calls this for every page."""
    return _SECTION.sub(lambda found: f"{found[0]}{table(found[1])}\n", markdown) if MARK in markdown else markdown


def headings(markdown: str) -> list[str]:
    """Return the kinds that a page speaks of, in its order."""
    return _SECTION.findall(markdown)


def table(kind: str) -> str:
    """Return what errors of this kind say and advise, as a block that is closed until somebody opens it."""
    found = [message for message in every_message() if message.kind == kind]
    rows = "\n".join(f"    | {_cell(message.what)} | {_cell(message.hint)} |" for message in found)
    title = f"Exit code {found[0].exit_code}; {len(found)} message{'s' * (len(found) != 1)}"
    return f'??? quote "{title}"\n\n    | message | hint |\n    |---|---|\n{rows}\n' if found else ""


@cache
def every_message() -> tuple[Message, ...]:
    """Return what the source can say, sorted, each once."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    public = {name: maker for tree in trees for name, maker in _makers(tree).items() if not name.startswith("_")}
    found = {message for tree in trees for message in _raised(tree, {**public, **_makers(tree)})}
    return tuple(sorted(message for message in found if re.search(r"\w", message.what)))


def _makers(tree: ast.Module) -> dict[str, Maker]:
    found = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(body=[*_, ast.Return(value=ast.Call(func=ast.Name(id=name)) as call)]) if (
                name in CLASSES
            ):
                parameters = [argument.arg for argument in node.args.args]
                defaults = node.args.defaults
                named = dict(zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True))
                found[node.name] = Maker(tuple(parameters), named, call)
    return found


def _raised(tree: ast.Module, makers: Mapping[str, Maker]) -> Iterator[Message]:
    made = [maker.call for maker in makers.values()]
    for statement in tree.body:
        own = {"cls": CLASSES[statement.name]} if getattr(statement, "name", None) in CLASSES else {}
        for call in ast.walk(statement):
            match call:
                case ast.Call(func=ast.Name(id=name)) if name in makers:
                    maker = makers[name]
                    yield _message(maker.call, CLASSES, maker.bound(call))
                case ast.Call(func=ast.Name(id=name), args=[_, _, *_]) if (
                    name in {**CLASSES, **own} and call not in made
                ):
                    yield _message(call, {**CLASSES, **own}, {})


def _message(call: ast.Call, classes: Mapping[str, type[errors.IsoformError]], names: Mapping[str, str]) -> Message:
    assert isinstance(call.func, ast.Name)
    cls = classes[call.func.id]
    what, hint = (_text(argument, names) for argument in call.args[:2])
    kind = next((_text(word.value, names) for word in call.keywords if word.arg == "kind"), cls.kind)
    return Message(cls.kind if kind == PLACE else kind, what, hint, cls.exit_code)


def _text(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return a string as the source writes it, with `PLACE` for what is computed and not in ``names``."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) | ast.FormattedValue(value=ast.Name(id=name)):
            return names.get(name, PLACE)
        case ast.JoinedStr(values=parts):
            return re.sub(f"{PLACE}+", PLACE, "".join(_text(part, names) for part in parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return re.sub(f"{PLACE}+", PLACE, _text(left, names) + _text(right, names))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="spelling"), attr="hint"), args=[_, _, *opening]):
            return f"{_text(opening[0], names) if opening else 'One of'}: {PLACE}."
        case ast.Call(func=ast.Attribute(value=ast.Name(id="spelling"), attr="near_path")):
            return "Check the path."
        case _:
            return PLACE


def _cell(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]|{}])", r"\\\1", html.escape(text, quote=False))
    return " ".join(escaped.split())
