"""The layers of PyTorch's programs, whichever file holds them: what operators call them, and faults in their weights.

Kinds are ATen's names without ``aten::``. Not aware of graphs: a format finds its operators and their operands itself.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from isoform.hub.faults.table import Fault, Model
from isoform.hub.faults.weights import WEIGHT_FAULTS, Change, Weight

CONVOLUTIONS = ("_convolution", "convolution", "conv1d", "conv2d", "conv3d")
_MATRIX_PRODUCTS = ("matmul", "mm", "addmm")
_GATES = {"lstm": 4, "gru": 3}
LAYERS = (*CONVOLUTIONS, "linear", *_MATRIX_PRODUCTS, *_GATES)
NORMALISATIONS = (
    "batch_norm", "layer_norm", "group_norm", "instance_norm", "native_layer_norm",
    "_native_batch_norm_legit_no_training",
)  # fmt: skip
VIEWS = ("t", "transpose", "numpy_T", "detach", "permute")


def weight_of(kind: str, name: str, tensor: object) -> tuple[Weight, torch.Tensor] | None:
    """Return an operand of a layer of this kind as a weight; None where it is none, or a recurrent layer's bias."""
    if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float32 or tensor.numel() < 2:
        return None
    is_kernel = tensor.dim() > 1
    if kind in _GATES and not is_kernel:
        return None
    gates = (_GATES[kind], 0) if kind in _GATES else None
    window = (2, 3) if kind in CONVOLUTIONS and tensor.dim() == 4 else None
    channels = -1 if kind in _MATRIX_PRODUCTS and is_kernel else 0
    return Weight(name, tensor.detach().numpy().copy(), is_kernel, channels, window, gates), tensor


def of_weights(found: Callable[[Model], Iterator[tuple[Weight, torch.Tensor]]]) -> dict[str, Fault[Model]]:
    """Return the faults in one weight, by name; ``found`` yields a program's weights, each with its tensor."""
    return {name: _of_weights(found, change) for name, change in WEIGHT_FAULTS.items()}


def _of_weights(found: Callable[[Model], Iterator[tuple[Weight, torch.Tensor]]], change: Change) -> Fault[Model]:
    def fault(program: Model, rng: np.random.Generator) -> str | None:
        tensors = {weight.name: (weight, tensor) for weight, tensor in found(program)}
        changed = change([weight for weight, _ in tensors.values()], rng)
        if changed is None:
            return None
        name, array = changed
        with torch.no_grad():
            tensors[name][1].copy_(torch.from_numpy(array))
        return f"'{name}'"

    return fault
