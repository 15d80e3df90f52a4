"""Several processes that train one PyTorch network: DistributedDataParallel, over gloo.

They find each other by the variables that torchrun sets: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from isoform.jobs.train_torch_norms import synchronize


class Workers:
    """The processes of one training, or this one alone.

    Attributes:
        count: how many they are.
        rank: which of them this is.
    """

    def __init__(self, count: int) -> None:
        self.count, self.rank = count, 0
        if count > 1:
            distributed.init_process_group("gloo", init_method="env://")
            self.rank = distributed.get_rank()

    def joined(self, model: nn.Module) -> nn.Module:
        """Return ``model`` so that gradients are the mean over all workers, and begin with the first one's weights."""
        if self.count == 1:
            return model
        synchronize(model)
        return DistributedDataParallel(model, find_unused_parameters=True)

    def alone(self, joined: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which gradients only add up in this process."""
        return joined.no_sync() if isinstance(joined, DistributedDataParallel) else nullcontext()

    def total(self, loss: float, right: int) -> tuple[float, int]:
        """Return the sums over all workers."""
        if self.count == 1:
            return loss, right
        sums = torch.tensor([loss, right], dtype=torch.float64)
        distributed.all_reduce(sums)
        return float(sums[0]), int(sums[1])
