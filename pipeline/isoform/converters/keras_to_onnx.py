"""Keras to ONNX: tf2onnx on a function that takes the weights as arguments.

So the converter sees operators and shapes only, and 800 MB of weights cost it nothing; they are put back as
initialisers afterwards, as views of Keras' own arrays, and streamed to disk one by one. The weights of recurrent
cells are the exception: tf2onnx recognises an LSTM by them. Not aware of how the network came to be.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes
import tensorflow as tf
import tf2onnx

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UnsupportedOperator
from isoform.hub import keras_source
from isoform.hub.passes.fold_weights import fold_weights, initializer
from isoform.hub.passes.tf_idioms import (
    cancel_transposes,
    restore_batch_normalization,
    restore_flatten,
    restore_gather,
    restore_zero_state,
)

OPSET = 18
EXTERNAL_DATA_BYTES = 100 * 2**20
"""Weights beyond this many bytes go to a file of their own; a protobuf may hold 2 GiB at most."""
LARGEST_CELL_BYTES = 256 * 2**20

_INPUT, _WEIGHT = "isoform_input_", "isoform_weight_"


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write ``source`` as the ONNX file ``target``, with ``target.data`` beside it when the weights are large.

    Raises:
        IsoformError: an operator has no ONNX form, an axis declared dynamic is fixed, or the checker refuses the graph.
    """
    model = keras_source.load(source)
    signature = keras_source.outer_signature(source.signature, options)
    graph = from_keras(model, source.signature, signature)
    save(graph, target)


def from_keras(model: Any, inner: Signature, outer: Signature) -> ir.Model:
    """Return the hub graph of ``model``: called as ``inner`` says, seen from outside as ``outer`` says."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    function, specs = _trace(model, variables, inner, outer)
    proto = _skeleton(function, specs)
    captured = {inside.op.name: value for value, inside in function.get_concrete_function(*specs).graph.captures}
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    _refuse_unknown_operators(graph)
    _name(graph, outer)
    common_passes.IdentityEliminationPass()(graph)
    common_passes.LiftConstantsToInitializersPass(lift_all_constants=True)(graph)
    restore_batch_normalization(graph)
    restore_flatten(graph)
    restore_zero_state(graph)
    restore_gather(graph)
    _attach(graph, variables, captured)
    fold_weights(graph)
    cancel_transposes(graph)
    common_passes.RemoveUnusedNodesPass()(graph)
    common_passes.RemoveUnusedOpsetsPass()(graph)
    _refuse_extra_inputs(graph, outer)
    return graph


def save(graph: ir.Model, target: Path) -> None:
    """Write ``graph`` and let ONNX's checker read it back."""
    size_bytes = sum(value.const_value.nbytes for value in graph.graph.initializers.values() if value.const_value)
    external = f"{target.name}.data" if size_bytes > EXTERNAL_DATA_BYTES else None
    ir.save(graph, target, external_data=external)
    try:
        onnx.checker.check_model(str(target))
    except onnx.checker.ValidationError as error:
        target.unlink()
        raise IsoformError(
            f"The converted graph is not valid ONNX ({str(error).strip().splitlines()[0][:200]}).",
            "Try another route: --avoid keras_to_onnx.",
            kind="invalid-graph",
        ) from error


def _trace(model: Any, variables: Sequence[Any], inner: Signature, outer: Signature) -> Any:
    """Return a tf.function of the inputs and the weights, and the specs that it is to be traced with."""
    held = {id(variable): variable.numpy() for variable in _cell_weights(model)}
    free = [index for index, variable in enumerate(variables) if id(variable) not in held]
    count = len(model.trainable_variables)

    def call(*arguments: Any) -> list[Any]:
        tensors, given = arguments[: len(outer.inputs)], iter(arguments[len(outer.inputs) :])
        values = [tf.constant(held[id(each)]) if id(each) in held else next(given) for each in variables]
        inputs = keras_source.call_arguments(model, inner, keras_source.to_inner(inner, outer, tensors))
        outputs, _ = model.stateless_call(values[:count], values[count:], inputs, training=False)
        return keras_source.to_outer(inner, outer, keras_source.flat_outputs(inner, outputs))

    specs = [keras_source.tensor_spec(spec, f"{_INPUT}{index}") for index, spec in enumerate(outer.inputs)]
    specs += [tf.TensorSpec(variables[index].shape, variables[index].dtype, f"{_WEIGHT}{index}") for index in free]
    return tf.function(call, autograph=False), specs


