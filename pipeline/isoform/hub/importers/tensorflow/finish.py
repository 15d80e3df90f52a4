"""From tf2onnx' graph to the hub graph: the signature's names and axes, idioms undone, weights put back."""

from collections.abc import Mapping, Sequence

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.core.protocols import Array
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub.importers.tensorflow import idioms
from isoform.hub.importers.tensorflow.skeleton import Skeleton
from isoform.hub.passes.drop_identities import drop_identities
from isoform.hub.passes.drop_zero_state import drop_zero_state
from isoform.hub.passes.fold_weights import fold_weights, initializer, mark_parameters, narrows
from isoform.hub.passes.layout import choose_layouts
from isoform.hub.passes.name_weights import name_weights, origins
from isoform.hub.passes.restore_batch_normalization import restore_batch_normalization
from isoform.hub.passes.simplify import simplify


def finish(model: ir.Model, skeleton: Skeleton, signature: Signature, inputs: Sequence[str]) -> None:
    """Make ``model`` the hub graph of the function, in place.

    Args:
        inputs: what the function's arguments are called in ``model``.

    Raises:
        IsoformError: it has lost an input or an output, or an axis of one is not as declared.
    """
    _name(model, signature, inputs)
    drop_identities(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    fold_weights(model)  # of constants alone: weights are inputs still
    hub_graph.infer_shapes(model)
    restore_batch_normalization(model)
    _attach(model, skeleton.weights)
    _rename(model, skeleton.inside)
    made_of = origins(model)
    idioms.restore_layers(model)
    simplify(model)
    idioms.restore_operators(model)
    drop_zero_state(model)
    choose_layouts(model)
    name_weights(model, made_of)
    common.RemoveUnusedNodesPass()(model)
    _refuse_other_inputs(model, signature)


def _name(model: ir.Model, signature: Signature, inputs: Sequence[str]) -> None:
    """Give inputs and outputs their names, dtypes and shapes, or say which axis the network has fixed."""
    _refuse_one_name_for_two(signature)
    by_name = {value.name: value for value in model.graph.inputs}
    lost = [spec.name for name, spec in zip(inputs, signature.inputs, strict=True) if name not in by_name]
    if lost or len(model.graph.outputs) != len(signature.outputs):
        raise IsoformError(
            f"The converted graph has {len(model.graph.outputs)} outputs of {len(signature.outputs)}"
            + (f" and lost the inputs {', '.join(lost)}." if lost else "."),
            "Declare what the function takes and returns.",
            kind="lost-value",
        )
    pairs = [(by_name[name], spec) for name, spec in zip(inputs, signature.inputs, strict=True)]
    _rename_symbols(model, pairs)
    for value, spec in pairs:
        _declare(value, spec)
    for position, (value, spec) in enumerate(zip(list(model.graph.outputs), signature.outputs, strict=True)):
        if value.is_graph_input() or list(model.graph.outputs).count(value) > 1:
            value = _own_output(model.graph, value, position)
        _declare(value, spec)


def _refuse_one_name_for_two(signature: Signature) -> None:
    clash = {spec.name for spec in signature.inputs} & {spec.name for spec in signature.outputs}
    if clash:
        raise IsoformError(
            f"'{min(clash)}' is the name of an input and of an output.",
            "Rename one: ONNX has one name for one tensor.",
            kind="signature",
        )


def _rename_symbols(model: ir.Model, inputs: Sequence[tuple[ir.Value, TensorSpec]]) -> None:
    """Call every dynamic dimension of the graph by the name that the signature has for it."""
    names = {
        size.value: declared
        for value, spec in inputs
        for size, declared in zip(value.shape or (), spec.shape, strict=False)
        if not isinstance(size, int)
    }
    for value in (value for node in model.graph.all_nodes() for value in node.outputs):
        if value.shape is not None:
            dims = [size if isinstance(size, int) else names.get(size.value) for size in value.shape]
            value.shape = ir.Shape(dims)


def _own_output(graph: ir.Graph, value: ir.Value, position: int) -> ir.Value:
    node = ir.node("Identity", [value])
    node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
    graph.append(node)
    graph.outputs[position] = node.outputs[0]
    return node.outputs[0]


def _declare(value: ir.Value, spec: TensorSpec) -> None:
    found = value.shape
    if found is not None and len(found) != len(spec.shape):
        raise _misdeclared(f"'{spec.name}' is declared as {spec}, the network gives {found}.")
    for axis, (size, declared) in enumerate(zip(found or (), spec.shape, strict=False)):
        if isinstance(size, int) and isinstance(declared, str):
            raise IsoformError(
                f"Axis {axis} of '{spec.name}' is declared dynamic ('{declared}'), the network fixes it at {size}.",
                "Build the network without a fixed size there, or declare the size.",
                kind="frozen-axis",
            )
        if isinstance(size, int) and size != declared:
            raise _misdeclared(f"Axis {axis} of '{spec.name}' is declared {declared}, the network has {size}.")
    if value.dtype is not None and value.dtype.numpy() != ir.DataType[_onnx_dtype(spec.dtype)].numpy():
        raise _misdeclared(f"'{spec.name}' is declared {spec.dtype}, the network gives {value.dtype.numpy()}.")
    value.name, value.shape = spec.name, ir.Shape(spec.shape)


def _onnx_dtype(name: str) -> str:
    return {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())


def _misdeclared(what: str) -> IsoformError:
    return IsoformError(what, "Correct the signature.", kind="signature")


def _attach(model: ir.Model, weights: Mapping[str, tuple[str, Array]]) -> None:
    """Turn the inputs that stand for weights into initialisers, without copying; drop those nobody reads.

    What the network itself rounds, as under Keras' policy of mixed precision, stays a weight of its own dtype.
    """
    inputs = model.graph.inputs
    for value in list(inputs):
        found = weights.get(str(value.name).removesuffix(":0"))
        if found is None:
            continue
        inputs.remove(value)
        if value.uses():
            weight = initializer(model.graph, *found)
            ir.convenience.replace_all_uses_with(value, weight)
            if any(narrows(use.node) for use in weight.uses()):
                mark_parameters([weight])


def _rename(model: ir.Model, names: Mapping[str, str]) -> None:
    """Call weights that have travelled through the graph by their own names."""
    for node, name in names.items():
        value = model.graph.initializers.get(f"{node}:0")
        if value is not None and name not in model.graph.initializers:
            value.name = name


def _refuse_other_inputs(model: ir.Model, signature: Signature) -> None:
    names = [str(value.name) for value in model.graph.inputs]
    if names != [spec.name for spec in signature.inputs]:
        raise IsoformError(
            f"The converted graph takes {', '.join(names)}; the function "
            f"{', '.join(spec.name for spec in signature.inputs)}.",
            "Report this with the network.",
            kind="extra-inputs",
        )
