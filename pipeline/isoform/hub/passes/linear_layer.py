"""A convolution or a matrix product with constant weights, whichever operator it is: its kernel by its channels.

Not aware of why somebody scales it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from isoform.core.protocols import Array
from isoform.hub.passes.fold_weights import constant, initializer

Constant = Callable[[ir.Value | None], Array | None]
_FOLDED = "folded"
_PIECE = 1 << 18
"""Elements multiplied at once in float64, so that a large kernel is never there in that width."""


@dataclass(frozen=True)
class LinearLayer:
    """A Conv, ConvTranspose, Gemm or MatMul.

    Attributes:
        node: the operator.
        last: the operator, or the Add of a vector that is all that reads a MatMul.
        kernel: as the operator has it. bias: float64 [outputs]; None where there is none.
        groups: of channels, 1 but in convolutions.
    """

    node: ir.Node
    last: ir.Node
    kernel: Array
    bias: Array | None
    groups: int

    @property
    def is_folded(self) -> bool:
        """Return whether its weights are no longer a model's own."""
        return _FOLDED in self.node.meta

    @property
    def outputs(self) -> int:
        size = self.kernel.shape[self._axes[1]]
        return size * self.groups if self.node.op_type == "ConvTranspose" else size

    @property
    def inputs(self) -> int:
        size = self.kernel.shape[self._axes[0]]
        return size * self.groups if self.node.op_type == "Conv" else size

    @property
    def output_bias(self) -> Array:
        return np.zeros(self.outputs) if self.bias is None else self.bias

    @property
    def bias_terms(self) -> Array:
        """Return the magnitudes of what the bias is a sum of: of itself alone."""
        return np.abs(self.output_bias)

    @property
    def _axes(self) -> tuple[int, int]:
        """Return the kernel's axes of input and of output channels."""
        is_turned = self.node.op_type == "Conv" or (self.node.op_type == "Gemm" and _number(self.node, "transB"))
        return (1, 0) if is_turned else (0, 1)

    def by_output(self, vector: Array) -> Array:
        """Return ``vector`` [outputs] in a shape that broadcasts against the kernel."""
        inputs, outputs = self._axes
        if self.node.op_type == "ConvTranspose" and self.groups > 1:
            return self._grouped(vector, repeated=self.kernel.shape[inputs])
        return vector.reshape([-1 if axis == outputs else 1 for axis in range(self.kernel.ndim)])

    def by_input(self, vector: Array) -> Array:
        """Return ``vector`` [inputs] in a shape that broadcasts against the kernel."""
        inputs, outputs = self._axes
        if self.node.op_type == "Conv" and self.groups > 1:
            return self._grouped(vector, repeated=self.kernel.shape[outputs])
        return vector.reshape([-1 if axis == inputs else 1 for axis in range(self.kernel.ndim)])

    def _grouped(self, vector: Array, repeated: int) -> Array:
        rows = np.repeat(vector.reshape(self.groups, -1), repeated // self.groups, axis=0)
        return rows.reshape(*rows.shape, *[1] * (self.kernel.ndim - 2))

    def scaled(self, factor: Array) -> Array:
        """Return the kernel times ``factor``, in float64 and rounded once, piece by piece."""
        result = np.empty_like(self.kernel)  # the strides, too
        factors = np.broadcast_to(factor, self.kernel.shape)
        step = max(1, _PIECE // max(1, self.kernel[:1].size))
        for start in range(0, len(result), step):
            piece = slice(start, start + step)
            result[piece] = self.kernel[piece].astype(np.float64) * factors[piece]
        return result

    def of_constant(self, vector: Array) -> Array:
        """Return what the layer gives, bias apart, where every input channel holds its element of ``vector``."""
        return self._sum_of_inputs(self.kernel.astype(np.float64) * self.by_input(vector))

    def sizes_of_constant(self, vector: Array) -> Array:
        """Return the sum of the magnitudes of what `of_constant` sums up, for a ``vector`` of magnitudes."""
        return self._sum_of_inputs(np.abs(self.kernel.astype(np.float64)) * self.by_input(vector))

    def _sum_of_inputs(self, products: Array) -> Array:
        _, outputs = self._axes
        if self.node.op_type == "ConvTranspose":  # [inputs, outputs of a group, ...]
            products = products.reshape(self.groups, -1, *products.shape[1:])
            return np.asarray(products.sum(axis=(1, *range(3, products.ndim)))).reshape(-1)
        return np.asarray(products.sum(axis=tuple(axis for axis in range(products.ndim) if axis != outputs)))

    def replace(self, kernel: Array, bias: Array | None) -> ir.Value:
        """Put the layer with other weights in its place in the graph; return what it gives there."""
        graph, node = self.node.graph, self.node
        assert isinstance(graph, ir.Graph)
        weight = node.inputs[1]
        name = weight.name if weight is not None else node.name
        inputs = [node.inputs[0], initializer(graph, f"{name}/folded", kernel)]
        added = None if bias is None else initializer(graph, f"{name}/folded_bias", bias.astype(kernel.dtype))
        if added is not None and node.op_type != "MatMul":
            inputs.append(added)
        attributes = list(node.attributes.values())
        new = [ir.Node(node.domain, node.op_type, inputs, attributes, num_outputs=1, name=node.name)]
        if added is not None and node.op_type == "MatMul":
            new.append(ir.node("Add", [new[0].outputs[0], added]))
            new[0].outputs[0].type, new[0].outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
        new[0].meta[_FOLDED] = True
        old = [self.last] if self.last is node else [self.last, node]
        ir.convenience.replace_nodes_and_values(graph, self.last, old, new, self.last.outputs[:1], new[-1].outputs)
        return new[-1].outputs[0]


def layer_of(node: ir.Node, constant: Constant = constant) -> LinearLayer | None:
    """Return the layer that ``node`` is, its bias included; None where it is none, or its weights are computed.

    Args:
        constant: returns what a value always holds, None where it depends on the inputs.
    """
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or len(node.inputs) < 2:
        return None
    kernel = constant(node.inputs[1])
    if kernel is None or kernel.dtype.kind != "f" or (node.op_type in ("Gemm", "MatMul") and kernel.ndim != 2):
        return None
    if node.op_type == "Gemm" and (_number(node, "transA") or {_real(node, "alpha"), _real(node, "beta")} != {1.0}):
        return None
    last, bias_value = _added(node, kernel, constant) if node.op_type == "MatMul" else (node, (*node.inputs, None)[2])
    bias = constant(bias_value)
    layer = LinearLayer(node, last, kernel, None, _number(node, "group") or 1)
    if bias_value is None:
        return layer
    if bias is None or bias.size not in (1, layer.outputs) or bias.shape[-1:] not in ((), (1,), (layer.outputs,)):
        return None
    wide = np.broadcast_to(bias.astype(np.float64).reshape(-1), (layer.outputs,))
    return LinearLayer(node, last, kernel, wide, layer.groups)


def _added(node: ir.Node, kernel: Array, constant: Constant) -> tuple[ir.Node, ir.Value | None]:
    """Return the Add of a vector that is all that reads a product, and the vector; the product itself without one."""
    product = node.outputs[0]
    if is_private(product):
        ((add, place),) = product.uses()
        other = add.inputs[1 - place] if add.op_type == "Add" and add.domain == "" else None
        vector = constant(other)
        if vector is not None and vector.shape == kernel.shape[1:] and add.graph is node.graph:
            return add, other
    return node, None


def is_private(value: ir.Value | None) -> bool:
    """Return whether one node reads ``value`` and nobody else."""
    return value is not None and len(list(value.uses())) == 1 and not value.is_graph_output()


def _number(node: ir.Node, name: str) -> int:
    return node.attributes[name].as_int() if name in node.attributes else 0


def _real(node: ir.Node, name: str) -> float:
    return node.attributes[name].as_float() if name in node.attributes else 1.0