def _cell_weights(model: Any) -> list[Any]:
    """Return the weights of recurrent layers, as long as they are small enough to travel through the graph."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, (keras.layers.RNN, keras.layers.LSTM))]
    weights = [weight for layer in layers for weight in layer.weights]
    size_bytes = sum(np.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in weights)
    return weights if size_bytes <= LARGEST_CELL_BYTES else []


def _skeleton(function: Any, specs: Sequence[Any]) -> onnx.ModelProto:
    """Return tf2onnx' graph, shapes inferred; weights are among its inputs."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot convert is found in the graph itself
    proto, _ = tf2onnx.convert.from_function(function, specs, opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])})
    return proto


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Rewrite ``Erfc(x)`` as ``1 - Erf(x)``, which is all that ONNX has."""
    dtype, shape = context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    one = context.make_const(f"{node.name}/one", np.ones((), tf2onnx.utils.map_onnx_to_numpy_type(dtype)))
    erf = context.make_node("Erf", list(node.input), dtypes=[dtype], shapes=[shape])
    context.remove_node(node.name)
    context.make_node("Sub", [one.output[0], erf.output[0]], outputs=list(node.output), dtypes=[dtype], shapes=[shape])


def _refuse_unknown_operators(graph: ir.Model) -> None:
    unknown = [
        f"'{node.op_type}' (node {node.name}, opset {OPSET})"
        for node in graph.graph.all_nodes()
        if not onnx.defs.has(node.op_type, node.domain)
    ]
    if unknown:
        raise UnsupportedOperator.of(unknown, "onnx")


def _name(graph: ir.Model, outer: Signature) -> None:
    """Give inputs and outputs their names, dtypes and shapes, or say which axis the network has fixed."""
    by_name = {value.name: value for value in graph.graph.inputs}
    _rename_symbols(graph, [(by_name[f"{_INPUT}{index}"], spec) for index, spec in enumerate(outer.inputs)])
    for index, spec in enumerate(outer.inputs):
        _declare(by_name[f"{_INPUT}{index}"], spec)
    for position, (value, spec) in enumerate(zip(list(graph.graph.outputs), outer.outputs, strict=True)):
        if value.is_graph_input() or list(graph.graph.outputs).count(value) > 1:
            value = _own_output(graph, value, position)
        _declare(value, spec)


def _rename_symbols(graph: ir.Model, inputs: Sequence[tuple[ir.Value, TensorSpec]]) -> None:
    """Call every dynamic dimension of the graph by the name that the signature has for it."""
    names = {
        size.value: declared
        for value, spec in inputs
        for size, declared in zip(value.shape or (), spec.shape, strict=False)
        if not isinstance(size, int)
    }
    for value in (value for node in graph.graph.all_nodes() for value in node.outputs):
        if value.shape is not None:
            dims = [size if isinstance(size, int) else names.get(size.value) for size in value.shape]
            value.shape = ir.Shape(dims)


def _own_output(graph: ir.Model, value: ir.Value, position: int) -> ir.Value:
    node = ir.node("Identity", [value])
    node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
    graph.graph.append(node)
    graph.graph.outputs[position] = node.outputs[0]
    return node.outputs[0]


def _declare(value: ir.Value, spec: TensorSpec) -> None:
    found = value.shape
    if found is None or len(found) != len(spec.shape):
        raise IsoformError(
            f"'{spec.name}' is declared as {spec}, the network gives {found}.",
            "Correct the signature.",
            kind="signature",
        )
    for axis, (size, declared) in enumerate(zip(found, spec.shape, strict=True)):
        if isinstance(size, int) and isinstance(declared, str):
            raise IsoformError(
                f"Axis {axis} of '{spec.name}' is declared dynamic ('{declared}'), the network fixes it at {size}.",
                "Build the network without a fixed size there, or declare the size.",
                kind="frozen-axis",
            )
        if isinstance(size, int) and size != declared:
            raise IsoformError(
                f"Axis {axis} of '{spec.name}' is declared {declared}, the network has {size}.",
                "Correct the signature.",
                kind="signature",
            )
    if value.dtype is not None and value.dtype.numpy() != np.dtype(spec.dtype):
        raise IsoformError(
            f"'{spec.name}' is declared {spec.dtype}, the network gives {value.dtype.numpy()}.",
            "Correct the signature.",
            kind="signature",
        )
    value.name, value.shape = spec.name, ir.Shape(spec.shape)


def _attach(graph: ir.Model, variables: Sequence[Any], captured: dict[str, Any]) -> None:
    """Turn the inputs that stand for weights into initialisers, without copying; drop those nobody reads."""
    inputs = graph.graph.inputs
    for value in list(inputs):
        name = value.name or ""
        if name.startswith(_WEIGHT):
            variable = variables[int(name.removeprefix(_WEIGHT))]
            array, name = _view(variable.value), variable.path
        elif name.removesuffix(":0") in captured:
            array = _view(captured[name.removesuffix(":0")])
        else:
            continue
        inputs.remove(value)
        if value.uses():
            ir.convenience.replace_all_uses_with(value, initializer(graph.graph, name, array))


def _view(tensor: Any) -> Any:
    """Return the memory of an eager tensor as an array."""
    return np.asarray(memoryview(tensor if isinstance(tensor, tf.Tensor) else tensor.read_value()))


def _refuse_extra_inputs(graph: ir.Model, outer: Signature) -> None:
    extra = [value.name for value in graph.graph.inputs[len(outer.inputs) :]]
    if [value.name for value in graph.graph.inputs] != [spec.name for spec in outer.inputs]:
        raise IsoformError(
            f"The converted graph asks for {len(extra)} inputs more than the network: {', '.join(map(str, extra))}.",
            "Try another route: --avoid keras_to_onnx.",
            kind="extra-inputs",
        )
