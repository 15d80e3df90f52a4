"""Einsum: what one side sums alone is summed first, then both sides meet in a matrix product."""

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import reduce
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.elementwise import FLOATS, require_dtype
from isoform.hub.emitters.tflite_ops.moving import as_int32, concat, shape_of, size_at, to_shape


@op("Einsum", since=12)
def einsum(call: Call) -> Tensor:
    equation = call.string("equation", "").replace(" ", "")
    tensors = [call[index] for index in range(len(call.node.inputs))]
    for tensor in tensors:
        require_dtype(call, tensor, FLOATS)
    terms, result = _terms(call, equation, tensors)
    found, labels = tensors[0], terms[0]
    for place, (other, term) in enumerate(zip(tensors[1:], terms[1:], strict=True), start=2):
        needed = set(result).union(*terms[place:])
        found, labels = _product(call, (found, labels), (other, term), needed)
    found, labels = _summed(call, found, labels, set(result))
    return _ordered(call, found, labels, result)


def _terms(call: Call, equation: str, tensors: Sequence[Tensor]) -> tuple[list[str], str]:
    """Return the label of each axis of each input, and those of the result; an ellipsis becomes digits."""
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        every = sorted(left.replace(",", "").replace(".", ""))
        result = ("..." if "..." in left else "") + "".join(label for label in every if every.count(label) == 1)
    hidden = [len(x.shape) - len(term) + 3 for x, term in zip(tensors, terms, strict=True) if "..." in term]
    most = max(hidden, default=0)
    digits = "0123456789"[:most]
    filled = []
    for x, term in zip(tensors, terms, strict=True):
        count = len(x.shape) - len(term.replace("...", ""))
        filled.append(term.replace("...", digits[most - count :]))
    if any(len(set(term)) < len(term) for term in filled):
        raise call.refusal("a diagonal")
    sizes: dict[str, set[int | None]] = {}
    for x, term in zip(tensors, filled, strict=True):
        for label, size in zip(term, x.shape, strict=True):
            sizes.setdefault(label, set()).add(size)
    if any(label in digits and len(known) > 1 for label, known in sizes.items()):
        raise call.refusal("an ellipsis that broadcasts")
    return filled, result.replace("...", digits)


def _summed(call: Call, x: Tensor, labels: str, needed: set[str]) -> tuple[Tensor, str]:
    gone = [axis for axis, label in enumerate(labels) if label not in needed]
    kept = "".join(label for label in labels if label in needed)
    return (reduce(call, Code.SUM, x, gone, keeps_axes=False), kept) if gone else (x, kept)


def _ordered(call: Call, x: Tensor, labels: str, wanted: str) -> Tensor:
    if labels == wanted:
        return x
    perm = [labels.index(label) for label in wanted]
    shape = [x.shape[axis] for axis in perm]
    return call.make(Code.TRANSPOSE, [x, call.constant(perm)], shape, schema.TransposeOptionsT())


def _product(call: Call, one: tuple[Tensor, str], other: tuple[Tensor, str], needed: set[str]) -> tuple[Tensor, str]:
    """Return the product of two sides: [both..., rows..., summed] times [both..., summed, columns...]."""
    left, left_labels = _summed(call, *one, needed | set(other[1]))
    right, right_labels = _summed(call, *other, needed | set(one[1]))
    shared = [label for label in left_labels if label in right_labels]
    both, inner = ("".join(label for label in shared if (label in needed) is kept) for kept in (True, False))
    rows = "".join(label for label in left_labels if label not in shared)
    columns = "".join(label for label in right_labels if label not in shared)
    left = _joined(call, _ordered(call, left, left_labels, both + rows + inner), [len(both), len(rows), len(inner)])
    right = _ordered(call, right, right_labels, both + inner + columns)
    right = _joined(call, right, [len(both), len(inner), len(columns)])
    shape = [left.shape[0], left.shape[1], right.shape[2]]
    product = call.make(Code.BATCH_MATMUL, [left, right], shape, schema.BatchMatMulOptionsT())
    sources = {label: (x, labels.index(label)) for x, labels in (one, other) for label in labels}
    return _split(call, product, [sources[label] for label in both + rows + columns]), both + rows + columns


def _joined(call: Call, x: Tensor, counts: Sequence[int]) -> Tensor:
    """Return x with groups of its axes as one each; an empty group is an axis of size one."""
    parts, shape, axis = [], [], 0
    for count in counts:
        group = x.shape[axis : axis + count]
        size: int | None = 1
        for each in group:
            size = None if size is None or each is None else size * each
        shape.append(size)
        parts.append(_size(call, x, axis, count) if size is None else call.constant([size]))
        axis += count
    if shape.count(None) <= 1:
        return to_shape(call, x, [-1 if size is None else size for size in shape], shape)
    return call.make(Code.RESHAPE, [x, concat(call, parts, 0, [3])], shape, schema.ReshapeOptionsT())


def _size(call: Call, x: Tensor, axis: int, count: int) -> Tensor:
    bounds = [call.constant(each) for each in ([axis], [axis + count], [1])]
    sizes = call.make(Code.STRIDED_SLICE, [shape_of(call, x), *bounds], [count], schema.StridedSliceOptionsT())
    return reduce(call, Code.REDUCE_PROD, sizes, [0])


def _split(call: Call, x: Tensor, sources: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Return x with one axis for each label, of the size that an input has there."""
    shape = [source.shape[axis] for source, axis in sources]
    if shape.count(None) <= 1:
        return to_shape(call, x, [-1 if size is None else size for size in shape], shape)
    parts = [
        call.constant([size]) if size is not None else to_shape(call, size_at(call, *source), [1], [1])
        for size, source in zip(shape, sources, strict=True)
    ]
    target = as_int32(call, concat(call, parts, 0, [len(parts)]))
    return call.make(Code.RESHAPE, [x, target], shape, schema.ReshapeOptionsT())
