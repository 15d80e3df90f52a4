"""Ensembles of decision trees: every row goes down all trees at once, one level a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.forest import (
    AVERAGE,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    LESS,
    LESS_EQUAL,
    MEMBER,
    MIN,
    NOT_EQUAL,
    POST_LOGISTIC,
    POST_PROBIT,
    POST_SOFTMAX,
    POST_SOFTMAX_ZERO,
    SUM,
    depth_of,
    members_of,
)
from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.traditional import DOMAIN


@dataclass(frozen=True)
class Forest:
    """All trees in one numbering: inner nodes first, then leaves, which lead to themselves.

    Attributes:
        members: for each node what it tests membership of, [node, member], NaN where there is none.
        depth: the most steps from a root to a leaf.
    """

    feature: Any
    split: Any
    mode: Any
    follows_missing: Any
    if_true: Any
    if_false: Any
    members: Any
    roots: Any
    depth: int


@op("TreeEnsemble", since=5, domain=DOMAIN)
def tree_ensemble(call: Call) -> Tensor:
    """Return the leaf values of all trees, put together for each target: [n, target]."""
    x, forest = call[0], _forest(call)
    leaf = _descend(x, forest) - len(forest.feature)  # [n, tree]
    weights, targets = call.attr_tensor("leaf_weights"), np.array(call.attr_ints("leaf_targetids"))
    count = call.attr_int("n_targets")
    value = tf.gather(tf.constant(weights, x.dtype), leaf)[..., None]
    counts = tf.gather(tf.one_hot(targets, count, True, False, dtype=tf.bool), leaf)  # [n, tree, target]
    return _transformed(call, _aggregated(call, value, counts))


def _forest(call: Call) -> Forest:
    features = np.array(call.attr_ints("nodes_featureids"))
    inner, modes = len(features), _array(call, "nodes_modes")

    def child(side: str) -> Any:
        number, is_leaf = np.array(call.attr_ints(f"nodes_{side}nodeids")), call.attr_ints(f"nodes_{side}leafs")
        return np.where(np.array(is_leaf, bool), number + inner, number)

    leaves = np.arange(inner, inner + len(call.attr_ints("leaf_targetids") or []))
    if_true, if_false = (np.concatenate([child(side), leaves]) for side in ("true", "false"))
    roots = np.array(call.attr_ints("tree_roots"))
    return Forest(
        feature=features,
        split=_array(call, "nodes_splits"),
        mode=modes,
        follows_missing=np.array(call.attr_ints("nodes_missing_value_tracks_true") or [0] * inner, bool),
        if_true=if_true,
        if_false=if_false,
        members=members_of(_array(call, "membership_values"), modes) if MEMBER in modes else None,
        roots=roots,
        depth=depth_of(roots, if_true, if_false),
    )


def _array(call: Call, name: str) -> Any:
    array = call.attr_tensor(name)
    assert array is not None, name
    return array


def _descend(x: Tensor, forest: Forest) -> Tensor:
    """Return the number of the leaf in which each row ends in each tree, [n, tree]."""
    inner = len(forest.feature)
    last = inner - 1
    at = tf.tile(tf.constant(forest.roots, tf.int32)[None, :], tf.stack([tf.shape(x)[0], 1]))
    if_true, if_false = (tf.constant(side, tf.int32) for side in (forest.if_true, forest.if_false))

    def step(count: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        node = tf.minimum(at, last)  # a leaf compares something and stays where it is
        holds = _holds(x, node, forest)
        return count + 1, tf.where(holds, tf.gather(if_true, at), tf.gather(if_false, at))

    return tf.while_loop(lambda count, _: count < forest.depth, step, (0, at))[1]


def _holds(x: Tensor, node: Tensor, forest: Forest) -> Tensor:
    """Return whether the comparison of each node [n, tree] holds for its row."""
    value = tf.gather(x, tf.gather(tf.constant(forest.feature), node), batch_dims=1)
    split = tf.gather(tf.constant(forest.split, x.dtype), node)
    mode = tf.gather(tf.constant(forest.mode, tf.int32), node)
    outcomes = {
        LESS_EQUAL: value <= split, LESS: value < split, GREATER_EQUAL: value >= split, GREATER: value > split,
        EQUAL: tf.equal(value, split), NOT_EQUAL: tf.not_equal(value, split),
    }  # fmt: skip
    if forest.members is not None:
        members = tf.gather(tf.constant(forest.members, x.dtype), node)
        outcomes[MEMBER] = tf.reduce_any(tf.equal(value[..., None], members), -1)
    holds = tf.gather(tf.constant(forest.follows_missing), node) & tf.math.is_nan(value)
    for number in np.unique(forest.mode):
        holds |= tf.equal(mode, int(number)) & outcomes[int(number)]
    return holds


def _aggregated(call: Call, value: Tensor, counts: Tensor) -> Tensor:
    """Return [n, target] from values [n, tree, 1] and whether they count for a target [n, tree, target]."""
    function = call.attr_int("aggregate_function", SUM)
    zero = tf.zeros([], value.dtype)
    if function in (SUM, AVERAGE):
        total = tf.reduce_sum(tf.where(counts, value, zero), 1)
        return total / tf.cast(tf.shape(value)[1], value.dtype) if function == AVERAGE else total
    is_min = function == MIN
    far = tf.constant(value.dtype.max if is_min else value.dtype.min, value.dtype)
    best = (tf.reduce_min if is_min else tf.reduce_max)(tf.where(counts, value, far), 1)
    return tf.where(tf.reduce_any(counts, 1), best, zero)


def _transformed(call: Call, scores: Tensor) -> Tensor:
    transform = call.attr_int("post_transform")
    if transform == POST_SOFTMAX:
        return tf.nn.softmax(scores)
    if transform == POST_LOGISTIC:
        return tf.sigmoid(scores)
    if transform == POST_SOFTMAX_ZERO:  # zeros stay zero and are left out of the sum
        powers = tf.where(scores != 0, tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True)), 0)
        return tf.math.divide_no_nan(powers, tf.reduce_sum(powers, -1, keepdims=True))
    if transform == POST_PROBIT:
        return tf.sqrt(tf.constant(2.0, scores.dtype)) * tf.math.erfinv(2 * scores - 1)
    return scores
