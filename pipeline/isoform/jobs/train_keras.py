"""The job that trains a Keras model, on TensorFlow."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from isoform.core.artifact import Architecture
from isoform.core.training import OFF, TrainingPlan
from isoform.data.dataset import Array
from isoform.errors import IsoformError
from isoform.hub.architecture import resolve
from isoform.jobs import training
from isoform.jobs.train_keras_recompute import Recomputing
from isoform.jobs.training_epochs import Part


def train(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return the content of ``training.json``; see `isoform.jobs.training.Job` for the arguments."""
    architecture = Architecture.from_json(arguments["architecture"])
    return training.run(arguments, lambda plan: KerasLearner(architecture, plan), progress)


def time_steps(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Return what the steps of one worker alone take."""
    architecture = Architecture.from_json(arguments["architecture"])
    return training.time_steps(arguments, lambda plan: KerasLearner(architecture, plan))


class KerasLearner:
    """A network and Adam, in graphs: one step of training, its two halves where a batch comes in parts, one evaluation.

    Where precision is mixed, a second network in float32, made by the same function, is evaluated and saved: it is
    called with the variables of the one that learns, which are float32 too.
    """

    packages: tuple[str, ...] = ("keras", "tensorflow")
    is_reproducible = True
    """Only kernels that give the same numbers in each run: a training that was interrupted ends as it would have."""

    def __init__(self, architecture: Architecture, plan: TrainingPlan) -> None:
        self._strategy = _strategy(plan)
        keras.utils.set_random_seed(plan.seed)
        if self.is_reproducible:
            tf.config.experimental.enable_op_determinism()
        self._loss = LOSSES[plan.loss]
        with self._strategy.scope():
            self._model, self._judged = _networks(architecture, plan)
            _synchronize(self._model, plan)
            self._optimizer = _optimizer(plan)
            self._optimizer.build(self._model.trainable_variables)
        self._call = Recomputing(self._model) if plan.recompute else partial(self._model, training=True)
        self.parameters = sum(variable.value.shape.num_elements() for variable in self._model.trainable_variables)
        self._sums = [
            tf.Variable(tf.zeros(variable.shape), trainable=False)
            for variable in (self._model.trainable_variables if plan.accumulate > 1 else [])
        ]
        given = self._model.inputs[0]
        part = [
            tf.TensorSpec(given.shape, given.dtype), tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float32)
        ]  # fmt: skip
        self._train = self._on_all(self._step, part)
        self._add = self._on_all(self._add_gradients, part)
        self._apply = self._on_all(self._apply_sums, [])
        self._evaluate = self._on_all(self._outcome, part)

    def begin_epoch(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)

    def train(self, parts: Sequence[Part], learning_rate: float) -> tuple[float, int]:
        self._optimizer.learning_rate = learning_rate
        batch_loss, batch_right = 0.0, 0
        for part in parts:
            loss, right = (self._add if self._sums else self._train)(*_tensors(part))
            batch_loss, batch_right = batch_loss + float(loss), batch_right + int(right)
        if self._sums:
            self._apply()
        return batch_loss, batch_right

    def evaluate(self, parts: Sequence[Part]) -> tuple[float, int]:
        (part,) = parts
        loss, right = self._evaluate(*_tensors(part))
        return float(loss), int(right)

    def graph(self, inputs: Array) -> bytes | None:
        return self._evaluate.get_concrete_function().graph.as_graph_def().SerializeToString()

    def state(self) -> dict[str, Any]:
        return {str(index): variable.value for index, variable in enumerate(self._variables())}

    def restore(self, state: dict[str, Array]) -> None:
        for index, variable in enumerate(self._variables()):
            variable.assign(state[str(index)])

    def save(self, path: Path) -> None:
        if self._judged is not self._model:
            self._judged.set_weights(self._model.get_weights())
        self._judged.save(path)

    def _variables(self) -> list[Any]:
        """Return weights, moving averages, the state of dropout, and the optimizer's variables."""
        return [*self._model.variables, *self._optimizer.variables]

    def _on_all(self, function: Callable[..., Any], signature: list[Any]) -> Any:
        """Return ``function`` as a graph that every worker runs with its own arguments."""
        return tf.function(
            lambda *arguments: self._strategy.run(function, arguments), input_signature=signature, jit_compile=False
        )

    def _step(self, inputs: Any, labels: Any, share: Any) -> tuple[Any, Any]:
        loss, right, gradients = self._gradients(inputs, labels, share)
        self._optimizer.apply(gradients)
        return self._total(loss, right, share)

    def _add_gradients(self, inputs: Any, labels: Any, share: Any) -> tuple[Any, Any]:
        loss, right, gradients = self._gradients(inputs, labels, share)
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(tf.convert_to_tensor(gradient))
        return self._total(loss, right, share)

    def _apply_sums(self) -> None:
        self._optimizer.apply([total.read_value() for total in self._sums])
        for total in self._sums:
            total.assign(tf.zeros_like(total))

    def _gradients(self, inputs: Any, labels: Any, share: Any) -> tuple[Any, Any, Any]:
        """Return loss, right answers, and the gradients of this share of the loss, as the optimizer scales it."""
        with tf.GradientTape() as tape:
            loss, right = self._loss(self._call(inputs), labels)
            scaled = self._optimizer.scale_loss(loss * share)
        gradients = tape.gradient(scaled, [variable.value for variable in self._model.trainable_variables])
        return loss, right, gradients

    def _outcome(self, inputs: Any, labels: Any, share: Any) -> tuple[Any, Any]:
        if self._judged is self._model:
            outputs = self._model(inputs, training=False)
        else:
            learnt = [[variable.value for variable in kind] for kind in _kinds(self._model)]
            outputs, _ = self._judged.stateless_call(*learnt, inputs, training=False)
        return self._total(*self._loss(outputs, labels), share)

    def _total(self, loss: Any, right: Any, share: Any) -> tuple[Any, Any]:
        """Return this share of the loss and the right answers, summed over all workers."""
        mine = tf.stack([tf.cast(loss * share, tf.float64), tf.cast(tf.where(share > 0, right, 0), tf.float64)])
        if self._strategy.num_replicas_in_sync > 1:
            mine = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, mine)
        return mine[0], mine[1]


