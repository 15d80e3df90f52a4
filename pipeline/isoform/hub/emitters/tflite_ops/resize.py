"""Resize, channels last: TFLite's own operators where they mean the same, else a product with known weights.

ONNX' reference evaluator says which input elements each output element is made of; where each is one element alone,
they are gathered.
"""

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

from isoform.hub.emitters.registry import CHANNELS_LAST_DOMAIN
from isoform.hub.emitters.tflite_builder import Array, Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import shape_of, strided_slice
from isoform.hub.emitters.tflite_ops.resize_computed import resized_by_computed
from isoform.hub.emitters.tflite_ops.slicing import take
from isoform.hub.reference_evaluator import evaluator

_IMAGE = (1, 2)
_OPSET = 19
_LARGEST_WEIGHTS = 1 << 20
_ATTRIBUTES = (
    "antialias", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "mode",
    "nearest_mode",
)  # fmt: skip


@op("Resize", since=11)
def resize(call: Call) -> Tensor:
    return _resized(call, list(range(len(call[0].shape))))


@op("Resize", domain=CHANNELS_LAST_DOMAIN)
def resize_last(call: Call) -> Tensor:
    return _resized(call, [0, 2, 3, 1])


def _resized(call: Call, perm: list[int]) -> Tensor:
    """Return x resized.

    Args:
        perm: for each axis of x, the one that the graph calls it by.
    """
    require_dtype(call, call[0], FLOATS)
    mode = call.string("coordinate_transformation_mode", "half_pixel")
    policy = call.string("keep_aspect_ratio_policy", "stretch")
    if mode == "tf_crop_and_resize" or policy != "stretch":
        raise call.refusal(f"{mode} or {policy}")
    if any(call.has(index) and call.array(index) is None for index in (2, 3)):
        return resized_by_computed(call, perm)
    if call.has(3) and None in call[0].shape and _names_dynamic(call, perm):
        return resized_by_computed(call, perm)
    scales = _scales(call, perm)
    changed = [axis for axis, scale in enumerate(scales) if scale != 1.0]
    if changed == list(_IMAGE) and len(perm) == 4:
        found = _builtin(call, scales)
        if found is not None:
            return found
    x = call[0]
    if any(x.shape[axis] is None for axis in changed):
        return resized_by_computed(call, perm)
    for axis in changed:
        x = _along(call, x, axis, perm[axis], scales[axis])
    return x


def _names_dynamic(call: Call, perm: list[int]) -> bool:
    """Return whether sizes are given for axes that have dynamic ones."""
    rank = len(perm)
    axes = [axis % rank for axis in call.ints("axes") or range(rank)]
    return any(call[0].shape[perm.index(axis)] is None for axis in axes)


def _scales(call: Call, perm: list[int]) -> list[float]:
    """Return by how much each axis of x grows."""
    rank = len(perm)
    axes = [axis % rank for axis in call.ints("axes") or range(rank)]
    factors, sizes = call.array(2), call.array(3)
    by_axis = dict.fromkeys(range(rank), 1.0)
    if factors is not None and factors.size:
        by_axis |= dict(zip(axes, map(float, factors), strict=True))
    elif sizes is not None and sizes.size:
        for axis, size in zip(axes, map(int, sizes), strict=True):
            known = call[0].shape[perm.index(axis)]
            if known is None:
                raise call.refusal("given sizes for dynamic ones")
            by_axis[axis] = size / known
    else:
        raise call.refusal("computed scales or sizes")
    return [by_axis[axis] for axis in perm]


