"""NonMaxSuppression: TFLite's own, for each class of each image; their numbers have to be known."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import add, minimum, mul, sub
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import bits
from isoform.hub.emitters.tflite_ops.moving import cast, concat, shape_of, strided_slice, to_shape

_MOST_CLASSES = 256
_LOWEST = float(np.finfo(np.float32).min)


@op("NonMaxSuppression", since=10)
def non_max_suppression(call: Call) -> Tensor:
    """Return image, class and place of each box that is kept, int64 [boxes, 3]."""
    boxes, scores = call[0], call[1]
    images, classes = boxes.shape[0], scores.shape[1]
    if images is None or classes is None or images * classes > _MOST_CLASSES:
        raise call.refusal(f"a dynamic number of images or classes, or more than {_MOST_CLASSES} of them")
    if not call.has(2):
        raise call.refusal("no boxes to keep")
    if call.int("center_point_box", 0):
        boxes = _corners(call, boxes)
    spaces = strided_slice(call, shape_of(call, boxes), [1], [2], [1], [], dropped=0)
    limit = minimum(call, cast(call, _number(call, 2), "int32"), spaces)
    least = [
        _next(call, _number(call, 3) if call.has(3) else call.constant(0.0, "float32")),
        _number(call, 4) if call.has(4) else call.constant(_LOWEST, "float32"),
    ]
    rows = []
    for image in range(images):
        own = strided_slice(call, boxes, [image, 0, 0], [image + 1, 0, 0], [1] * 3, boxes.shape[1:], {1, 2}, 0)
        for each in range(classes):
            flat = to_shape(call, scores, [images * classes, -1], [images * classes, scores.shape[2]])
            place = image * classes + each
            row = strided_slice(call, flat, [place, 0], [place + 1, 0], [1, 1], scores.shape[2:], {1}, 0)
            rows.append(_kept(call, [own, row, limit, *least], [image, each]))
    kept = rows[0] if len(rows) == 1 else concat(call, rows, 0, [None, 3])
    return cast(call, kept, "int64")


def _number(call: Call, index: int) -> Tensor:
    x = call[index]
    return to_shape(call, x, [], []) if x.shape else x


def _next(call: Call, x: Tensor) -> Tensor:
    """Return the next larger number: ONNX drops what overlaps more than the limit, TFLite as much, too."""
    if x.array is not None:
        return call.constant(np.nextafter(x.array, np.float32(np.inf)), "float32")
    return bits(call, add(call, bits(call, x, "int32"), 1), "float32")


def _corners(call: Call, boxes: Tensor) -> Tensor:
    """Return boxes [x, y, width, height] around their centres as two corners each."""
    shape = [*boxes.shape[:2], 2]
    parts = [strided_slice(call, boxes, [0, 0, first], [0, 0, first + 2], [1] * 3, shape, {0, 1}) for first in (0, 2)]
    half = mul(call, parts[1], 0.5)
    return concat(call, [sub(call, parts[0], half), add(call, parts[0], half)], 2, boxes.shape)


def _kept(call: Call, inputs: list[Tensor], numbers: list[int]) -> Tensor:
    """Return the rows for one class of one image, int32 [boxes, 3]; TFLite fills what is left over with zeros."""
    name = f"{call.node.name}/{'_'.join(map(str, numbers))}"
    places = call.graph.tensor(f"{name}/places", "int32", [None])
    count = call.graph.tensor(f"{name}/count", "int32", [])
    call.graph.add(Code.NON_MAX_SUPPRESSION_V4, inputs, [places, count], schema.NonMaxSuppressionV4OptionsT())
    end = call.make(Code.EXPAND_DIMS, [count, call.constant(0)], [1], schema.ExpandDimsOptionsT())
    bounds = [call.constant([0]), end, call.constant([1])]
    found = call.make(Code.STRIDED_SLICE, [places, *bounds], [None], schema.StridedSliceOptionsT())
    column = to_shape(call, found, [-1, 1], [None, 1])
    same = mul(call, column, 0)
    return concat(call, [*(add(call, same, number) for number in numbers), column], 1, [None, 3])
