"""Which parameters of recurrent layers are in an export as reordered, joined or split blocks, one block a gate.

Keras and PyTorch keep the gates of an LSTM in the order i f c o, ONNX in i o f c, TensorFlow's fused cell in i c f o;
those of a GRU come as z r h or as r z h; a simple RNN has one block. ONNX joins both biases, and both directions, in
one tensor. A block counts only where all of a parameter's blocks stand together in such an order, or each in a tensor
of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoform.core.fingerprint import Index, bit_sum, is_arrangement

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]
Place = tuple[str, str, int]
"""Tensor, the way it was cut, and the number of the part."""

_LAYOUTS = {4: ("ifco", "iofc", "icfo"), 3: ("zrh", "rzh"), 1: ("h",)}
_ORDERS = {
    gates: {tuple(there.index(gate) for gate in here) for here in layouts for there in layouts}
    for gates, layouts in _LAYOUTS.items()
}
"""By number of gates: where each block of a source stands in an export."""
_JOINED = (1, 2, 4)
"""How many such matrices stand in one tensor: input and recurrent biases, both directions."""


class GateIndex:
    """The export's tensors in parts; a tensor is cut only when a block could be one of its parts."""

    def __init__(self, source: Weights, export: Index) -> None:
        self._export = export
        self._parts: dict[tuple[str, int], dict[int, list[tuple[str, int, Array]]]] = {}
        self._units = {
            (gates, small)
            for array in source.values()
            for big in array.shape
            for small in array.shape
            for gates in _LAYOUTS
            if array.ndim > 1 and big == gates * small
        }

    def holders(self, array: Array) -> tuple[str, ...]:
        """Return the tensors that hold the blocks of ``array``, none where it is not there as a whole."""
        rows = list(array) if array.ndim == 2 and len(array) == 2 else [array]  # a GRU's two biases in one tensor
        found = _all([self._holders(row) or self._halves(row) for row in rows])
        both = array.ndim == 3 and len(array) == 2  # ONNX' two directions, each a tensor of its own in the export
        return found or (_all(list(map(self._holders, array))) if both else ())

    def _halves(self, array: Array) -> tuple[str, ...]:
        """Return the holders of both biases that ONNX has in one row."""
        is_row = array.size == max(array.shape, default=0) and array.size % 2 == 0
        return _all(list(map(self._holders, np.split(array.reshape(-1), 2)))) if is_row else ()

    def _holders(self, array: Array) -> tuple[str, ...]:
        for axis, size in enumerate(array.shape):
            for gates in _LAYOUTS:
                if size % gates == 0 and (gates, size // gates) in self._units:
                    names = self._together(np.split(array, gates, axis)) or self._apart(np.split(array, gates, axis))
                    if names:
                        return names
        return ()

    def _together(self, blocks: list[Array]) -> tuple[str, ...]:
        gates = len(blocks)
        places = [set(self._places(block, gates)) for block in blocks]

        def stands(name: str, cut: str, first: int, order: tuple[int, ...]) -> bool:
            steps = zip(order, places, strict=True)
            return first % gates == 0 and all((name, cut, first + step) in place for step, place in steps)

        found = {
            name
            for name, cut, position in places[0]
            for order in _ORDERS[gates]
            if stands(name, cut, position - order[0], order)
        }
        return tuple(sorted(found))

    def _apart(self, blocks: list[Array]) -> tuple[str, ...]:
        found = [self._export.arrangements(block) for block in blocks]
        return _all(found)

    def _places(self, block: Array, gates: int) -> Iterator[Place]:
        key = bit_sum(block)
        for count in (gates * joined for joined in _JOINED):
            for name, array in self._export.of_size(block.size * count):
                for cut, position, part in self._cut(name, array, count).get(key, ()):
                    if is_arrangement(block, part):
                        yield name, cut, position

    def _cut(self, name: str, array: Array, count: int) -> dict[int, list[tuple[str, int, Array]]]:
        if (name, count) not in self._parts:
            parts: dict[int, list[tuple[str, int, Array]]] = {}
            for cut, position, part in _pieces(array, count):
                parts.setdefault(bit_sum(part), []).append((cut, position, part))
            self._parts[name, count] = parts
        return self._parts[name, count]


def _all(found: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the names in all of ``found``, each once; none where one of them has none."""
    return tuple(dict.fromkeys(name for names in found for name in names)) if all(found) else ()


def _pieces(array: Array, count: int) -> Iterator[tuple[str, int, Array]]:
    """Yield ``count`` equal parts for each way to cut ``array``: its flat row, and every later axis of each matrix."""
    for position, part in enumerate(np.split(array.reshape(-1), count)):
        yield "flat", position, part
    squeezed = array.reshape([size for size in array.shape if size != 1] or [1])
    matrices = list(squeezed) if squeezed.ndim == 3 else [squeezed]
    for number, matrix in enumerate(matrices):
        share, rest = divmod(count, len(matrices))
        for axis in range(1, matrix.ndim):
            if rest == 0 and share and matrix.shape[axis] % share == 0:
                for position, part in enumerate(np.split(matrix, share, axis)):
                    yield f"{number}/{axis}", position, part
