"""The job that trains a Keras model, on TensorFlow."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from isoform.core.artifact import Architecture
from isoform.core.training import TrainingPlan
from isoform.data.dataset import Array
from isoform.hub.architecture import resolve
from isoform.jobs import training
from isoform.jobs.training_epochs import Part


def train(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the content of ``training.json``; see `isoform.jobs.training.Job` for the arguments."""
    architecture = Architecture.from_json(arguments["architecture"])
    return training.run(arguments, lambda plan: KerasLearner(architecture, plan), progress)


class KerasLearner:
    """A network and Adam, in two graphs: one step of training, one of evaluation."""

    packages: tuple[str, ...] = ("keras", "tensorflow")

    def __init__(self, architecture: Architecture, plan: TrainingPlan) -> None:
        keras.utils.set_random_seed(plan.seed)
        tf.config.experimental.enable_op_determinism()
        self._model = resolve(architecture)(**architecture.arguments)
        self._loss = LOSSES[plan.loss]
        self._optimizer = keras.optimizers.Adam(plan.learning_rate, epsilon=1e-7)
        self._optimizer.build(self._model.trainable_variables)
        self.parameters = sum(variable.value.shape.num_elements() for variable in self._model.trainable_variables)
        given = self._model.inputs[0]
        signature = [tf.TensorSpec(given.shape, given.dtype), tf.TensorSpec([None], tf.int64)]
        self._train = tf.function(self._step, input_signature=signature, jit_compile=False)
        self._evaluate = tf.function(self._outcome, input_signature=signature, jit_compile=False)

    def begin_epoch(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)

    def train(self, parts: Sequence[Part], learning_rate: float) -> tuple[float, int]:
        self._optimizer.learning_rate = learning_rate
        ((inputs, labels, _),) = parts
        loss, right = self._train(inputs, labels)
        return float(loss), int(right)

    def evaluate(self, inputs: Array, labels: Array) -> tuple[float, int]:
        loss, right = self._evaluate(inputs, labels)
        return float(loss), int(right)

    def state(self) -> dict[str, Any]:
        return {str(index): variable.value for index, variable in enumerate(self._variables())}

    def restore(self, state: dict[str, Array]) -> None:
        for index, variable in enumerate(self._variables()):
            variable.assign(state[str(index)])

    def save(self, path: Path) -> None:
        self._model.save(path)

    def _variables(self) -> list[Any]:
        """Return weights, moving averages, the state of dropout, and the optimizer's variables."""
        return [*self._model.variables, *self._optimizer.variables]

    def _step(self, inputs: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            loss, right = self._loss(self._model(inputs, training=True), labels)
        gradients = tape.gradient(loss, [variable.value for variable in self._model.trainable_variables])
        self._optimizer.apply(gradients)
        return loss, right

    def _outcome(self, inputs: Any, labels: Any) -> tuple[Any, Any]:
        return self._loss(self._model(inputs, training=False), labels)


def _categorical(probabilities: Any, labels: Any) -> tuple[Any, Any]:
    """Return cross-entropy and right answers; probabilities [batch, class], clipped by Keras."""
    loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
    return loss, tf.reduce_sum(tf.cast(tf.argmax(probabilities, axis=-1) == labels, tf.int32))


def _binary(probability: Any, labels: Any) -> tuple[Any, Any]:
    """Return binary cross-entropy and right answers; probability [batch, 1]."""
    wanted = tf.cast(labels[:, tf.newaxis], probability.dtype)
    loss = tf.reduce_mean(keras.losses.binary_crossentropy(wanted, probability))
    return loss, tf.reduce_sum(tf.cast((probability > 0.5) == (wanted > 0.5), tf.int32))


LOSSES = {"categorical": _categorical, "binary": _binary}
