"""A Keras network in each of TensorFlow's graph modes, for `isoform.jobs.steps`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.core.artifact import Architecture
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array
from isoform.jobs import steps
from isoform.jobs.train_keras import KerasLearner


def open_modes(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """See `isoform.jobs.steps.open_modes`; besides, architecture."""
    architecture = Architecture.from_json(arguments["architecture"])
    return steps.open_modes(arguments, lambda plan, mode: _Learner(architecture, plan, mode))


class _Learner(KerasLearner):
    """A learner that calls its network in one of `MODES`, free to choose kernels that are not reproducible."""

    is_reproducible = False

    def __init__(self, architecture: Architecture, plan: TrainingPlan, mode: str) -> None:
        super().__init__(architecture, plan)
        wrapped = MODES[mode]
        self._train = wrapped(self._step)
        self._predict = wrapped(lambda inputs: self._model(inputs, training=False))

    def predict(self, inputs: Array) -> Array:
        return np.asarray(self._predict(tf.convert_to_tensor(inputs)))


MODES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "eager": lambda function: function,
    "function": lambda function: tf.function(function, jit_compile=False),
    "xla": lambda function: tf.function(function, jit_compile=True),
}
