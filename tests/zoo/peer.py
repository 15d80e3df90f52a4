"""``python -m zoo.peer NAME FILE``: an architecture through litert-torch, with static shapes: it knows no others.

Runs in an interpreter of its own, which has litert-torch and the networks' packages; nothing else that isoform needs.
"""

import inspect
import json
import sys
import time
import warnings
from typing import Any

import torch

from zoo.catalogue import entries
from zoo.inputs import drawn


class Flat(torch.nn.Module):
    """The tensors that a network answers, in order, its inputs given by name where it has those names."""

    def __init__(self, module: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.module = module
        self.names = names if set(names) <= set(inspect.signature(module.forward).parameters) else []

    def forward(self, *tensors: torch.Tensor) -> Any:
        answer = self.module(**dict(zip(self.names, tensors, strict=True))) if self.names else self.module(*tensors)
        leaves = torch.utils._pytree.tree_leaves(answer)
        return tuple(leaf for leaf in leaves if isinstance(leaf, torch.Tensor))


def main() -> None:
    import litert_torch

    warnings.simplefilter("ignore")
    entry = entries()[sys.argv[1]]
    inputs = {name: torch.from_numpy(array) for name, array in drawn(entry).items()}
    module = Flat(entry.build(), list(inputs)).eval()
    begin = time.perf_counter()
    litert_torch.convert(module, tuple(inputs.values())).export(sys.argv[2])
    print(json.dumps({"seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
