"""Reductions over axes that are known."""

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, Emit, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype

_CODES = {
    "ReduceMax": Code.REDUCE_MAX,
    "ReduceMean": Code.MEAN,
    "ReduceMin": Code.REDUCE_MIN,
    "ReduceProd": Code.REDUCE_PROD,
    "ReduceSum": Code.SUM,
}


def _reduction(code: int) -> Emit:
    def emit(call: Call) -> Tensor:
        """Return the reduction; no axes are all axes, or none with ``noop_with_empty_axes``."""
        require_dtype(call, call[0], FLOATS)
        axes = call.ints_of("axes", 1)
        if not axes and call.int("noop_with_empty_axes", 0):
            return call[0]
        rank = len(call[0].shape)
        options = schema.ReducerOptionsT()
        options.keepDims = bool(call.int("keepdims", 1))
        places = call.constant([axis % rank for axis in axes or range(rank)])
        return call.make(code, [call[0], places], call.shape, options)

    return emit


for _name, _code in _CODES.items():
    op(_name)(_reduction(_code))


@op("ArgMax")
def arg_max(call: Call) -> Tensor:
    """Return the place of the first largest element as int64."""
    require_dtype(call, call[0], FLOATS)
    if call.int("select_last_index", 0):
        raise call.refusal("select_last_index")
    rank, axis = len(call[0].shape), call.int("axis", 0)
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT64
    shape = [size for place, size in enumerate(call[0].shape) if place != axis % rank]
    found = call.make(Code.ARG_MAX, [call[0], call.constant(axis % rank)], shape, options, "int64")
    if not call.int("keepdims", 1):
        return found
    return call.make(
        Code.EXPAND_DIMS, [found, call.constant(axis % rank)], call.shape, schema.ExpandDimsOptionsT(), "int64"
    )
