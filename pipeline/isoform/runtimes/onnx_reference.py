"""ONNX's reference evaluator: what an ONNX source means, in float32 or in float64.

Slow and exact: it is used for references, never to measure speed. In float64 every float32 initialiser, constant and
declared type of the graph is upcast, so that the same operators run in double precision.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, numpy_helper

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub.reading import read
from isoform.hub.reference_evaluator import evaluator
from isoform.runtimes import ort

Factors = Callable[[tuple[int, ...]], Array]


class EvaluatorSession:
    """A ReferenceEvaluator, called by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._evaluator = evaluator(model)
        self.signature = Signature(
            tuple(map(_spec, model.graph.input)), tuple(map(_spec, model.graph.output))
        )  # fmt: skip

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs in the graph's order."""
        return self.bind(inputs).answer()

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        """Return the inputs as they are; the evaluator computes with arrays."""
        names = [spec.name for spec in self.signature.outputs]
        given = dict(inputs)
        return Bound.of(
            lambda: self._evaluator.run(names, given),
            lambda outputs: dict(zip(names, map(np.asarray, outputs), strict=True)),
        )

    def close(self) -> None:
        del self._evaluator


def load(artifact: Artifact, options: RunOptions) -> EvaluatorSession:
    """Open ``artifact.model``; in float64 where the options ask for it, its weights disturbed if they say so."""
    model = onnx.load(artifact.model) if artifact.format == "onnx" else ir.to_proto(read(artifact))
    if options.device != "cpu":
        raise IsoformError("The reference evaluator runs on the CPU only.", "Leave out the device.", kind="no-device")
    if options.is_float64:
        _upcast_graph(model.graph, options.perturbation.draws() if options.perturbation else None)
    return EvaluatorSession(model)


weights = ort.weights
steps = ort.steps


def _upcast_graph(graph: onnx.GraphProto, factors: Factors | None) -> None:
    for tensor in graph.initializer:
        _upcast_tensor(tensor, factors)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _upcast_tensor(attribute.t, factors)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                _upcast_graph(attribute.g, factors)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE


def _upcast_tensor(tensor: onnx.TensorProto, factors: Factors | None) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        array = array if factors is None else array * factors(array.shape)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.tensor_type
    dims = tuple(
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or f"{value.name}_{axis}")
        for axis, dim in enumerate(kind.shape.dim)
    )
    return TensorSpec(value.name, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).name, dims)
