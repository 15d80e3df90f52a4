"""What a module takes and gives beyond single tensors: dictionaries, dataclasses and tuples of them, by flat names.

``batch_image`` is the value of ``image`` in the argument ``batch``, ``scores_0`` the first of the tuple ``scores``.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch


def named_tensors(answer: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a module's answer by name, in order; what is no tensor comes out of no format.

    An answer of its own is ``output``, those of a tuple are ``output_0``, ``output_1_0``, ... as deep as it goes.
    """
    if isinstance(answer, torch.Tensor):
        yield name or "output", answer
    elif isinstance(answer, Mapping):
        for key, inner in answer.items():
            yield from named_tensors(inner, f"{name}_{key}" if name else str(key))
    elif _is_record(answer):
        yield from named_tensors({row.name: getattr(answer, row.name) for row in dataclasses.fields(answer)}, name)
    elif isinstance(answer, (tuple, list)):
        name = name or "output"
        for place, inner in enumerate(answer):
            yield from named_tensors(inner, f"{name}_{place}" if len(answer) > 1 else name)


def arguments(module: torch.nn.Module, named: Mapping[str, torch.Tensor]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the positional and the named arguments of a call.

    By name where ``forward`` has all of them; as the values of dictionaries and dataclasses where the names say so and
    ``forward`` wants such or has fewer arguments; else in order.
    """
    if isinstance(module, torch.jit.ScriptModule):
        known = {argument.name for argument in module.forward.schema.arguments[1:]}
        return ((), named) if named.keys() <= known else (tuple(named.values()), {})
    parameters = inspect.signature(module.forward).parameters
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {name: row for name, row in parameters.items() if row.kind in kinds}
    if named.keys() <= taken.keys():
        return (), named
    types = _annotations(module)
    has_room = len(taken) >= len(named) or len(taken) < len(parameters)
    if not has_room or any(_is_structure(types.get(name)) for name in taken):
        found = _grouped(named, list(taken), types)
        if found is not None:
            return (), found
    return tuple(named.values()), {}


def _grouped(
    named: Mapping[str, torch.Tensor], taken: Sequence[str], types: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the tensors under the arguments that their names begin with; None where one begins with none."""
    found: dict[str, Any] = {name: tensor for name, tensor in named.items() if name in taken}
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in named.items():
        if name in found:
            continue
        owner = next((owner for owner in taken if name.startswith(f"{owner}_") and owner not in found), None)
        if owner is None:
            return None
        groups.setdefault(owner, {})[name.removeprefix(f"{owner}_")] = tensor
    for owner, values in groups.items():
        kind = types.get(owner)
        found[owner] = kind(**values) if isinstance(kind, type) and dataclasses.is_dataclass(kind) else values
    return found


def _annotations(module: torch.nn.Module) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(module.forward)
    except (NameError, TypeError, AttributeError):  # an annotation that only a type checker resolves
        return {}


def _is_structure(kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    return dataclasses.is_dataclass(kind) or (isinstance(origin, type) and issubclass(origin, Mapping))


def _is_record(answer: Any) -> bool:
    return dataclasses.is_dataclass(answer) and not isinstance(answer, type)
