"""Batch normalisation over the samples of all workers, on a CPU, where PyTorch's SyncBatchNorm does not run.

Mean and variance are sums over all workers, and so are their gradients (Ioffe and Szegedy 2015 over the whole batch).
"""

from functools import partial
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize(model: nn.Module) -> None:
    """Make every batch normalisation of ``model`` normalise, while training, by the statistics of all workers."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if norms:
        group = distributed.new_group()  # not the one that gradients are exchanged in, at times of their own
        for norm in norms:
            norm.forward = partial(_normalised, norm, norm.forward, group)


def _normalised(norm: Any, plain: Any, group: Any, values: torch.Tensor) -> torch.Tensor:
    if not norm.training:
        return plain(values)
    axes = [axis for axis in range(values.dim()) if axis != 1]
    shape = [1, -1, *[1] * (values.dim() - 2)]
    values = values.float()
    own = torch.cat([values.sum(axes), values.new_tensor([values.numel() / values.shape[1]])])
    total = all_reduce(own, group=group)
    count = total[-1].detach()
    mean = total[:-1] / count
    centred = values - mean.view(shape)
    variance = all_reduce((centred * centred).sum(axes), group=group) / count
    if norm.track_running_stats:
        _move(norm, mean.detach(), variance.detach() * count / (count - 1).clamp_min(1))
    normal = centred * torch.rsqrt(variance + norm.eps).view(shape)
    return normal * norm.weight.view(shape) + norm.bias.view(shape) if norm.affine else normal


@torch.no_grad()
def _move(norm: Any, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Let the moving averages move on, as the plain module does: the variance is the unbiased one."""
    norm.num_batches_tracked += 1
    factor = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, factor)
    norm.running_var.lerp_(variance, factor)
