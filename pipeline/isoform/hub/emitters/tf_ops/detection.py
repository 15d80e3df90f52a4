"""What object detectors need: boxes that overlap less, and regions of an image read into one size."""

from typing import Any

import tensorflow as tf

from isoform.hub.emitters.tf_ops.call import Call, Tensor, op
from isoform.hub.emitters.tf_ops.layout import to_channels_last
from isoform.hub.emitters.tf_ops.sampling import sample


@op("NonMaxSuppression", since=10)
def non_max_suppression(call: Call) -> Tensor:
    """Return (batch, class, box) of the best boxes that overlap none better, class by class, int64 [kept, 3]."""
    boxes, scores = call[0], call[1]  # [batch, box, 4], [batch, class, box]
    boxes = _corners(boxes) if call.attr_int("center_point_box") else boxes
    limit, overlap, least = (None if call[index] is None else tf.reshape(call[index], []) for index in (2, 3, 4))
    classes = tf.shape(scores)[1]
    total = tf.shape(scores)[0] * classes
    found = tf.TensorArray(tf.int64, 0, dynamic_size=True, infer_shape=False, element_shape=[None, 3])

    def step(position: Tensor, found: Any) -> Any:
        batch, label = position // classes, position % classes
        kept = tf.raw_ops.NonMaxSuppressionV3(
            boxes=boxes[batch],
            scores=scores[batch, label],
            max_output_size=tf.constant(0) if limit is None else _as_count(limit),
            iou_threshold=tf.constant(0.0) if overlap is None else overlap,
            score_threshold=tf.constant(-float("inf")) if least is None else least,
        )
        rows = tf.stack([tf.fill(tf.shape(kept), batch), tf.fill(tf.shape(kept), label), kept], 1)
        return position + 1, found.write(position, tf.cast(rows, tf.int64))

    start = found.write(total, tf.zeros([0, 3], tf.int64))  # so that there is something to join when all is empty
    return tf.while_loop(lambda position, _: position < total, step, (0, start))[1].concat()


def _as_count(limit: Tensor) -> Tensor:
    return tf.cast(tf.clip_by_value(limit, 0, tf.int32.max), tf.int32)


def _corners(boxes: Tensor) -> Tensor:
    """Return (y1, x1, y2, x2) of boxes given as (x centre, y centre, width, height)."""
    x, y, width, height = tf.unstack(boxes, axis=-1)
    return tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)


@op("RoiAlign", since=10)
def roi_align(call: Call) -> Tensor:
    """Return the regions (x1, y1, x2, y2) of x [n, c, h, w] as [region, c, out height, out width].

    Each bin is the mean, or the maximum of the weighed neighbours, over a grid of readings. The grid is as fine as
    the finest region asks for; what a coarser region has no reading for is left out.
    """
    x, regions, batch = call[0], call[1], tf.cast(call[2], tf.int32)
    is_half = (
        call.attr_string("coordinate_transformation_mode", "half_pixel" if call.opset >= 16 else "") == "half_pixel"
    )
    bounds = regions * call.attr_float("spatial_scale", 1.0) - (0.5 if is_half else 0.0)
    out = [call.attr_int("output_height", 1), call.attr_int("output_width", 1)]
    spans = [_span(call, bounds, axis, out[axis], is_half) for axis in (0, 1)]
    (rows, row_is_read), (columns, column_is_read) = spans  # [region, out, reading], [region, reading]
    is_mean = call.attr_string("mode", "avg") == "avg"
    values = _read(x, batch, rows, columns, is_mean)  # [region, out height, reading, out width, reading, c]
    is_read = row_is_read[:, None, :, None, None, None] & column_is_read[:, None, None, None, :, None]
    if is_mean:
        count = tf.reduce_sum(tf.cast(is_read, x.dtype), [2, 4])
        result = tf.reduce_sum(tf.where(is_read, values, tf.zeros([], x.dtype)), [2, 4]) / tf.maximum(count, 1)
    else:
        result = tf.reduce_max(tf.where(is_read, values, x.dtype.min), [2, 4])
    result = tf.reshape(result, tf.stack([tf.shape(regions)[0], *out, tf.shape(x)[1]]))
    return tf.ensure_shape(tf.transpose(result, [0, 3, 1, 2]), [regions.shape[0], x.shape[1], *out])


def _span(call: Call, bounds: Tensor, axis: int, bins: int, is_half: bool) -> tuple[Tensor, Tensor]:
    """Return where the readings of each bin stand along one axis, and which of the grid a region has."""
    start, end = bounds[:, 1 - axis], bounds[:, 3 - axis]
    length = end - start if is_half else tf.maximum(end - start, 1.0)
    width = length / bins
    fixed = call.attr_int("sampling_ratio")
    count = tf.fill(tf.shape(width), float(fixed)) if fixed > 0 else tf.cast(tf.math.ceil(width), tf.float32)
    index = tf.range(tf.maximum(tf.reduce_max(count), 1.0))
    within = (index[None, :] + 0.5) * tf.math.divide_no_nan(width, tf.cast(count, width.dtype))[:, None]
    at = start[:, None, None] + tf.range(float(bins))[None, :, None] * width[:, None, None] + within[:, None, :]
    return at, index[None, :] < count[:, None]


def _read(x: Tensor, batch: Tensor, rows: Tensor, columns: Tensor, is_mean: bool) -> Tensor:
    """Return x at every pair of a row and a column; nothing beyond one pixel around the image."""
    height, width = tf.unstack(tf.shape(x)[2:])
    shape = tf.concat([tf.shape(rows), tf.shape(columns)[1:]], 0)
    both = [tf.broadcast_to(rows[..., None, None], shape), tf.broadcast_to(columns[:, None, None], shape)]
    is_near = tf.ones(shape, tf.bool)
    places = []
    for place, size in zip(both, (height, width), strict=True):
        edge = tf.cast(size, place.dtype)
        is_near &= (place >= -1) & (place <= edge)
        places.append(tf.clip_by_value(place, 0, edge - 1))
    places[0] += tf.cast(batch * height, rows.dtype)[:, None, None, None, None]  # images stand one under the other
    image = tf.reshape(to_channels_last(x), tf.stack([1, -1, width, tf.shape(x)[1]]))
    flat = [tf.reshape(place, [1, -1]) for place in places]
    values = sample(image, flat, "linear", _last_row, tf.add if is_mean else tf.maximum)
    values = tf.reshape(values, tf.concat([shape, tf.shape(x)[1:2]], 0))
    return tf.where(is_near[..., None], values, tf.zeros([], x.dtype))


def _last_row(index: Tensor, size: Any) -> Tensor:
    return tf.minimum(index, size - 1)
