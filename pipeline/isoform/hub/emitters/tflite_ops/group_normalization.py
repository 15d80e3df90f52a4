"""Group normalisation, channels last: the image is read as it stands, and only its statistics are grouped."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, mul, reduce, sub, unary
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import to_shape


@op("GroupNormalization", domain=CHANNELS_LAST_DOMAIN)
def group_normalization_last(call: Call) -> Tensor:
    """Return (x - m) / sqrt(v + e) * scale + bias, x [n, height, width, channel].

    What rounding leaves of the mean in x - m is taken off with the bias, as `normalization` does.
    """
    x = call[0]
    require_dtype(call, x, FLOATS)
    scale, bias = call[1], call[2]
    centred = sub(call, x, _mean(call, x))
    variance = _mean(call, unary(call, Code.SQUARE, centred))
    inverse = unary(call, Code.RSQRT, add(call, variance, call.float("epsilon", 1e-5)))
    factor = mul(call, inverse, scale)
    shift = sub(call, bias, mul(call, _mean(call, centred), factor))
    return add(call, mul(call, centred, factor), shift)


def _mean(call: Call, x: Tensor) -> Tensor:
    """Return the mean of each group, [n, 1, 1, channel] or with one group [n, 1, 1, 1]."""
    groups, channels = call.int("num_groups", 1), call[1].shape[0]
    if channels is None:
        raise call.refusal("an unknown number of channels")
    for axis in (1, 2):
        x = reduce(call, Code.MEAN, x, [axis])
    if groups == channels:
        return x
    if groups == 1:
        return reduce(call, Code.MEAN, x, [3])
    batch, size = x.shape[0], channels // groups
    grouped = to_shape(call, x, [-1, groups, size], [batch, groups, size])
    means = reduce(call, Code.MEAN, grouped, [2])
    wide = mul(call, means, call.constant([[[1.0] * size]], "float32"))
    options = schema.ReshapeOptionsT()
    options.newShape = [-1, 1, 1, channels]
    return call.make(Code.RESHAPE, [wide, call.constant(options.newShape)], [batch, 1, 1, channels], options)
