"""Reductions over axes, and the places of extremes."""

from collections.abc import Callable
from typing import Any

import torch

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops.scripted import paused
from isoform.hub.emitters.torch_ops.table import Integers, Tensor, op, static
from isoform.hub.emitters.torch_ops.unsigned import ordered, refuse_uint64, widened

Reduce = Callable[[Tensor, list[int], bool], Tensor]
_ORDERED = ("ReduceMax", "ReduceMin")
_OF_UINT64 = (*_ORDERED, "ReduceSum", "ReduceProd", "ReduceSumSquare")


def reduction(name: str) -> Callable[[Reduce], Reduce]:
    """Return a decorator that offers a reduction over known axes as the operator ``name`` of every opset."""

    def register(reduce: Reduce) -> Reduce:
        def reduced(
            x: Tensor, axes: Integers | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
        ) -> Tensor:
            wanted = static(axes, f"{name} with axes") if axes is not None else []
            if name not in _OF_UINT64:
                refuse_uint64(x, name)
            if not wanted and noop_with_empty_axes:
                return reduce(x.unsqueeze(0), [0], False)
            return reduce(x, wanted or list(range(x.dim())), bool(keepdims))

        reduced.__name__ = reduced.__qualname__ = name  # fx names a call after its function
        wide = ordered(reduced) if name in _ORDERED else widened(reduced)
        op(name, known=(1,))(wide if name in _OF_UINT64 else reduced)
        return reduce

    return register


@reduction("ReduceSum")
def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keep, dtype=x.dtype)


@reduction("ReduceMean")
def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keep)
    return x.double().mean(axes, keep).to(x.dtype)


@reduction("ReduceMax")
def _max(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _of_nothing(x, axes, keep, lowest(x.dtype)) if _is_empty(x) else x.amax(axes, keep)


@reduction("ReduceMin")
def _min(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _of_nothing(x, axes, keep, highest(x.dtype)) if _is_empty(x) else x.amin(axes, keep)


@reduction("ReduceProd")
def _prod(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keep, dtype=x.dtype)
    return x


@reduction("ReduceL1")
def _l1(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.abs().sum(axes, keep, dtype=x.dtype)


@reduction("ReduceL2")
def _l2(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if not x.is_floating_point():
        return x.double().square().sum(axes, keep).sqrt().to(x.dtype)
    return x.square().sum(axes, keep).sqrt()


@reduction("ReduceSumSquare")
def _sum_square(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.square().sum(axes, keep, dtype=x.dtype)


@reduction("ReduceLogSum")
def _log_sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keep).log()


@reduction("ReduceLogSumExp")
def _log_sum_exp(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.logsumexp(axes, keep)


def lowest(dtype: torch.dtype) -> Any:
    return False if dtype == torch.bool else -float("inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def highest(dtype: torch.dtype) -> Any:
    return True if dtype == torch.bool else float("inf") if dtype.is_floating_point else torch.iinfo(dtype).max


def _is_empty(x: Tensor) -> bool:
    """Tell whether x holds nothing.

    Raises:
        IsoformError: it does while the module is traced, which would make it a reduction of nothing for good.
    """
    with paused():
        is_empty = x.numel() == 0
    if is_empty and torch.jit.is_tracing():
        raise IsoformError(
            "A reduction of no elements: TorchScript would freeze that there are none.",
            "Trace the module with an example that has elements.",
            kind="trace",
        )
    return is_empty


def _of_nothing(x: Tensor, axes: list[int], keep: bool, value: Any) -> Tensor:
    """Return what a reduction over no elements gives."""
    return torch.full_like(x.sum(axes, keep), value, dtype=x.dtype)


@op("ArgMax")
def argmax(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    if not select_last_index:
        return x.argmax(axis, bool(keepdims))
    return x.shape[axis] - 1 - x.flip(axis).argmax(axis, bool(keepdims))


@op("ArgMin")
def argmin(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    if not select_last_index:
        return x.argmin(axis, bool(keepdims))
    return x.shape[axis] - 1 - x.flip(axis).argmin(axis, bool(keepdims))


@op("CumSum", known=(1,))
def cumulative_sum(x: Tensor, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    along = static(axis, "CumSum with axis")
    along = along[0] if isinstance(along, list) else along
    x = x.flip(along) if reverse else x
    result = x.cumsum(along, dtype=x.dtype)
    result = result - x if exclusive else result
    return result.flip(along) if reverse else result


@op("CumProd", known=(1,))
def cumulative_product(x: Tensor, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    along = static(axis, "CumProd with axis")
    along = along[0] if isinstance(along, list) else along
    x = x.flip(along) if reverse else x
    if exclusive:
        ones = torch.ones_like(x.narrow(along, 0, 1))
        x = torch.cat([ones, x.narrow(along, 0, x.shape[along] - 1)], along)
    result = x.cumprod(along, dtype=x.dtype)
    return result.flip(along) if reverse else result
