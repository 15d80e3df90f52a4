"""Depth to space and back."""

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code, op
from isoform.hub.emitters.tflite_ops.moving import to_shape


@op("DepthToSpace")
def depth_to_space(call: Call) -> Tensor:
    """Return blocks of channels as blocks of the image [n, channels, height, width]."""
    n, block = call[0].shape[0], call.int("blocksize", 1)
    channels, height, width = _known(call)
    fewer = channels // block**2
    if call.string("mode", "DCR") == "DCR":
        return _through(call, [n, block, block, fewer, height, width], [0, 3, 4, 1, 5, 2])
    return _through(call, [n, fewer, block, block, height, width], [0, 1, 4, 2, 5, 3])


@op("SpaceToDepth")
def space_to_depth(call: Call) -> Tensor:
    """Return blocks of the image as blocks of channels."""
    n, block = call[0].shape[0], call.int("blocksize", 1)
    channels, height, width = _known(call)
    perm = [0, 3, 5, 1, 2, 4] if call.string("mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
    return _through(call, [n, channels, height // block, block, width // block, block], perm)


def _through(call: Call, split: Sequence[int | None], perm: list[int]) -> Tensor:
    """Return x with its axes split, moved and joined again."""
    parts = to_shape(call, call[0], [-1 if size is None else size for size in split], split)
    moved = call.make(
        Code.TRANSPOSE, [parts, call.constant(perm)], [split[axis] for axis in perm], schema.TransposeOptionsT()
    )
    return to_shape(call, moved, [-1, *call.shape[1:]])


def _known(call: Call) -> list[int]:
    """Return the number of channels, height and width."""
    sizes = [size for size in call[0].shape[1:] if size is not None]
    if len(sizes) != 3:
        raise call.refusal("an image whose size is dynamic")
    return sizes
