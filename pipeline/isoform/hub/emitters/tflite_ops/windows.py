"""Windows that slide over an image, and what has to stand around it. Not aware of what is done in a window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ai_edge_litert import schema_py_generated as schema

from isoform.hub.emitters.tflite_builder import Tensor
from isoform.hub.emitters.tflite_ops.call import Call, Code

Pads = list[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """A window over the axes between the first and the last one of a tensor.

    Attributes:
        reach: sizes, dilation counted in.
        pads: what is put before and after each axis.
        beyond: how much of what is put after belongs to no padding that the graph asks for.
        follows_size: the padding is TFLite's SAME of a size that is known only when the model runs; ``pads`` has zeros.
    """

    reach: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads
    beyond: tuple[int, ...]
    follows_size: bool = False

    @classmethod
    def of(cls, call: Call, kernel: Sequence[int], x: Tensor) -> "Window":
        """Return the window that the node's attributes describe, over x with its channels last."""
        count = len(kernel)
        strides, dilations = (tuple(call.ints(name) or [1] * count) for name in ("strides", "dilations"))
        reach = tuple((size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True))
        window = cls(reach, strides, dilations, [(0, 0)] * count, (0,) * count)
        pads = _pads(call, window, x)
        return replace(window, follows_size=True) if pads is None else replace(window, pads=pads)

    def padded_to(self, pads: Pads, beyond: tuple[int, ...]) -> "Window":
        return replace(self, pads=pads, beyond=beyond)


def padded(
    call: Call, x: Tensor, window: Window, pads: Pads, value: float, *, keeps_same: bool = True
) -> tuple[Tensor, int]:
    """Return x and the padding mode: SAME or VALID where it is just that, else x with explicit padding and VALID."""
    if window.follows_size:
        if not keeps_same:
            raise call.refusal("padding that counts, around an image whose size is dynamic")
        return x, schema.Padding.SAME
    if not any(map(any, pads)):
        return x, schema.Padding.VALID
    if keeps_same and pads == same(x, window):
        return x, schema.Padding.SAME
    if min(map(min, pads)) < 0:
        raise call.refusal("negative padding")
    table = call.constant([(0, 0), *pads, (0, 0)])
    sizes = zip(x.shape[1:-1], pads, strict=True)
    shape = [x.shape[0], *(None if size is None else size + sum(pair) for size, pair in sizes), x.shape[-1]]
    if value == 0:
        return call.make(Code.PAD, [x, table], shape, schema.PadOptionsT()), schema.Padding.VALID
    filled = call.constant(value, "float32")
    return call.make(Code.PADV2, [x, table, filled], shape, schema.PadV2OptionsT()), schema.Padding.VALID


def _pads(call: Call, window: Window, x: Tensor) -> Pads | None:
    """Return what is put around x; None where it is what TFLite calls SAME and is not known before the model runs."""
    mode, count = call.string("auto_pad", "NOTSET"), len(window.reach)
    if mode == "VALID":
        return [(0, 0)] * count
    if mode == "NOTSET":
        pads = call.ints("pads") or [0] * (2 * count)
        return list(zip(pads[:count], pads[count:], strict=True))
    pads_of_same = same(x, window)
    if pads_of_same is None and mode == "SAME_UPPER":
        return None
    if pads_of_same is None:
        raise call.refusal(f"{mode} of an image whose size is dynamic")
    return pads_of_same if mode == "SAME_UPPER" else [(after, before) for before, after in pads_of_same]


def same(x: Tensor, window: Window) -> Pads | None:
    """Return what TFLite's SAME pads; None where a size has to be known for that and is not."""
    pads = []
    for size, reach, stride in zip(x.shape[1:-1], window.reach, window.strides, strict=True):
        if stride == 1:
            missing = reach - 1
        elif size is None:
            return None
        else:
            missing = max((-(-size // stride) - 1) * stride + reach - size, 0)
        pads.append((missing // 2, missing - missing // 2))
    return pads
