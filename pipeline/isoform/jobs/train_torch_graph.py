"""A PyTorch network as TensorBoard draws it."""

import sys
import traceback
from types import ModuleType

import torch


def drawn(network: torch.nn.Module, inputs: torch.Tensor) -> bytes | None:
    """Return a GraphDef, serialised, of ``network`` called with ``inputs``; None where it cannot be traced.

    TensorBoard imports TensorFlow wherever it is installed, for hundreds of megabytes and seconds, unless a module
    says that there is none: then its own stub does.
    """
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
    from torch.utils.tensorboard._pytorch_graph import graph  # what add_graph writes, without its file writer

    try:
        definition, _ = graph(network, inputs)
    except RuntimeError:  # it is trained all the same
        traceback.print_exc()
        return None
    written: bytes = definition.SerializeToString()
    return written
