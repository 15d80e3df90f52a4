"""Depth to space and back."""

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.arithmetic import binary, mul
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import concat, shape_of, strided_slice, to_shape

Size = int | Tensor
"""Of an axis: a number, or int32 [1] that is read while the model runs."""


@op("DepthToSpace")
def depth_to_space(call: Call) -> Tensor:
    """Return blocks of channels as blocks of the image [n, channels, height, width]."""
    block = call.int("blocksize", 1)
    fewer = _channels(call) // block**2
    height, width = _size(call, 2), _size(call, 3)
    joined = [fewer, _times(call, height, block), _times(call, width, block)]
    if call.string("mode", "DCR") == "DCR":
        return _through(call, [block, block, fewer, height, width], [0, 3, 4, 1, 5, 2], joined)
    return _through(call, [fewer, block, block, height, width], [0, 1, 4, 2, 5, 3], joined)


@op("SpaceToDepth")
def space_to_depth(call: Call) -> Tensor:
    """Return blocks of the image as blocks of channels."""
    block, channels = call.int("blocksize", 1), _channels(call)
    height, width = (_over(call, _size(call, axis), block) for axis in (2, 3))
    perm = [0, 3, 5, 1, 2, 4] if call.string("mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
    split = [channels, height, block, width, block]
    return _through(call, split, perm, [channels * block**2, height, width])


def _through(call: Call, split: Sequence[Size], perm: list[int], joined: Sequence[Size]) -> Tensor:
    """Return x with its axes behind the first split, moved and joined again."""
    known = [call[0].shape[0], *map(_known, split)]
    parts = _reshaped(call, call[0], split, known)
    moved = call.make(
        Code.TRANSPOSE, [parts, call.constant(perm)], [known[axis] for axis in perm], schema.TransposeOptionsT()
    )
    return _reshaped(call, moved, joined, call.shape)


def _reshaped(call: Call, x: Tensor, inner: Sequence[Size], shape: Sequence[int | None]) -> Tensor:
    """Return x with the axes ``inner`` behind the first, which takes what is left."""
    known = [size for size in inner if isinstance(size, int)]
    if len(known) == len(inner):
        return to_shape(call, x, [-1, *known], shape)
    parts = [call.constant([size]) if isinstance(size, int) else size for size in (-1, *inner)]
    return call.make(Code.RESHAPE, [x, concat(call, parts, 0, [len(parts)])], shape, schema.ReshapeOptionsT())


def _known(size: Size) -> int | None:
    return size if isinstance(size, int) else None


def _channels(call: Call) -> int:
    if call[0].shape[1] is None:
        raise call.refusal("a dynamic number of channels")
    return call[0].shape[1]


def _size(call: Call, axis: int) -> Size:
    size = call[0].shape[axis]
    return strided_slice(call, shape_of(call, call[0]), [axis], [axis + 1], [1], [1]) if size is None else size


def _times(call: Call, size: Size, block: int) -> Size:
    return size * block if isinstance(size, int) else mul(call, size, block)


def _over(call: Call, size: Size, block: int) -> Size:
    return size // block if isinstance(size, int) else binary(call, Code.FLOOR_DIV, size, block)
