"""Activation functions."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype


@op("Relu")
def relu(call: Call) -> Tensor:
    return _plain(call, Code.RELU)


@op("Sigmoid")
def sigmoid(call: Call) -> Tensor:
    return _plain(call, Code.LOGISTIC)


@op("Tanh")
def tanh(call: Call) -> Tensor:
    return _plain(call, Code.TANH)


@op("HardSwish", since=14)
def hard_swish(call: Call) -> Tensor:
    return _plain(call, Code.HARD_SWISH)


@op("Elu")
def elu(call: Call) -> Tensor:
    if call.float("alpha", 1.0) != 1.0:
        raise call.refusal(f"alpha {call.float('alpha', 1.0)}")
    return _plain(call, Code.ELU)


@op("LeakyRelu")
def leaky_relu(call: Call) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    options = schema.LeakyReluOptionsT()
    options.alpha = call.float("alpha", 0.01)
    return call.make(Code.LEAKY_RELU, [call[0]], call.shape, options)


@op("Gelu", since=20)
def gelu(call: Call) -> Tensor:
    """Return x Phi(x); the tanh form only where the graph asks for it."""
    require_dtype(call, call[0], FLOATS)
    options = schema.GeluOptionsT()
    options.approximate = call.string("approximate", "none") == "tanh"
    return call.make(Code.GELU, [call[0]], call.shape, options)


@op("Softmax", since=13)
def softmax(call: Call) -> Tensor:
    return _along_last(call, Code.SOFTMAX)


@op("LogSoftmax", since=13)
def log_softmax(call: Call) -> Tensor:
    return _along_last(call, Code.LOG_SOFTMAX)


def _along_last(call: Call, code: int) -> Tensor:
    """Return the function along ``axis``, which TFLite has for the last one: others are moved there and back."""
    require_dtype(call, call[0], FLOATS)
    rank = len(call.shape)
    axis = call.int("axis", -1) % rank
    if axis == rank - 1:
        return call.make(code, [call[0]], call.shape, _options(code))
    swapped = list(range(rank))
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    shape = [call.shape[place] for place in swapped]
    perm = call.constant(swapped)
    moved = call.make(Code.TRANSPOSE, [call[0], perm], shape, schema.TransposeOptionsT())
    return call.make(
        Code.TRANSPOSE, [call.make(code, [moved], shape, _options(code)), perm], call.shape, schema.TransposeOptionsT()
    )


def _options(code: int) -> object:
    if code == Code.LOG_SOFTMAX:
        return schema.LogSoftmaxOptionsT()
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return options


def _plain(call: Call, code: int) -> Tensor:
    require_dtype(call, call[0], FLOATS)
    return call.make(code, [call[0]], call.shape)