def _strategy(plan: TrainingPlan) -> Any:
    """Return what spreads a training over its workers, which find each other by TF_CONFIG; the default for one.

    Raises:
        IsoformError: a mixed precision that several workers cannot have.
    """
    if plan.workers == 1:
        return tf.distribute.get_strategy()
    if plan.mixed_precision == "float16":
        raise IsoformError(
            "Several workers cannot train in float16: Keras' LossScaleOptimizer asks each for its own gradients only.",
            "Take --mixed-precision bfloat16, or one worker.",
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _synchronize(network: Any, plan: TrainingPlan) -> None:
    """Let batch normalisation take the samples of all workers for its batch."""
    for layer in network._flatten_layers() if plan.workers > 1 else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _optimizer(plan: TrainingPlan) -> Any:
    optimizer = keras.optimizers.Adam(plan.learning_rate, epsilon=1e-7)
    return keras.optimizers.LossScaleOptimizer(optimizer) if plan.mixed_precision == "float16" else optimizer


def _tensors(part: Part) -> tuple[Any, Any, Any]:
    return tf.constant(part.inputs), tf.constant(part.labels), tf.constant(part.share, tf.float32)


def _networks(architecture: Architecture, plan: TrainingPlan) -> tuple[Any, Any]:
    """Return the network that learns, and the one in float32: the same unless precision is mixed."""
    build = resolve(architecture)
    if plan.mixed_precision == OFF:
        network = build(**architecture.arguments)
        return network, network
    keras.config.set_dtype_policy(f"mixed_{plan.mixed_precision}")
    learning = build(**architecture.arguments)
    for output in learning.outputs:  # probabilities of 11 or 8 bits would have no logarithm near 1
        output._keras_history.operation.dtype_policy = "float32"
    keras.config.set_dtype_policy("float32")
    return learning, build(**architecture.arguments)


def _kinds(network: Any) -> tuple[list[Any], list[Any]]:
    return network.trainable_variables, network.non_trainable_variables


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
