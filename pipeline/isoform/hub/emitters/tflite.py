"""The hub graph as a TFLite file: builtin operators only, dynamic dimensions kept, images channels-last inside.

One function per operator stands in tflite_ops/, in the file of its family. Not aware of the interpreter.
"""

import io
from dataclasses import replace

import onnx_ir as ir
from onnx_ir.passes import common

from isoform.errors import IsoformError
from isoform.hub import graph as hub_graph
from isoform.hub.emitters.tflite_builder import DTYPES, FlatFile, Tensor
from isoform.hub.emitters.tflite_ops import families
from isoform.hub.emitters.tflite_ops.call import OPERATORS, Scope
from isoform.hub.emitters.tflite_ops.emission import emit_nodes, own_tensor, tensor_of
from isoform.hub.emitters.tflite_ops.infinities import may_be_infinite
from isoform.hub.passes.describe_bodies import describe_bodies
from isoform.hub.passes.drop_expands import drop_expands
from isoform.hub.passes.drop_nan_guards import drop_nan_guards
from isoform.hub.passes.drop_reshapes import drop_reshapes
from isoform.hub.passes.drop_true_tests import drop_true_tests
from isoform.hub.passes.expand_col2im import expand_col2im
from isoform.hub.passes.expand_dft import expand_dft
from isoform.hub.passes.expand_functions import expand_functions
from isoform.hub.passes.expand_integer_operators import expand_integer_operators
from isoform.hub.passes.fold_batch_norm import fold_batch_norm
from isoform.hub.passes.fold_layer_norm import fold_layer_norm
from isoform.hub.passes.fold_scale import fold_scale
from isoform.hub.passes.fold_small import fold_small
from isoform.hub.passes.gather_once import gather_once
from isoform.hub.passes.known_resizes import known_resizes
from isoform.hub.passes.layout import to_channels_last
from isoform.hub.passes.name_nodes import name_nodes
from isoform.hub.passes.one_dimensional import widen_one_dimensional
from isoform.hub.passes.quantized import fuse_quantized, noted
from isoform.hub.passes.read_last_state import read_last_state
from isoform.hub.passes.restore_gelu import restore_gelu
from isoform.hub.passes.restore_group_normalization import restore_group_normalization
from isoform.hub.passes.restore_indexing import restore_indexing
from isoform.hub.passes.restore_layer_normalization import restore_layer_normalization
from isoform.hub.passes.restore_matmul import restore_matmul
from isoform.hub.passes.restore_squeeze import restore_squeeze
from isoform.hub.passes.restore_transpose import restore_transpose
from isoform.hub.passes.share_concat import share_concat
from isoform.hub.passes.simplify import simplify
from isoform.hub.passes.widen_half import widen_half

__all__ = ["OPERATORS", "build", "emit", "families"]

_CHANNELS_LAST = [
    ("Resize", 4), ("GroupNormalization", 4), ("Conv", 5), ("BatchNormalization", 5), ("GlobalAveragePool", 5),
    ("GlobalMaxPool", 5), ("ConvTranspose", 5),
]  # fmt: skip
"""What runs channels last beside the operators over images, each over tensors of one rank."""


def emit(model: ir.Model) -> bytes:
    """Return ``model`` as the bytes of a TFLite file; the graph is rewritten on the way.

    Raises:
        UnsupportedOperator: nodes that no function here carries, all of them.
        IsoformError: an operator in a form that TFLite cannot have.
    """
    buffer = io.BytesIO()
    build(model).write(buffer)
    return buffer.getvalue()


def build(model: ir.Model, *, is_hybrid: bool = False) -> FlatFile:
    """Return ``model`` as a file that is not written yet, its weights still where they were.

    Args:
        is_hybrid: let layers of numbers with weights of eight bits multiply in integers, whatever comes in rounded to
            its own range; the graph says nothing of that, so only who has made it so may ask for it.
    """
    _prepare(model, is_hybrid)
    name_nodes(model)
    OPERATORS.require(model)
    file = FlatFile(is_hybrid=is_hybrid)
    graph = file.sub_graph("main")
    scope = Scope(graph, model)
    for value in model.graph.inputs:
        scope.values[value] = graph.input(str(value.name), *_described(value), noted(value))
    emit_nodes(model.graph, scope)
    for value in model.graph.outputs:
        graph.outputs.append(_output(value, scope))
    return file


def _prepare(model: ir.Model, is_hybrid: bool) -> None:
    """Rewrite ``model`` until it says what it computes in the operators and the layout that the file will have."""
    common.RemoveInitializersFromInputsPass()(model)  # TFLite has no default values for inputs
    simplify(model)
    if expand_functions(model, OPERATORS.carries):
        simplify(model)
    if expand_col2im(model):
        simplify(model)
    if expand_dft(model):
        simplify(model)
    if widen_half(model):
        simplify(model)
    if expand_integer_operators(model):
        simplify(model)
    if any(node.graph is not model.graph for node in model.graph.all_nodes()):
        describe_bodies(model)
    while fold_small(model):
        describe_bodies(model)
    restore_squeeze(model)
    known_resizes(model)
    hub_graph.infer_shapes(model)
    restore_indexing(model)
    restore_transpose(model)
    drop_true_tests(model)
    gather_once(model)
    if drop_expands(model):
        hub_graph.infer_shapes(model)
    drop_nan_guards(model, may_be_infinite)
    restore_group_normalization(model)
    restore_layer_normalization(model, has_root_mean_square=True)
    restore_matmul(model)
    fold_batch_norm(model)  # before one-dimensional layers are taken apart
    widen_one_dimensional(model)
    to_channels_last(model, also=_CHANNELS_LAST)
    fold_batch_norm(model)  # what transposes have kept apart
    fold_layer_norm(model)
    fold_scale(model)
    drop_reshapes(model)
    restore_gelu(model)
    share_concat(model)
    read_last_state(model)
    fuse_quantized(model, keeps_recurrent=is_hybrid)


def _output(value: ir.Value, scope: Scope) -> Tensor:
    """Return a tensor of its own that bears an output's name: a copy of an input, a constant or another output."""
    tensor = own_tensor(tensor_of(value, scope), scope.graph)
    named = replace(tensor, name=str(value.name))
    scope.graph.tensors[tensor.index] = named
    return named


def _described(value: ir.Value) -> tuple[str, list[int | None]]:
    if value.shape is None or value.dtype is None:
        raise IsoformError(
            f"The input '{value.name}' has no known rank or dtype.", "Declare its shape.", kind="signature"
        )
    dtype = "string" if value.dtype == ir.DataType.STRING else str(value.dtype.numpy())
    if dtype not in DTYPES:
        raise IsoformError(f"The input '{value.name}' is {dtype}, which TFLite lacks.", "Use another dtype.")
    return dtype, [dim if isinstance(dim, int) else None for dim in value.shape]
