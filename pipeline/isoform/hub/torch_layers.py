"""What PyTorch's layers expect of what they are given, told by their class and the shapes of their weights.

To add one: a row in `_KINDS`. Layers of TorchScript are told by the name of the class that they once had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_IMAGE_SIZES = (224, 32, 28, 64, 96, 128, 256, 299, 384, 512)


@dataclass(frozen=True)
class Expectation:
    """What a layer reads.

    Attributes:
        layer: for people: ``Conv2d(3, 64)``.
        candidates: what follows the name in ``--input``, the likeliest first.
    """

    layer: str
    candidates: tuple[str, ...]


def expectation(layer: Any) -> Expectation | None:
    """Return what ``layer`` expects; None for those that take anything, or are not known here."""
    kind = next((name for name in _names(layer) if name in _KINDS), None)
    return _KINDS[kind](kind, layer) if kind is not None else None


def _names(layer: Any) -> list[str]:
    own = getattr(layer, "original_name", None)
    return [own] if isinstance(own, str) else [cls.__name__ for cls in type(layer).__mro__]


def _image(kind: str, layer: Any) -> Expectation:
    shape = layer.weight.shape
    channels = shape[0] if "Transpose" in kind else shape[1] * getattr(layer, "groups", 1)
    outgoing = shape[1] if "Transpose" in kind else shape[0]
    axes = len(shape) - 2
    if axes == 1:
        return Expectation(f"{kind}({channels}, {outgoing})", (f"float32[batch,{channels},length]",))
    spatial = [",".join([*(["16"] if axes == 3 else []), str(size), str(size)]) for size in _IMAGE_SIZES]
    return Expectation(
        f"{kind}({channels}, {outgoing})", tuple(f"float32[batch,{channels},{sizes}]" for sizes in spatial)
    )


def _linear(kind: str, layer: Any) -> Expectation:
    outgoing, incoming = layer.weight.shape
    return Expectation(
        f"{kind}({incoming}, {outgoing})", (f"float32[batch,{incoming}]", f"float32[batch,length,{incoming}]")
    )


def _embedding(kind: str, layer: Any) -> Expectation:
    count, width = layer.weight.shape
    return Expectation(
        f"{kind}({count}, {width})", (f"int64[batch,length]:0..{count - 1}", f"int64[batch]:0..{count - 1}")
    )


def _recurrent(kind: str, layer: Any) -> Expectation:
    width = layer.weight_ih_l0.shape[1]
    order = "batch,length" if getattr(layer, "batch_first", False) else "length,batch"
    other = ",".join(reversed(order.split(",")))
    return Expectation(f"{kind}({width})", (f"float32[{order},{width}]", f"float32[{other},{width}]"))


def _attention(kind: str, layer: Any) -> Expectation:
    first = layer.layers[0] if hasattr(layer, "layers") else layer
    attention = getattr(first, "self_attn", first)
    width = attention.embed_dim
    order = "batch,length" if getattr(attention, "batch_first", False) else "length,batch"
    return Expectation(f"{kind}({width})", (f"float32[{order},{width}]",))


def _features(kind: str, layer: Any) -> Expectation:
    width = layer.weight.shape[-1]
    return Expectation(f"{kind}({width})", (f"float32[batch,{width}]", f"float32[batch,length,{width}]"))


_KINDS: dict[str, Callable[[str, Any], Expectation]] = {
    **{f"Conv{axes}d": _image for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _image for axes in (1, 2, 3)},
    "Linear": _linear,
    **dict.fromkeys(("Embedding", "EmbeddingBag"), _embedding),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder"), _attention),
    **dict.fromkeys(("LayerNorm", "RMSNorm", "BatchNorm1d"), _features),
}
