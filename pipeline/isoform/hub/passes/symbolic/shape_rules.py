"""The sizes of what an operator gives, where ONNX' own inference has no name for them: one function an operator.

Sizes that it does name, as of operators that change none, need no rule here. An entry None is left to it.
"""

from collections.abc import Callable
from itertools import zip_longest

from isoform.hub.passes.symbolic.call import Call, Entries
from isoform.hub.passes.symbolic.size import Size, add, clip, constant, divide, multiply, product, smaller, subtract

Rule = Callable[[Call], list[Entries] | None]
ONE = constant(1)


def broadcast(left: Size | None, right: Size | None) -> Size | None:
    """Return the common size of two axes; of two that are not known to be the same, the one that may not be 1."""
    if left is None or right is None:
        return None
    if left == right or right == ONE:
        return left
    if left == ONE:
        return right
    for part, whole in ((left, right), (right, left)):
        # What a table of a positive length gives of a size is that size, or else 1, or the two do not fit.
        cut = part.smaller_of
        if cut is not None and whole in cut and cut[cut[0] == whole].is_positive:
            return whole
    # A size of 2 or more is never stretched: the other side is that, or 1.
    return next((size for size in (left, right) if size.number is not None and size.number > 1), None)


def together(*shapes: Entries | None) -> Entries | None:
    """Return the shape that all of them are broadcast to."""
    result: Entries = ()
    for shape in shapes:
        if shape is None:
            return None
        pairs = zip_longest(reversed(result), reversed(shape), fillvalue=ONE)
        result = tuple(broadcast(one, other) for one, other in pairs)[::-1]
    return result


def elementwise(call: Call) -> list[Entries] | None:
    """Return what all inputs are broadcast to."""
    shape = together(*(call.shape(place) for place in range(len(call.node.inputs))))
    return None if shape is None else [shape]


def matmul(call: Call) -> list[Entries] | None:
    """Return the shape of a product of matrices of two or more axes."""
    left, right = call.shape(0), call.shape(1)
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    batch = together(left[:-2], right[:-2])
    return None if batch is None else [(*batch, left[-2], right[-1])]


def reshape(call: Call) -> list[Entries] | None:
    """Return the target: 0 stands for a size of the input, -1 for what is left over."""
    shape, target = call.shape(0), call.numbers(1)
    if target is None:
        return None
    sizes = list(target.entries)
    open_ = [axis for axis, size in enumerate(sizes) if size is not None and size.number == -1]
    for axis, size in enumerate(sizes):
        if size is not None and size.number == 0 and not call.integer("allowzero", 0):
            sizes[axis] = shape[axis] if shape is not None and axis < len(shape) else None
        elif size is not None and not (size.is_natural or axis in open_):
            sizes[axis] = None
    if len(open_) == 1:
        rest = product(size for axis, size in enumerate(sizes) if axis != open_[0])
        whole = None if shape is None else product(shape)
        sizes[open_[0]] = None if rest is None or whole is None or rest.number == 0 else _exact(whole, rest)
    return [tuple(sizes)]


def _exact(whole: Size, part: Size) -> Size | None:
    found = divide(whole, part)
    back = None if found is None else multiply(found, part)
    return found if back == whole else None


def expand(call: Call) -> list[Entries] | None:
    """Return what the input and the target are broadcast to."""
    target = call.numbers(1)
    natural = None if target is None else tuple(size if size and size.is_natural else None for size in target.entries)
    shape = together(call.shape(0), natural)
    return None if shape is None else [shape]


def concat(call: Call) -> list[Entries] | None:
    """Return the first shape with the sum of the sizes along the axis."""
    shapes = [call.shape(place) for place in range(len(call.node.inputs))]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({len(shape) for shape in known}) != 1:
        return None
    axis = call.integer("axis", 0) % len(known[0])
    total: Size | None = constant(0)
    for shape in known:
        total = None if total is None else add(total, shape[axis])
    return [(*known[0][:axis], total, *known[0][axis + 1 :])]


