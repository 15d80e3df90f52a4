"""Orders of axes: ``perm`` as ONNX' Transpose has it: axis k of the result is axis ``perm[k]`` of what is stored."""

from collections.abc import Sequence

import onnx_ir as ir

Perm = tuple[int, ...]


def identity(rank: int) -> Perm:
    return tuple(range(rank))


def moves(perm: Sequence[int]) -> bool:
    """Return whether ``perm`` puts any axis elsewhere."""
    return list(perm) != sorted(perm)


def inverse(perm: Sequence[int]) -> Perm:
    return tuple(list(perm).index(axis) for axis in range(len(perm)))


def then(first: Sequence[int], second: Sequence[int]) -> Perm:
    """Return the one Transpose that does ``first`` and then ``second``."""
    return tuple(first[axis] for axis in second)


def swapped(perm: Sequence[int]) -> Perm:
    """Return ``perm`` followed by an exchange of the last two axes."""
    return (*perm[:-2], perm[-1], perm[-2])


def upright(perm: Sequence[int]) -> Perm:
    """Return ``perm`` or that with its last two axes exchanged: whichever keeps these two in their order."""
    return swapped(perm) if perm[-1] < perm[-2] else tuple(perm)


def keeps_order(sizes: Sequence[object], perm: Sequence[int]) -> bool:
    """Return whether ``perm`` moves axes of size one alone, so that memory stays as it is."""
    kept = [axis for axis in perm if sizes[axis] != 1]
    return kept == sorted(kept)


def permutation(node: ir.Node | None) -> Perm | None:
    """Return the order that ``node`` gives to the axes; None unless it is a Transpose of known order."""
    if node is None or node.op_type != "Transpose" or node.domain != "":
        return None
    if "perm" in node.attributes:
        return tuple(int(axis) for axis in node.attributes["perm"].as_ints())
    data = node.inputs[0]
    return None if data is None or data.shape is None else identity(len(data.shape))[::-1]


def origin(value: ir.Value) -> tuple[ir.Value, Perm]:
    """Return what ``value`` is before all Transposes, and the one order that they amount to together."""
    if value.shape is None:
        return value, ()
    order = identity(len(value.shape))
    while True:
        perm = permutation(value.producer())
        if perm is None or value.producer().graph is None:
            return value, order
        [before] = value.producer().inputs
        if before is None or before.shape is None:
            return value, order
        value, order = before, then(perm, order)