def _builtin(call: Call, scales: list[float]) -> Tensor | None:
    """Return the image resized by TFLite's own operator; None where that means something else."""
    sizes = [call[0].shape[axis] for axis in _IMAGE]
    coordinates = call.string("coordinate_transformation_mode", "half_pixel")
    mode, is_whole = call.string("mode", "nearest"), all(scales[axis].is_integer() for axis in _IMAGE)
    fits = all(size is None or (size * scales[axis]).is_integer() for axis, size in zip(_IMAGE, sizes, strict=True))
    if not fits or (None in sizes and not is_whole) or call.int("antialias", 0):
        return None
    options: schema.ResizeBilinearOptionsT | schema.ResizeNearestNeighborOptionsT
    if mode == "linear" and coordinates in ("align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel"):
        code, options = Code.RESIZE_BILINEAR, schema.ResizeBilinearOptionsT()
        options.alignCorners = coordinates == "align_corners"
        options.halfPixelCenters = "half_pixel" in coordinates
        if coordinates == "pytorch_half_pixel" and 1 in [call.shape[axis] for axis in _IMAGE]:
            return None
    elif mode == "nearest" and is_whole and _repeats(call, coordinates):
        code, options = Code.RESIZE_NEAREST_NEIGHBOR, schema.ResizeNearestNeighborOptionsT()
        options.halfPixelCenters = True
    else:
        return None
    return call.make(code, [call[0], _target(call, scales)], call.shape, options)


def _repeats(call: Call, coordinates: str) -> bool:
    """Return whether growing by a whole number just repeats elements."""
    rounding = call.string("nearest_mode", "round_prefer_floor")
    if coordinates == "asymmetric":
        return rounding == "floor"
    return coordinates in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round")


def _target(call: Call, scales: list[float]) -> Tensor:
    sizes = [call[0].shape[axis] for axis in _IMAGE]
    if None not in sizes:
        return call.constant([round((size or 0) * scales[axis]) for axis, size in zip(_IMAGE, sizes, strict=True)])
    image = strided_slice(call, shape_of(call, call[0]), [_IMAGE[0]], [_IMAGE[-1] + 1], [1], [2])
    return mul(call, image, call.constant([int(scales[axis]) for axis in _IMAGE]))


def _along(call: Call, x: Tensor, axis: int, outer: int, scale: float) -> Tensor:
    """Return x resized along one axis of a known size."""
    size = x.shape[axis]
    if size is None:
        raise call.refusal("a dynamic axis in this mode")
    weights = _weights(call, size, scale, outer)
    if weights.size > _LARGEST_WEIGHTS:
        raise call.refusal(f"{weights.shape[0]} from {weights.shape[1]} elements in this mode")
    if ((weights == 1).sum(1) == 1).all() and (np.count_nonzero(weights, axis=1) == 1).all():
        return take(call, x, weights.argmax(1), axis)
    rank = len(x.shape)
    perm = list(range(rank))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    shape = [x.shape[place] for place in perm]
    order = call.constant(perm)
    moved = call.make(Code.TRANSPOSE, [x, order], shape, schema.TransposeOptionsT())
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    shape[-1] = weights.shape[0]
    product = call.make(Code.FULLY_CONNECTED, [moved, call.constant(weights, "float32"), None], shape, options)
    return call.make(Code.TRANSPOSE, [product, order], [shape[place] for place in perm], schema.TransposeOptionsT())


def _weights(call: Call, size: int, scale: float, axis: int) -> Array:
    """Return how much of each input element is in each output element: [outputs, inputs]."""
    attributes = {name: call.node.attributes[name].value for name in _ATTRIBUTES if name in call.node.attributes}
    node = helper.make_node("Resize", ["x", "", "scales", "sizes"], ["y"], axes=[0], **attributes)
    sizes = call.array(3)
    has_sizes = sizes is not None and sizes.size > 0
    if has_sizes:
        node.input[2] = ""
    else:
        del node.input[3]
    kind = onnx.TensorProto.FLOAT
    known = [helper.make_tensor_value_info("x", kind, None)]
    known.append(helper.make_tensor_value_info("sizes" if has_sizes else "scales", 7 if has_sizes else kind, [1]))
    graph = helper.make_graph([node], "resize", known, [helper.make_tensor_value_info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    given = {"sizes": np.array([round(size * scale)])} if has_sizes else {"scales": np.array([scale], np.float32)}
    [found] = evaluator(model).run(None, {"x": np.eye(size, dtype=np.float32), **given})
    return np.asarray(found)
