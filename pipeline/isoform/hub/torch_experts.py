"""Mixtures of experts of transformers in a form that exporters carry: each token's experts are gathered and multiplied.

Its default sorts tokens by their expert, counts them, and multiplies groups of rows by an operator of its own, which
no format has; its plain form loops over the experts that are hit. All three compute the same sums.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_SETTING, _GROUPED, _GATHERED = "_experts_implementation", "grouped_mm", "batched_mm"


@contextmanager
def gathered_experts(module: torch.nn.Module) -> Iterator[None]:
    """Let the experts of ``module`` be gathered, for a while."""
    configs: dict[int, Any] = {id(config): config for config in map(_config, module.modules())}
    changed = [config for config in configs.values() if getattr(config, _SETTING, None) in (_GROUPED, "eager")]
    before = [getattr(config, _SETTING) for config in changed]
    for config in changed:
        setattr(config, _SETTING, _GATHERED)
    try:
        yield
    finally:
        for config, setting in zip(changed, before, strict=True):
            setattr(config, _SETTING, setting)


def _config(module: torch.nn.Module) -> Any:
    return getattr(module, "config", None)
