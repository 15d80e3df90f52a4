"""Operators on strings, and counts of n-grams."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op


@op("StringConcat", since=20)
def string_concat(call: Call) -> Tensor:
    return tf.add(call[0], call[1])


@op("StringSplit", since=20)
def string_split(call: Call) -> tuple[Tensor, Tensor]:
    """Return the parts of each string, [..., most parts], filled up with empty strings, and how many there are."""
    x, most = call[0], call.attr_int("maxsplit", -1)
    parts = tf.strings.split(tf.reshape(x, [-1]), call.attr_string("delimiter") or None, most)
    if not call.attr_string("delimiter"):  # between white space nothing is empty, whatever TensorFlow adds at the end
        parts = tf.ragged.boolean_mask(parts, tf.not_equal(parts, ""))
    dense = tf.reshape(parts.to_tensor(""), tf.concat([tf.shape(x), [_widest(parts)]], 0))
    return tf.ensure_shape(dense, [*x.shape, None]), tf.reshape(parts.row_lengths(), tf.shape(x))


def _widest(parts: Any) -> Tensor:
    return tf.cast(tf.reduce_max(tf.concat([parts.row_lengths(), [0]], 0)), tf.int32)


@op("RegexFullMatch", since=20)
def regex_full_match(call: Call) -> Tensor:
    return tf.strings.regex_full_match(call[0], call.attr_string("pattern"))


@op("StringNormalizer", since=10)
def string_normalizer(call: Call) -> Tensor:
    """Return the strings [n] or [1, n] without stop words and in one case; one empty string where none are left."""
    x, action = call[0], call.attr_string("case_change_action", "NONE")
    stopwords = call.attr_strings("stopwords") or []
    flat = tf.reshape(x, [-1])
    if stopwords:
        is_exact = bool(call.attr_int("is_case_sensitive"))
        compared = flat if is_exact else tf.strings.lower(flat, "utf-8")
        known = tf.constant(stopwords if is_exact else [word.lower() for word in stopwords])
        flat = tf.boolean_mask(flat, tf.logical_not(tf.reduce_any(compared[:, None] == known[None, :], 1)))
        flat = tf.cond(tf.size(flat) > 0, lambda: flat, lambda: tf.constant([""]))
    if action != "NONE":
        flat = (tf.strings.lower if action == "LOWER" else tf.strings.upper)(flat, "utf-8")
    return flat if len(x.shape) == 1 else flat[None, :]


@op("TfIdfVectorizer", since=9)
def count_ngrams(call: Call) -> Tensor:
    """Return how often each n-gram of a pool stands in a row, weighed: float32 [..., columns].

    The items of an n-gram may stand apart: up to ``max_skip_count`` others are between each two of them.
    """
    x = call[0] if call[0].dtype == tf.string else tf.cast(call[0], tf.int64)
    rows = tf.reshape(x, [1, -1]) if len(x.shape) < 2 else x
    columns = call.attr_ints("ngram_indexes") or []
    counts = tf.zeros([tf.shape(rows)[0], max(columns) + 1], tf.float32)
    for grams, places in _grams(call, columns):
        size = grams.shape[1]
        for distance in range(1, 2 if size == 1 else call.attr_int("max_skip_count") + 2):
            found = _occurrences(rows, tf.constant(grams), distance)
            counts += tf.matmul(found, tf.one_hot(places, max(columns) + 1))
    result = _weighed(call, counts)
    return result[0] if len(x.shape) < 2 else result


def _grams(call: Call, columns: Sequence[int]) -> list[tuple[Any, list[int]]]:
    """Return, for each length that counts, the n-grams [gram, item] and the column of each."""
    pool: list[Any] = call.attr_strings("pool_strings") or call.attr_ints("pool_int64s") or []
    starts = [*(call.attr_ints("ngram_counts") or []), len(pool)]
    shortest, longest = call.attr_int("min_gram_length", 1), call.attr_int("max_gram_length", 1)
    found, number = [], 0
    for size, (start, end) in enumerate(pairwise(starts), start=1):
        items = np.array(pool[start:end], object if isinstance(pool[0], str) else np.int64).reshape(-1, size)
        # A gram that is listed twice counts for the column that it has last.
        places = {tuple(gram): columns[number + index] for index, gram in enumerate(items)}
        number += len(items)
        if places and shortest <= size <= longest:
            found.append((np.array(list(places), items.dtype), list(places.values())))
    return found


def _occurrences(rows: Tensor, grams: Tensor, distance: int) -> Tensor:
    """Return how often each gram [gram, item] stands in each row with its items ``distance`` apart: [row, gram]."""
    size = grams.shape[1]
    count = tf.maximum(tf.shape(rows)[1] - distance * (size - 1), 0)
    is_here = tf.constant(True)
    for item in range(size):
        part = rows[:, item * distance : item * distance + count]
        is_here &= part[:, :, None] == grams[:, item]
    return tf.reduce_sum(tf.cast(is_here, tf.float32), 1)


def _weighed(call: Call, counts: Tensor) -> Tensor:
    mode, weights = call.attr_string("mode"), call.attr_floats("weights")
    if mode == "IDF":
        counts = tf.cast(counts > 0, tf.float32)
    return counts if mode == "TF" or not weights else counts * tf.constant(weights)
