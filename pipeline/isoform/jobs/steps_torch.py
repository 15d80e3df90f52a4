"""A PyTorch network in each of its graph modes, for `isoform.jobs.steps`."""

from collections.abc import Callable
from typing import Any

import torch

from isoform.core.artifact import Architecture
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array
from isoform.jobs import steps
from isoform.jobs.train_torch import TorchLearner


def open_modes(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """See `isoform.jobs.steps.open_modes`; besides, architecture."""
    architecture = Architecture.from_json(arguments["architecture"])
    return steps.open_modes(arguments, lambda plan, mode: _Learner(architecture, plan, mode))


class _Learner(TorchLearner):
    """A learner that calls its network in one of `MODES`; weights and optimizer are those of the network itself."""

    def __init__(self, architecture: Architecture, plan: TrainingPlan, mode: str) -> None:
        super().__init__(architecture, plan)
        self._own = self._model
        self._model = self._joined = MODES[mode](self._own)

    def state(self) -> dict[str, Any]:
        called, self._model = self._model, self._own
        state = super().state()
        self._model = called
        return state

    def restore(self, state: dict[str, Array]) -> None:
        called, self._model = self._model, self._own
        super().restore(state)
        self._model = called

    @torch.no_grad()
    def predict(self, inputs: Array) -> Array:
        self._model.eval()
        outputs: Array = self._model(torch.from_numpy(inputs)).numpy()
        return outputs


class _Traced(torch.nn.Module):
    """A network that is traced once for training and once for inference, on the first batch of each."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self._traces: dict[bool, Any] = {}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training not in self._traces:
            self._traces[self.training] = torch.jit.trace(self.network, inputs, check_trace=False)
        outputs: torch.Tensor = self._traces[self.training](inputs)
        return outputs


MODES: dict[str, Callable[[torch.nn.Module], Any]] = {
    "eager": lambda network: network, "trace": _Traced, "script": torch.jit.script, "compile": torch.compile,
}  # fmt: skip