def slice_(call: Call) -> list[Entries] | None:
    """Return sizes cut by bounds that are numbers, or sizes themselves."""
    shape = call.shape(0)
    starts, ends = (_bounds(call, name, place) for name, place in (("starts", 1), ("ends", 2)))
    if shape is None or starts is None or ends is None:
        return None
    is_named = "axes" in call.node.attributes or call.has(3)
    axes = call.axes(3, len(shape)) if is_named else list(range(len(starts)))
    steps = call.constants("steps", 4) if call.has(4) else [1] * len(starts)
    if axes is None or steps is None:
        return [(None,) * len(shape)]
    sizes: list[Size | None] = list(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        sizes[axis] = _cut(shape[axis], start, end, step)
    return [tuple(sizes)]


def _bounds(call: Call, name: str, place: int) -> Entries | None:
    found = call.constants(name, place)
    if found is not None:
        return tuple(constant(number) for number in found)
    numbers = call.numbers(place) if call.has(place) else None
    return None if numbers is None else numbers.entries


def _cut(size: Size, start: Size | None, end: Size | None, step: int) -> Size | None:
    first, last = _place(size, start), _place(size, end)
    if last == size and start is not None and start.is_natural:
        first = start  # beyond the end there is nothing left, which is what ``clip`` says
    if step < 1 or first is None or last is None:
        return None
    length = subtract(last, first)
    if length is None or step == 1:
        return None if length is None else clip(length)
    rounded = add(clip(length), constant(step - 1))
    return None if rounded is None else divide(rounded, constant(step))


def _place(size: Size, bound: Size | None) -> Size | None:
    """Return where a bound falls between 0 and ``size``."""
    if bound is None:
        return None
    if bound.number is not None and bound.number < 0:
        found = add(size, bound)
        return None if found is None else clip(found)
    if not bound.is_natural:
        return None
    return size if bound.number is not None and bound.number >= _ENDLESS else smaller(bound, size)


_ENDLESS = 2**31 - 1


def split(call: Call) -> list[Entries] | None:
    """Return a shape for each part, where the sizes along the axis are told."""
    shape, count = call.shape(0), len(call.node.outputs)
    if shape is None:
        return None
    axis = call.integer("axis", 0) % len(shape)
    parts = call.constants("split", 1)
    if parts is None:
        if call.has(1):
            return None
        if "num_outputs" in call.node.attributes and shape[axis].number is None:
            return None  # the last part may be smaller
        equal = divide(shape[axis], constant(count))
        return [(*shape[:axis], equal, *shape[axis + 1 :])] * count if _divides(shape[axis], equal, count) else None
    return [(*shape[:axis], constant(part), *shape[axis + 1 :]) for part in parts]


def _divides(size: Size, part: Size | None, count: int) -> bool:
    return part is not None and multiply(part, constant(count)) == size


def flatten(call: Call) -> list[Entries] | None:
    """Return the products before and after the axis."""
    shape = call.shape(0)
    if shape is None:
        return None
    axis = call.integer("axis", 1)
    axis += len(shape) * (axis < 0)
    return [(product(shape[:axis]), product(shape[axis:]))]


def filled(call: Call) -> list[Entries] | None:
    """Return the target of ConstantOfShape."""
    target = call.numbers(0)
    return None if target is None else [tuple(size if size and size.is_natural else None for size in target.entries)]


def counted(call: Call) -> list[Entries] | None:
    """Return the length of a Range in steps of 1."""
    start, limit, delta = (call.numbers(place) for place in range(3))
    if start is None or limit is None or delta is None or delta.entries != (ONE,):
        return None
    first, last = start.entries[0], limit.entries[0]
    length = None if first is None or last is None else subtract(last, first)
    return None if length is None else [(clip(length),)]


def tile(call: Call) -> list[Entries] | None:
    """Return each size as often as told."""
    shape, times = call.shape(0), call.numbers(1)
    if shape is None or times is None or len(times.entries) != len(shape):
        return None
    return [
        tuple(None if each is None else multiply(size, each) for size, each in zip(shape, times.entries, strict=True))
    ]


def pad(call: Call) -> list[Entries] | None:
    """Return each size with what is put before and after it."""
    shape, pads = call.shape(0), call.constants("pads", 1)
    if shape is None or pads is None or (call.has(3) and call.opset >= 18):
        return None
    if len(pads) != 2 * len(shape):
        return None
    rank = len(shape)
    added = [add(size, constant(pads[axis] + pads[axis + rank])) for axis, size in enumerate(shape)]
    return [tuple(size if size is not None and size.is_natural else None for size in added)]


def window(call: Call) -> list[Entries] | None:
    """Return the sizes of a convolution or of a pooling by windows of a known size."""
    shape, kernel = call.shape(0), call.integers("kernel_shape")
    if shape is None or call.integer("ceil_mode", 0) or call.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    weight = call.shape(1) if call.node.op_type == "Conv" else None
    if call.node.op_type == "Conv":
        if weight is None or any(size.number is None for size in weight):
            return None
        kernel = [int(size.number or 0) for size in weight[2:]]
    if kernel is None:
        return None
    count = len(kernel)
    strides, dilations = (call.integers(name) or [1] * count for name in ("strides", "dilations"))
    pads = call.integers("pads") or [0] * (2 * count)
    spatial = [
        _windows(
            shape[2 + axis], pads[axis] + pads[axis + count] - dilations[axis] * (kernel[axis] - 1) - 1, strides[axis]
        )
        for axis in range(count)
    ]
    return [(shape[0], shape[1] if weight is None else weight[0], *spatial)] * len(call.node.outputs)


def _windows(size: Size, grown: int, stride: int) -> Size | None:
    """Return ``(size + grown) // stride + 1``."""
    steps = add(size, constant(grown + stride))  # one stride more, so that what is divided need not be negative
    if steps is None:
        return None
    if stride == 1:
        return steps if steps.is_natural else None
    return divide(steps, constant(stride))


_ELEMENTWISE = (
    "Add", "And", "BitwiseAnd", "BitwiseOr", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
    "Mean", "Min", "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Sum", "Where", "Xor",
)  # fmt: skip
RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, elementwise), "AveragePool": window, "Concat": concat, "ConstantOfShape": filled,
    "Conv": window, "Expand": expand, "Flatten": flatten, "MatMul": matmul, "MaxPool": window, "Pad": pad,
    "Range": counted, "Reshape": reshape, "Slice": slice_, "Split": split, "Tile": tile,
}  # fmt: skip
