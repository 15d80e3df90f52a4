"""What a function that emits one operator is given: the node's inputs as tensors, its attributes, its weights.

To add an operator: a function of one `Call` under ``@op(...)`` in the file of its family. It returns a tensor, or a
tuple where the operator has several outputs. Not aware of the order in which nodes are emitted.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import tensorflow as tf

from isoform.errors import IsoformError
from isoform.hub.checkpoint import Contents, placeholder
from isoform.hub.emitters.registry import OpTable
from isoform.hub.emitters.tf_ops.dtypes import dtype_of

Array = npt.NDArray[Any]
Tensor = Any
Emit = Callable[["Call"], Any]

OPERATORS: OpTable[Emit] = OpTable("savedmodel")
op = OPERATORS.op

HALVES = (tf.float16, tf.bfloat16)
"""Sums and products over many elements of these are computed in float32 and rounded once, as ONNX Runtime does."""

SMALLEST_VARIABLE_RANK = 1
"""Floating scalars stay constants, so that epsilons and scales can be folded; all other floats are variables."""


class Weights:
    """The variables of a module, made from initialisers on first use, each in the form its operator wants.

    Args:
        holds_values: whether a variable gets its value at once; if not, ``contents`` tells it later.

    Attributes:
        contents: what the variables hold by name, to be read, where they hold nothing themselves.
    """

    def __init__(self, holds_values: bool = True) -> None:
        self.variables: dict[str, tf.Variable] = {}
        self.contents: dict[str, Contents] = {}
        self._holds_values = holds_values
        self._names: dict[tuple[ir.Value, str], str] = {}

    def variable(self, value: ir.Value, key: str, arrange: Callable[[Array], Array]) -> tf.Variable:
        """Return the variable of an initialiser, outside of any graph that is being traced when it has to be made.

        Args:
            key: names the arrangement; it is part of the variable's name only where there are several.
            arrange: what to do with the initialiser's array.
        """
        if (value, key) not in self._names:
            name = str(value.name)
            name = name if name not in self.variables else f"{name}/{key or 'plain'}"
            self._names[value, key] = name
            with tf.init_scope():
                self.variables[name] = self._made(value, name, arrange)
        return self.variables[self._names[value, key]]

    def _made(self, value: ir.Value, name: str, arrange: Callable[[Array], Array]) -> tf.Variable:
        tensor = value.const_value

        def read() -> Array:
            return arrange(tensor.numpy())

        array = read()
        if not self._holds_values:
            self.contents[name] = Contents(read, lambda: _release(tensor))
            return placeholder(array.shape, tf.as_dtype(array.dtype), _scope_name(name))
        variable = tf.Variable(array, trainable=True, name=_scope_name(name))
        del array
        _release(tensor)
        return variable


def _release(tensor: Any) -> None:
    """Give back the mapping of a tensor that lies in a file: its pages count as this process' memory until then."""
    with suppress(BufferError):  # somebody else still looks at the mapped bytes: they stay mapped, as they have to
        getattr(tensor, "release", lambda: None)()


