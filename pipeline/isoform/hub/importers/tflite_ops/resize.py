"""Images in other sizes, channels last in the file and first in ONNX."""

from typing import Any

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op
from isoform.hub.importers.tflite_ops.convolution import TO_FIRST, TO_LAST


@op("RESIZE_BILINEAR")
def resize_bilinear(call: Call) -> ir.Value:
    return _resized(call, mode="linear")


@op("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(call: Call) -> ir.Value:
    """Return the nearest pixels: the one at or before a place, or, where corners or centres are meant, rounded up."""
    options = call.operator.options
    rounds = options.alignCorners or options.halfPixelCenters
    return _resized(call, mode="nearest", nearest_mode="round_prefer_ceil" if rounds else "floor")


def _resized(call: Call, **attributes: Any) -> ir.Value:
    """Inputs: images, height and width."""
    options = call.operator.options
    places = "align_corners" if options.alignCorners else "half_pixel" if options.halfPixelCenters else "asymmetric"
    x = call.transposed(call[0], TO_FIRST[4])
    # All four sizes: ONNX Runtime's own optimiser fails where a Resize with the attribute axes follows a Transpose.
    sizes = call.emit("Concat", call.emit("Shape", x, start=0, end=2), call.sizes(1), axis=0)
    result = call.emit("Resize", x, None, None, sizes, coordinate_transformation_mode=places, **attributes)
    return call.transposed(result, TO_LAST[4])
