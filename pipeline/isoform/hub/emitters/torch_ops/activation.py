"""Functions of one tensor, element by element, and softmax."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from isoform.errors import IsoformError
from isoform.hub.emitters.torch_ops.dtypes import torch_dtype
from isoform.hub.emitters.torch_ops.table import Tensor, op, static
from isoform.hub.emitters.torch_ops.unsigned import WIDENED

_HARD_BETA, _ROUNDING = 0.5, 1e-7
"""The slope 1/6 of PyTorch's own hard sigmoid, as files keep it, is a float32."""

for _name, _function in {
    "Acos": torch.acos, "Acosh": torch.acosh, "Asin": torch.asin, "Asinh": torch.asinh,
    "Atan": torch.atan, "Atanh": torch.atanh, "Ceil": torch.ceil, "Cos": torch.cos, "Cosh": torch.cosh,
    "Det": torch.linalg.det, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor, "Log": torch.log,
    "Mish": F.mish, "Neg": torch.neg, "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Round": torch.round,
    "Sigmoid": torch.sigmoid, "Sin": torch.sin, "Sinh": torch.sinh, "Softsign": F.softsign, "Sqrt": torch.sqrt,
    "Tan": torch.tan, "Tanh": torch.tanh,
}.items():  # fmt: skip
    op(_name)(_function)


@op("Abs")
def absolute(x: Tensor) -> Tensor:
    return x if x.dtype in WIDENED else x.abs()


@op("Sign")
def sign(x: Tensor) -> Tensor:
    return (x != 0).to(x.dtype) if x.dtype in WIDENED else torch.sign(x)


@op("LeakyRelu")
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(x, alpha)


@op("PRelu")
def prelu_by_channel(x: Tensor, slope: Tensor) -> Tensor:
    is_shared = slope.dim() != 1 or slope.shape[0] == 1
    return prelu(x, slope if is_shared else slope.reshape([-1] + [1] * (x.dim() - 2)))


@op("PRelu", since=7)
def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


@op("Elu")
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


@op("Celu")
def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.celu(x, alpha)


@op("Selu")
def selu(x: Tensor, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Tensor:
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x))


@op("Gelu")
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


@op("Swish")
def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


@op("HardSigmoid")
def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    if beta == _HARD_BETA and abs(alpha - 1 / 6) < _ROUNDING:
        return F.hardsigmoid(x)
    return torch.clamp(alpha * x + beta, 0.0, 1.0)


@op("HardSwish")
def hard_swish(x: Tensor) -> Tensor:
    return F.hardswish(x)


@op("Softplus")
def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)), not cut off for large x as torch's own is."""
    return torch.logaddexp(x, torch.zeros_like(x))


@op("ThresholdedRelu")
def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


@op("Shrink")
def shrink(x: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    inside = torch.where(x > lambd, x - bias, torch.zeros_like(x))
    return torch.where(x < -lambd, x + bias, inside).to(x.dtype)


@op("Softmax", since=13)
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


@op("LogSoftmax", since=13)
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return torch.log_softmax(x, axis)


@op("Hardmax", since=13)
def hardmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Return 1 at the first of the largest elements, else 0."""
    first = x.argmax(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, first, torch.ones_like(x))


@op("Softmax")
def softmax_of_rest(x: Tensor, *, axis: int = 1) -> Tensor:
    """Return softmax over all axes from ``axis`` on, as it was before opset 13."""
    return torch.softmax(x.flatten(axis % x.dim()), -1).reshape(x.shape)


@op("LogSoftmax")
def log_softmax_of_rest(x: Tensor, *, axis: int = 1) -> Tensor:
    return torch.log_softmax(x.flatten(axis % x.dim()), -1).reshape(x.shape)


@op("Hardmax")
def hardmax_of_rest(x: Tensor, *, axis: int = 1) -> Tensor:
    return hardmax(x.flatten(axis % x.dim())).reshape(x.shape)


@op("Dropout", known=(1, 2))
def dropout(
    x: Tensor, ratio: Any = 0.5, training_mode: Any = None, *, outputs: int, seed: int = 0, is_test: int = 1
) -> Tensor | tuple[Tensor, Tensor]:
    """Return x: in inference nothing is dropped.

    Raises:
        IsoformError: the graph asks for training, where elements are dropped at random.
    """
    if training_mode is not None and static(training_mode, "Dropout with training_mode"):
        raise IsoformError(
            "A Dropout in training mode drops at random.", "Export the model in eval mode.", kind="unsupported-operator"
        )
    return x if outputs == 1 else (x, torch.ones_like(x, dtype=torch.bool))


@op("BlackmanWindow")
def blackman_window(size: Tensor, *, periodic: int = 1, output_datatype: int = 1) -> Tensor:
    angle = _angles(size, periodic, output_datatype)
    return 0.42 - 0.5 * torch.cos(angle) + 0.08 * torch.cos(2 * angle)


@op("HammingWindow")
def hamming_window(size: Tensor, *, periodic: int = 1, output_datatype: int = 1) -> Tensor:
    """Return the window with a0 = 25/46, as ONNX defines it."""
    return 25 / 46 - 21 / 46 * torch.cos(_angles(size, periodic, output_datatype))


@op("HannWindow")
def hann_window(size: Tensor, *, periodic: int = 1, output_datatype: int = 1) -> Tensor:
    return 0.5 - 0.5 * torch.cos(_angles(size, periodic, output_datatype))


def _angles(size: Tensor, periodic: int, datatype: int) -> Tensor:
    dtype = torch_dtype(datatype)
    count = size if periodic else size - 1
    return torch.arange(size, dtype=dtype) * (2 * math.pi) / count.to(dtype)
