"""Ensembles of decision trees: every row goes down all trees at once, one level a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.traditional import DOMAIN

_LESS_EQUAL, _LESS, _GREATER_EQUAL, _GREATER, _EQUAL, _NOT_EQUAL, _MEMBER = range(7)
_AVERAGE, _SUM, _MIN, _MAX = range(4)
_POST_NONE, _POST_SOFTMAX, _POST_LOGISTIC, _POST_SOFTMAX_ZERO, _POST_PROBIT = range(5)


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
        members=_members(_array(call, "membership_values"), modes) if _MEMBER in modes else None,
        roots=roots,
        depth=_depth(roots, if_true, if_false),
    )


def _array(call: Call, name: str) -> Any:
    array = call.attr_tensor(name)
    assert array is not None, name
    return array


def _members(listed: Any, modes: Any) -> Any:
    """Return [node, member]; the list has one run for each membership node, ended by NaN."""
    ends = np.flatnonzero(np.isnan(listed))
    runs = iter(np.split(listed, ends + 1))
    sets = [next(runs)[:-1] if mode == _MEMBER else listed[:0] for mode in modes]
    table = np.full((len(modes), max(map(len, sets))), np.nan, listed.dtype)
    for row, members in zip(table, sets, strict=True):
        row[: len(members)] = members
    return table


def _depth(roots: Any, if_true: Any, if_false: Any) -> int:
    steps, at = 0, np.unique(roots)
    while True:
        below = np.unique(np.concatenate([if_true[at], if_false[at]]))
        if np.array_equal(below, at) or steps > len(if_true):
            return steps
        steps, at = steps + 1, below


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
        _LESS_EQUAL: value <= split, _LESS: value < split, _GREATER_EQUAL: value >= split, _GREATER: value > split,
        _EQUAL: tf.equal(value, split), _NOT_EQUAL: tf.not_equal(value, split),
    }  # fmt: skip
    if forest.members is not None:
        members = tf.gather(tf.constant(forest.members, x.dtype), node)
        outcomes[_MEMBER] = tf.reduce_any(tf.equal(value[..., None], members), -1)
    holds = tf.gather(tf.constant(forest.follows_missing), node) & tf.math.is_nan(value)
    for number in np.unique(forest.mode):
        holds |= tf.equal(mode, int(number)) & outcomes[int(number)]
    return holds


def _aggregated(call: Call, value: Tensor, counts: Tensor) -> Tensor:
    """Return [n, target] from values [n, tree, 1] and whether they count for a target [n, tree, target]."""
    function = call.attr_int("aggregate_function", _SUM)
    zero = tf.zeros([], value.dtype)
    if function in (_SUM, _AVERAGE):
        total = tf.reduce_sum(tf.where(counts, value, zero), 1)
        return total / tf.cast(tf.shape(value)[1], value.dtype) if function == _AVERAGE else total
    is_min = function == _MIN
    far = tf.constant(value.dtype.max if is_min else value.dtype.min, value.dtype)
    best = (tf.reduce_min if is_min else tf.reduce_max)(tf.where(counts, value, far), 1)
    return tf.where(tf.reduce_any(counts, 1), best, zero)


def _transformed(call: Call, scores: Tensor) -> Tensor:
    transform = call.attr_int("post_transform")
    if transform == _POST_SOFTMAX:
        return tf.nn.softmax(scores)
    if transform == _POST_LOGISTIC:
        return tf.sigmoid(scores)
    if transform == _POST_SOFTMAX_ZERO:  # zeros stay zero and are left out of the sum
        powers = tf.where(scores != 0, tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True)), 0)
        return tf.math.divide_no_nan(powers, tf.reduce_sum(powers, -1, keepdims=True))
    if transform == _POST_PROBIT:
        return tf.sqrt(tf.constant(2.0, scores.dtype)) * tf.math.erfinv(2 * scores - 1)
    return scores