class Call:
    """One node of the graph, ready to be emitted."""

    def __init__(
        self, node: ir.Node, opset: int, values: MutableMapping[ir.Value, Tensor], weights: Weights, emit_graph: Any
    ) -> None:
        self.node = node
        self.opset = opset
        self._values = values
        self._weights = weights
        self._emit_graph = emit_graph

    def __len__(self) -> int:
        return len(self.node.inputs)

    def __getitem__(self, index: int) -> Tensor:
        """Return input ``index`` as a tensor; None where it is left out."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return None if value is None else read(value, self._values, self._weights)

    def has(self, index: int) -> bool:
        """Tell whether input ``index`` is there, without making a variable of it."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    @property
    def inputs(self) -> list[Tensor]:
        """All inputs as tensors, None for those left out."""
        return [self[index] for index in range(len(self))]

    @property
    def outputs(self) -> int:
        """The number of outputs that the node declares."""
        return len(self.node.outputs)

    def declared_rank(self, index: int) -> int | None:
        """Return the rank that the graph declares for output ``index``, if it does."""
        shape = self.node.outputs[index].shape
        return None if shape is None else len(shape)

    def wants(self, index: int) -> bool:
        """Tell whether anybody reads output ``index``."""
        return index < len(self.node.outputs) and bool(self.node.outputs[index].name or self.node.outputs[index].uses())

    def constant(self, index: int) -> Array | None:
        """Return what input ``index`` always holds, as far as that is known; None where it is left out or computed."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            return None
        if value not in self._values:
            return initial(value)
        return tf.get_static_value(self._values[value])

    def needed(self, index: int, what: str) -> Array:
        """Return `constant` of input ``index``.

        Raises:
            IsoformError: it is computed from the model's inputs, and TensorFlow needs to know it beforehand.
        """
        array = self.constant(index)
        if array is None:
            raise self.computed(what)
        return array

    def computed(self, what: str) -> IsoformError:
        """Return the error that ``what`` is known only at run time, and too late."""
        return IsoformError(
            f"'{self.node.op_type}' (node {self.node.name}) computes its {what} from the model's inputs.",
            "Export the model with this value fixed.",
            kind="unsupported-operator",
        )

    def arranged(self, index: int, key: str, arrange: Callable[[Any, Any], Any]) -> Tensor:
        """Return input ``index`` through ``arrange(array, module)``: with numpy beforehand for a weight.

        Args:
            key: distinguishes this arrangement from others of the same weight.
        """
        value = self.node.inputs[index]
        array = initial(value) if value is not None and value not in self._values else None
        if array is None or not _is_weight(array):
            return arrange(self[index], tf)
        return tf.convert_to_tensor(self._weights.variable(value, key, lambda array: arrange(array, np)))

    def transposed(self, index: int, perm: Sequence[int]) -> Tensor:
        """Return input ``index`` with its axes in the order ``perm``, done beforehand for a weight."""
        key = "" if list(perm) == sorted(perm) else "x".join(map(str, perm))
        return self.arranged(index, key, lambda x, module: module.transpose(x, list(perm)))

    def has_attribute(self, name: str) -> bool:
        return name in self.node.attributes

    def attr_int(self, name: str, default: int = 0) -> int:
        return self.node.attributes[name].as_int() if name in self.node.attributes else default

    def attr_ints(self, name: str) -> list[int] | None:
        return list(self.node.attributes[name].as_ints()) if name in self.node.attributes else None

    def attr_float(self, name: str, default: float = 0.0) -> float:
        return self.node.attributes[name].as_float() if name in self.node.attributes else default

    def attr_floats(self, name: str) -> list[float] | None:
        return list(self.node.attributes[name].as_floats()) if name in self.node.attributes else None

    def attr_string(self, name: str, default: str = "") -> str:
        return self.node.attributes[name].as_string() if name in self.node.attributes else default

    def attr_strings(self, name: str) -> list[str] | None:
        return list(self.node.attributes[name].as_strings()) if name in self.node.attributes else None

    def attr_tensor(self, name: str) -> Array | None:
        return self.node.attributes[name].as_tensor().numpy() if name in self.node.attributes else None

    def attr_dtype(self, name: str, default: ir.DataType) -> Any:
        """Return the tf.DType that the attribute ``name`` asks for."""
        where = f"The result of '{self.node.op_type}' (node {self.node.name}, opset {self.opset})"
        return dtype_of(ir.DataType(self.attr_int(name, default.value)), where)

    def integers(self, name: str, index: int) -> list[int] | None:
        """Return known integers that older opsets have as attribute ``name`` and newer ones as input ``index``."""
        if name in self.node.attributes:
            return self.attr_ints(name)
        if index >= len(self.node.inputs) or self.node.inputs[index] is None:
            return None
        return [int(item) for item in self.needed(index, name).ravel()]

    def is_computed(self, name: str, index: int) -> bool:
        """Tell whether what is attribute ``name`` or input ``index`` is known only at run time."""
        return name not in self.node.attributes and self.has(index) and self.constant(index) is None

    def count(self, index: int, what: str) -> int:
        """Return how many elements input ``index``, a vector, has.

        Raises:
            IsoformError: even that is computed from the model's inputs, and the rank of the result hangs on it.
        """
        size = self[index].shape.num_elements()
        if size is None:
            raise self.computed(f"number of {what}")
        return int(size)

    def body(self, name: str) -> ir.Graph:
        return self.node.attributes[name].as_graph()

    def emit(self, graph: ir.Graph, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the outputs of a sub-graph of this node, which sees everything that the node sees."""
        return self._emit_graph(graph, inputs, self._values)


def read(value: ir.Value, values: Mapping[ir.Value, Tensor], weights: Weights) -> Tensor:
    """Return the tensor of ``value``: emitted already, or an initialiser, as a variable if it is a weight."""
    if value in values:
        return values[value]
    array = initial(value)
    if array is None:
        raise IsoformError(
            f"The graph reads '{value.name}' before anything writes it.", "Check the file.", kind="invalid-graph"
        )
    if _is_weight(array):
        return tf.convert_to_tensor(weights.variable(value, "", lambda array: array))
    return tf.constant(array)


def initial(value: ir.Value) -> Array | None:
    """Return the contents of an initialiser; None for a value that a node or the caller gives."""
    if value.producer() is not None or value.const_value is None:
        return None
    tensor = value.const_value
    if tensor.dtype == ir.DataType.STRING:
        return np.array(tensor.numpy(), object)
    return tensor.numpy()


def _is_weight(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim >= SMALLEST_VARIABLE_RANK


def _scope_name(name: str) -> str:
    """Return ``name`` with what TensorFlow does not allow in a name replaced."""
    plain = "".join(letter if letter.isalnum() or letter in "_./" else "_" for letter in name)
    return plain if plain[:1].isalnum() else f"v{plain}"
