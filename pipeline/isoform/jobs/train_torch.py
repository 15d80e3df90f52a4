"""The job that trains a PyTorch model."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch.nn import functional as F

from isoform.core.artifact import Architecture
from isoform.core.training import OFF, TrainingPlan
from isoform.data.dataset import Array
from isoform.hub.architecture import resolve
from isoform.jobs import training
from isoform.jobs.train_torch_graph import drawn
from isoform.jobs.train_torch_recompute import recompute
from isoform.jobs.train_torch_workers import Workers
from isoform.jobs.training_epochs import Part


def train(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the content of ``training.json``; see `isoform.jobs.training.Job` for the arguments."""
    architecture = Architecture.from_json(arguments["architecture"])
    return training.run(arguments, lambda plan: TorchLearner(architecture, plan), progress)


def time_steps(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return what the steps of one worker alone take."""
    architecture = Architecture.from_json(arguments["architecture"])
    return training.time_steps(arguments, lambda plan: TorchLearner(architecture, plan))


class TorchLearner:
    """A network and Adam. Where precision is mixed, autocast chooses what each operation computes in."""

    packages: tuple[str, ...] = ("torch", "safetensors")

    def __init__(self, architecture: Architecture, plan: TrainingPlan) -> None:
        self._workers = Workers(plan.workers)
        torch.manual_seed(plan.seed)
        self._model = resolve(architecture)(**architecture.arguments)
        self._joined = self._workers.joined(self._model)
        if plan.recompute:
            recompute(self._model)
        self._loss = LOSSES[plan.loss]
        self._dtype = None if plan.mixed_precision == OFF else getattr(torch, plan.mixed_precision)
        self._scaler = torch.amp.GradScaler("cpu", enabled=plan.mixed_precision == "float16")
        # The same epsilon as Keras; fused needs no temporary copies of large layers.
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=plan.learning_rate, eps=1e-7, fused=True)
        self.parameters = sum(parameter.numel() for parameter in self._model.parameters() if parameter.requires_grad)

    def begin_epoch(self, seed: int) -> None:
        torch.manual_seed(seed + self._workers.rank)

    def train(self, parts: Sequence[Part], learning_rate: float) -> tuple[float, int]:
        self._model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.zero_grad(set_to_none=True)
        batch_loss, batch_right = 0.0, 0
        for part in parts:
            with self._workers.alone(self._joined) if part is not parts[-1] else nullcontext():
                loss, right = self._learn(part)
            batch_loss, batch_right = batch_loss + loss, batch_right + right
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return self._workers.total(batch_loss, batch_right)

    def _learn(self, part: Part) -> tuple[float, int]:
        """Add the part's gradients to those that are there, and return its share of the loss and its right answers."""
        with torch.autocast("cpu", self._dtype, enabled=self._dtype is not None):
            outputs = self._joined(torch.from_numpy(part.inputs))
        loss, right = self._loss(outputs.float(), torch.from_numpy(part.labels))
        # Gradients of several workers come as their mean: the sum, which is wanted, is so many times that.
        self._scaler.scale(loss * (part.share * self._workers.count)).backward()
        return loss.item() * part.share, right if part.share else 0

    @torch.no_grad()
    def evaluate(self, parts: Sequence[Part]) -> tuple[float, int]:
        self._model.eval()
        (part,) = parts
        loss, right = self._loss(self._model(torch.from_numpy(part.inputs)), torch.from_numpy(part.labels))
        return self._workers.total(loss.item() * part.share, right if part.share else 0)

    @torch.no_grad()
    def graph(self, inputs: Array) -> bytes | None:
        self._model.eval()
        return drawn(self._model, torch.from_numpy(inputs))

    def state(self) -> dict[str, Any]:
        state = {f"model/{name}": tensor.numpy() for name, tensor in self._model.state_dict().items()}
        state |= {f"scaler/{name}": np.asarray(value) for name, value in self._scaler.state_dict().items()}
        for index, slots in self._optimizer.state_dict()["state"].items():
            state |= {f"optimizer/{index}/{slot}": tensor.numpy() for slot, tensor in slots.items()}
        return state

    def restore(self, state: dict[str, Array]) -> None:
        weights: dict[str, torch.Tensor] = {}
        slots: dict[int, dict[str, torch.Tensor]] = {}
        scale: dict[str, float] = {}
        for name, array in state.items():
            kind, _, rest = name.partition("/")
            if kind == "model":
                weights[rest] = torch.from_numpy(array)
            elif kind == "scaler":
                scale[rest] = array.item()
            else:
                index, _, slot = rest.partition("/")
                slots.setdefault(int(index), {})[slot] = torch.from_numpy(array)
        self._model.load_state_dict(weights, strict=True)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": slots})
        self._scaler.load_state_dict(scale)

    def save(self, path: Path) -> None:
        weights = {name: tensor.contiguous() for name, tensor in self._model.state_dict().items()}
        safetensors.torch.save_file(weights, path, metadata={"format": "pt"})


def _categorical(probabilities: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return cross-entropy and right answers; probabilities [batch, class], clipped like Keras does."""
    loss = F.nll_loss(probabilities.clamp_min(1e-7).log(), labels)
    return loss, int((probabilities.argmax(dim=-1) == labels).sum())


def _binary(probability: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return binary cross-entropy and right answers; probability [batch, 1]."""
    probability = probability.squeeze(-1)
    loss = F.binary_cross_entropy(probability.clamp(1e-7, 1 - 1e-7), labels.to(probability.dtype))
    return loss, int(((probability > 0.5) == labels.bool()).sum())


LOSSES = {"categorical": _categorical, "binary": _binary}
