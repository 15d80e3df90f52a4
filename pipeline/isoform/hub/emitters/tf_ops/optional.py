"""Optional, and the operators that ask whether a value is there."""

import onnx_ir as ir
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.interface import missing
from isoform.hub.emitters.tf_ops.structure import Optional, as_optional


@op("Optional", since=15)
def optional(call: Call) -> Optional:
    """Return a value that is there, or one of the type that ``type`` names, which is not."""
    if call.has(0):
        return Optional(tf.constant(True), call[0])
    declared: ir.TypeAndShape = call.node.attributes["type"].value
    return missing(declared.type, declared.shape)


@op("OptionalHasElement", since=15)
def optional_has_element(call: Call) -> Tensor:
    return as_optional(call[0]).is_there if call.has(0) else tf.constant(False)


@op("OptionalGetElement", since=15)
def optional_get_element(call: Call) -> object:
    """Return the value; TensorFlow stops with an error where it is not there."""
    given = as_optional(call[0])
    with tf.control_dependencies([tf.debugging.Assert(given.is_there, ["OptionalGetElement: no element is there"])]):
        return given.value if not tf.is_tensor(given.value) else tf.identity(given.value)
