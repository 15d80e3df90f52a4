"""PyTorch's older exporter: a module by tracing, or a ScriptModule with its control flow, to a hub graph.

Weights do not pass through it: they are declared as inputs of its graph and attached afterwards, so that its cost
follows operators. Not aware of files or of how the graph is finished.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import onnx
import onnx_ir as ir
import torch
from onnx_ir.tensor_adapters import TorchTensor
from torch.onnx import symbolic_helper
from torch.onnx.errors import SymbolicValueError

from isoform.core.signature import Signature
from isoform.errors import IsoformError
from isoform.hub import tracing
from isoform.hub.torch_export import reason

OPSET = 20
"""The newest that this exporter writes."""
_UNFLATTEN, _SINCE = "aten::unflatten", 15
_END = 1 << 30
_INFERENCE = "_jit_pass_onnx_graph_shape_type_inference"
_LARGEST_INFERRED = 1024
"""Elements of a weight whose values may decide a shape; larger ones are not."""


def traced(module: torch.nn.Module, signature: Signature, inputs: Sequence[tuple[torch.Tensor, ...]]) -> ir.Model:
    """Return ``module`` as traced on the first of ``inputs``.

    Args:
        module: with one argument an input, in order, and a row of tensors as its answer.
        inputs: of two sets of sizes; the second one tells decisions by dynamic sizes from those by fixed ones.

    Raises:
        IsoformError: the trace fails, or a decision in Python was frozen by it.
    """
    models: list[ir.Model] = []

    def decisions(position: int) -> Sequence[tracing.Decision]:
        watch = tracing.Watch()
        hook = module.register_forward_pre_hook(lambda _, given: watch.inputs(given))
        try:
            with watch:
                models.append(export(module, signature, inputs[position]))
        finally:
            hook.remove()
        return watch.decisions

    tracing.refuse_decisions(decisions)
    attach_weights(models[0], signature, dict(module.state_dict()))
    return models[0]


def scripted(script: torch.jit.ScriptModule, signature: Signature, inputs: tuple[torch.Tensor, ...]) -> ir.Model:
    """Return ``script`` with its control flow.

    Raises:
        IsoformError: the exporter fails; or the program takes other arguments than the signature has inputs.
    """
    arguments = script.forward.schema.arguments[1:]
    if len(arguments) != len(signature.inputs):
        raise IsoformError(
            f"The program takes {len(arguments)} arguments, {len(signature.inputs)} are declared.",
            f"Declare each one: {', '.join(argument.name for argument in arguments)}.",
            kind="signature",
        )
    model = export(script, signature, inputs)
    weights = {str(value.name) for value in model.graph.inputs[len(inputs) :]}
    attach_weights(
        model, signature, {name: tensor for name in weights if (tensor := _tensor(script, name)) is not None}
    )
    return model


def _tensor(script: torch.jit.ScriptModule, name: str) -> torch.Tensor | None:
    """Return a weight or a tensor attribute by the name that the exporter gives it."""
    place: Any = script
    for part in name.removeprefix("self.").split("."):
        place = getattr(place, part, None)
    return place if isinstance(place, torch.Tensor) else None


def export(module: torch.nn.Module, signature: Signature, inputs: tuple[torch.Tensor, ...]) -> ir.Model:
    """Return the graph without its weights: they are inputs of it, after those of the signature.

    Raises:
        IsoformError: the exporter fails; the operator that it names is in the message.
    """
    file = io.BytesIO()
    specs = (*signature.inputs, *signature.outputs)
    try:
        with _settings(), torch.no_grad():
            torch.onnx.export(
                module,
                inputs,
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=[spec.name for spec in signature.inputs],
                output_names=[spec.name for spec in signature.outputs],
                dynamic_axes={spec.name: _axes(spec.shape) for spec in specs},
                export_params=False,
                verbose=False,  # else it prints the whole graph when it fails
                do_constant_folding=False,  # it would fold the sizes of weights that are not there
            )
    except IsoformError:
        raise
    except Exception as error:  # the exporter raises types of its own, and whatever the module raises under a trace
        raise IsoformError(
            f"torch.onnx.export (dynamo=False) failed: {reason(error)}",
            "Make the operator it names exportable, or leave it to the other exporter.",
            kind="export",
        ) from error
    return ir.from_proto(onnx.load_from_string(file.getvalue()))


def attach_weights(model: ir.Model, signature: Signature, state: dict[str, torch.Tensor]) -> None:
    """Make initialisers of the inputs that stand for weights, in place; memory is shared with ``state``."""
    for value in list(model.graph.inputs[len(signature.inputs) :]):
        name = str(value.name)
        if name not in state:
            raise IsoformError(
                f"The exported graph wants '{name}', which is neither an input nor a weight of the model.",
                "Register this tensor as a buffer, or leave the model to the other exporter.",
                kind="signature",
            )
        model.graph.inputs.remove(value)
        value.const_value = TorchTensor(state[name].detach(), name=name)
        value.shape = ir.Shape(state[name].shape)
        model.graph.register_initializer(value)


def _axes(shape: Sequence[int | str]) -> dict[int, str]:
    return {axis: dim for axis, dim in enumerate(shape) if isinstance(dim, str)}


@contextmanager
def _settings() -> Iterator[None]:
    """Turn off warnings, which are judged elsewhere, and the fused attention kernels that have no ONNX form."""
    is_enabled: Any = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.onnx.register_custom_op_symbolic(_UNFLATTEN, _unflatten, _SINCE)
    try:
        with warnings.catch_warnings(), _small_inference():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.onnx.unregister_custom_op_symbolic(_UNFLATTEN, _SINCE)
        torch.backends.mha.set_fastpath_enabled(is_enabled)


def _unflatten(g: Any, tensor: Any, dim: Any, sizes: Any) -> Any:
    """Return Tensor.unflatten in ONNX, its other sizes asked for at run time.

    The exporter's own form makes its shape inference take the traced sizes for fixed ones: attention loses its length.
    """
    axis = symbolic_helper._parse_arg(dim, "i")
    rank = symbolic_helper._get_tensor_rank(tensor)
    if axis < 0 and rank is None:
        raise SymbolicValueError("unflatten counts its axis from the end of a tensor of unknown rank", tensor)
    axis += rank if axis < 0 else 0
    if symbolic_helper._is_packed_list(sizes):
        zero = g.op("Constant", value_t=torch.tensor([0]))
        parts = [g.op("Unsqueeze", size, zero) for size in symbolic_helper._unpack_list(sizes)]
    else:
        parts = [sizes]
    before, after = (g.op("Shape", tensor, start_i=start, end_i=end) for start, end in ((0, axis), (axis + 1, _END)))
    return g.op("Reshape", tensor, g.op("Concat", before, *parts, after, axis_i=0))


@contextmanager
def _small_inference() -> Iterator[None]:
    """Let the exporter infer shapes without the values of large weights: it would copy each into a proto, twice.

    At 2 GiB that ends. The shapes of weights are in the types of the graph's inputs already.
    """
    infer = getattr(torch._C, _INFERENCE)

    def small(graph: Any, weights: dict[str, torch.Tensor], opset: int) -> None:
        infer(graph, {name: tensor for name, tensor in weights.items() if tensor.numel() <= _LARGEST_INFERRED}, opset)

    setattr(torch._C, _INFERENCE, small)
    try:
        yield
    finally:
        setattr(torch._C, _INFERENCE, infer)
