"""Softmax regression trained in numpy and float64: Adam and the order of samples, written from their formulas.

It shares with what it judges the samples as arrays, and the learning rates, which have tests of their own.
"""

import numpy as np
import numpy.typing as npt

from isoform import data
from isoform.core.schedule import learning_rate
from isoform.core.signature import TensorSpec
from isoform.core.training import TrainingPlan

Array = npt.NDArray[np.float64]


def softmax_regression(plan: TrainingPlan, framework: str) -> tuple[Array, Array, list[float]]:
    """Return the weights [64, 10], the bias [10] and the mean loss of each epoch, from zeros on.

    The frameworks add epsilon at different places: PyTorch as algorithm 1 of Kingma and Ba (2014) has it, Keras as the
    "epsilon hat" before it.
    """
    spec = TensorSpec("image", "float32", ("batch", 64))
    images, labels = data.prepare(data.read("digits", spec), spec).train.batch(np.arange(1437))
    inputs = np.hstack([images.astype(np.float64), np.ones((len(images), 1))])
    weights, first, second = (np.zeros((65, 10)) for _ in range(3))
    losses, steps = [], -(-len(inputs) // plan.batch_size)
    for epoch in range(1, plan.epochs + 1):
        order = np.random.default_rng([plan.seed, epoch]).permutation(len(inputs))
        total = 0.0
        for step in range(steps):
            chosen = order[step * plan.batch_size : (step + 1) * plan.batch_size]
            scores = np.exp(inputs[chosen] @ weights)
            probabilities = scores / scores.sum(axis=1, keepdims=True)
            total -= np.log(probabilities[np.arange(len(chosen)), labels[chosen]]).sum()
            gradient = inputs[chosen].T @ (probabilities - np.eye(10)[labels[chosen]]) / len(chosen)
            number = (epoch - 1) * steps + step + 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            epsilon = 1e-7 / np.sqrt(1 - 0.999**number) if framework == "keras" else 1e-7
            moves = first / (1 - 0.9**number) / (np.sqrt(second / (1 - 0.999**number)) + epsilon)
            weights = weights - learning_rate(plan, number - 1, steps) * moves
        losses.append(total / len(inputs))
    return weights[:64], weights[64], losses
