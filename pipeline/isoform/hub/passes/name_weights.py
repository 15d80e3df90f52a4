"""Name what exporters made of a model's weights after the weights: joined gates, slices and transposed copies.

Two steps around the simplification: `origins` notes which weights each value of a graph is made of, `name_weights`
calls the initialisers that came of them by those names.
"""

import itertools

import onnx_ir as ir

Origins = dict[str, tuple[str, ...]]
_MOVING = {"Cast", "Expand", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}


def origins(model: ir.Model) -> Origins:
    """Return, for each value computed from initialisers and constants alone, the initialisers' names in order.

    Where a tensor is moved, the sizes that say how may come from anywhere: they turn out constant or they do not.
    """
    found: Origins = {name: (name,) for name in model.graph.initializers}
    for node in model.graph:
        inputs = [value for value in node.inputs if value is not None]
        inputs = inputs[:1] if node.op_type in _MOVING else inputs
        if not all(str(value.name) in found for value in inputs):
            continue
        names = tuple(dict.fromkeys(name for value in inputs for name in found[str(value.name)]))
        found |= {str(value.name): names for value in node.outputs}
    return {name: weights for name, weights in found.items() if weights}


def name_weights(model: ir.Model, origins: Origins) -> None:
    """Rename the initialisers that stand for weights, in place: after the one weight, or after all that are joined."""
    weights = {name for names in origins.values() for name in names}
    taken = set(model.graph.initializers)
    for value in list(model.graph.initializers.values()):
        name = str(value.name)
        if name in weights or name not in origins:
            continue
        wanted = joined(origins[name])
        numbered = (f"{wanted}_{number}" for number in itertools.count(1))
        chosen = wanted if wanted not in taken else next(name for name in numbered if name not in taken)
        taken.add(chosen)
        value.name = chosen


def joined(names: tuple[str, ...]) -> str:
    """Return one name for several: ``a.w`` and ``a.b`` together are ``a.w_and_b``."""
    first, *others = names
    module = first.rpartition(".")[0]
    return "_and_".join([first, *(name.removeprefix(f"{module}.") for name in others)])
