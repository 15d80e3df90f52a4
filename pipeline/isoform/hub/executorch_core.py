"""ExecuTorch, imported without what its packages say on the way: that it is experimental, and which of torchao's
libraries for other processors do not load here.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep remarks of ExecuTorch, torchao and PyTorch on their own internals out of the log, down to errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


with quiet():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

__all__ = ["EdgeCompileConfig", "Runtime", "XnnpackPartitioner", "portable_lib", "quiet", "to_edge_transform_and_lower"]
