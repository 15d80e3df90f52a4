"""Let a float32 graph compute in half precision: weights rounded, inputs and outputs still float32.

Each operator computes in one of the two, and a Cast stands wherever a value passes from one to the other; between two
operators that stay in float32 nothing is rounded. In float32 stay, by rule:

- what sums or divides many numbers, or a square of them: softmax, normalisations, means, sums, powers, exponentials;
- what half precision has no form for in ONNX (Range, NonMaxSuppression), operators with bodies, and other domains;
- what reads a constant that half precision cannot hold: beyond 65504, as the -1e9 of a mask, or a small number below
  2^-14, as an epsilon; and what reads such a mask further on, until a softmax has taken it in;
- what only moves the numbers of any of these.

Not aware of files, nor of what a runtime does with the operators.
"""

from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir

from isoform.hub.emitters.registry import opset_of

_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
_SUMMING = frozenset({
    "BatchNormalization", "CumSum", "Exp", "GlobalAveragePool", "GlobalLpPool", "GroupNormalization",
    "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization", "LRN", "MeanVarianceNormalization",
    "Pow", "RMSNormalization", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax", "Sqrt",
})  # fmt: skip
_MOVING = frozenset({
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape",
    "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
_CARRYING = _MOVING | {"Add", "Max", "Min", "Mul", "Neg", "Sub"}
"""What hands a number beyond half precision's range on."""
_TYPED = frozenset({"Cast", "CastLike", "ConstantOfShape", "DequantizeLinear", "DynamicQuantizeLinear", "EyeLike",
                    "QuantizeLinear"})  # fmt: skip
"""What says by itself which type it gives."""
LARGEST, SMALLEST = 65504.0, 2.0**-14
"""Of half precision, at its full eleven bits."""
FEW = 16
"""Numbers up to which a constant belongs to an operator and is no weight: its small ones count."""


def narrow(model: ir.Model) -> list[str]:
    """Rewrite ``model`` in place, its types inferred before; return the nodes that stay in float32, weights' alone."""
    return _Narrowing(model).run()


class _Narrowing:
    """One graph on its way: which values are half, and the Cast of each that both kinds read."""

    def __init__(self, model: ir.Model) -> None:
        self._model, self._graph = model, model.graph
        self._halves: set[ir.Value] = set()
        self._beyond: set[ir.Value] = set()
        self._casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def run(self) -> list[str]:
        nodes = list(self._graph)
        half = [node for node in nodes if self._is_half(node)]
        kept = [str(node.name) for node in nodes if node not in set(half) and _computes(node)]
        for node in half:
            allowed = _allowed(node, opset_of(self._model, node))
            for place, value in enumerate(node.inputs):
                if value is not None and value.dtype == _FLOAT and place in allowed:
                    node.replace_input_with(place, self._as(value, _HALF, node))
            for value in node.outputs:
                if value in self._halves:
                    value.dtype = _HALF
        for node in nodes:
            if node not in set(half):
                self._widen_inputs(node)
        for node in half:
            allowed = _allowed(node, opset_of(self._model, node))
            for place, value in enumerate(node.inputs):
                if value in self._halves and place not in allowed:
                    node.replace_input_with(place, self._as(value, _FLOAT, node))
        self._widen_outputs()
        self._drop_unread()
        return kept

    def _is_half(self, node: ir.Node) -> bool:
        """Decide on one node, those before it decided, and note which of its results are half or beyond the range."""
        floats = [value for value in node.inputs if value is not None and value.dtype == _FLOAT]
        is_beyond = any(value in self._beyond or _is_beyond(value) for value in floats)
        if is_beyond and node.op_type in _CARRYING:
            self._beyond.update(node.outputs)
        if is_beyond or not self._can_be_half(node, floats):
            return False
        self._halves.update(value for value in node.outputs if value.dtype == _FLOAT)
        return True

    def _can_be_half(self, node: ir.Node, floats: list[ir.Value]) -> bool:
        if not floats or node.domain not in ("", "ai.onnx") or node.op_type in _SUMMING | _TYPED:
            return False
        if any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
            return False
        if not _allowed(node, opset_of(self._model, node)) or any(value.dtype is None for value in node.outputs):
            return False
        computed = [value for value in floats if value.const_value is None]
        if node.op_type in _MOVING and computed:
            return any(value in self._halves for value in computed)
        return True

    def _as(self, value: ir.Value, dtype: ir.DataType, reader: ir.Node) -> ir.Value:
        """Return ``value`` in another type: a weight rounded, or the result of a Cast behind what computes it."""
        if (value.dtype == _HALF or value in self._halves) == (dtype == _HALF):
            return value
        if (value, dtype) not in self._casts:
            is_weight = value.const_value is not None and value.name in self._graph.initializers
            self._casts[value, dtype] = self._rounded(value) if is_weight else self._cast(value, dtype)
        return self._casts[value, dtype]

    def _rounded(self, value: ir.Value) -> ir.Value:
        tensor = value.const_value
        assert tensor is not None
        name = f"{value.name}/{_HALF.name.lower()}"
        lazy = ir.LazyTensor(
            lambda: ir.tensor(tensor.numpy().astype(np.float16), name=name), dtype=_HALF, shape=tensor.shape, name=name
        )
        half = ir.Value(name=name, shape=value.shape, type=ir.TensorType(_HALF), const_value=lazy)
        self._graph.register_initializer(half)
        return half

    def _cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        node = ir.node("Cast", [value], {"to": int(dtype)}, name=f"{value.name}/to_{dtype.name.lower()}")
        result = node.outputs[0]
        result.name, result.dtype, result.shape = f"{value.name}/{dtype.name.lower()}", dtype, value.shape
        producer = value.producer()
        if producer is None:
            self._graph.insert_before(self._graph[0], node)
        else:
            self._graph.insert_after(producer, node)
        return result

    def _widen_inputs(self, node: ir.Node) -> None:
        """Let a node that stays in float32, and the bodies in it, read what is half widened."""
        for place, value in enumerate(node.inputs):
            if value in self._halves:
                node.replace_input_with(place, self._as(value, _FLOAT, node))
        for body in _bodies(node):
            for inner in body:
                self._widen_inputs(inner)
            for place, output in enumerate(body.outputs):
                if output in self._halves:
                    body.outputs[place] = self._as(output, _FLOAT, node)

    def _widen_outputs(self) -> None:
        """Let the outputs be float32 under their names."""
        for place, value in enumerate(self._graph.outputs):
            if value not in self._halves:
                continue
            name, value.name = value.name, f"{value.name}/half"
            wide = self._as(value, _FLOAT, value.producer())
            wide.name = name
            self._graph.outputs[place] = wide

    def _drop_unread(self) -> None:
        for name, value in list(self._graph.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del self._graph.initializers[name]


def _computes(node: ir.Node) -> bool:
    """Tell whether a node gives float32 numbers at all."""
    return any(value.dtype == _FLOAT for value in node.outputs)


def _bodies(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()


def _is_beyond(value: ir.Value) -> bool:
    """Tell whether a constant holds a finite number that half precision does not, of a weight's small ones aside."""
    tensor = value.const_value
    if tensor is None:
        return False
    sizes = np.abs(tensor.numpy()).reshape(-1)
    sizes = sizes[np.isfinite(sizes)]
    if not sizes.size:
        return False
    is_small = tensor.size <= FEW and bool(((sizes > 0) & (sizes < SMALLEST)).any())
    return bool(sizes.max() > LARGEST) or is_small


def _allowed(node: ir.Node, opset: int) -> frozenset[int]:
    """Return the places of a node's inputs that may be half: with them its results are; none where they may not."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return frozenset()
    half = "tensor(float16)"
    if any(half not in output.types for output in schema.outputs if "tensor(float)" in output.types):
        return frozenset()
    last = len(schema.inputs) - 1
    own = {given.type_str for given in schema.outputs} | {schema.inputs[0].type_str} if schema.inputs else set()
    return frozenset(
        place
        for place in range(len(node.inputs))
        if half in (given := schema.inputs[min(place, last)]).types and given.type_str in own
    )
