"""``python -m figures.sources savedmodel|torchscript PATH IMAGE_SIZE``: the image classifier in the form of a file.

It is written in a process of its own, so that the one that measures has never held more than it reads.
"""

import sys
from pathlib import Path

from figures.conversions import network


def savedmodel(path: Path, image_size: int) -> None:
    """Write what Keras exports."""
    network("keras", image_size).export(path, verbose=False)


def torchscript(path: Path, image_size: int) -> None:
    """Write a trace."""
    import torch

    module = network("torch", image_size).eval()
    with torch.no_grad():
        torch.jit.trace(module, torch.rand(2, 3, image_size, image_size)).save(str(path))


WRITERS = {"savedmodel": savedmodel, "torchscript": torchscript}

if __name__ == "__main__":
    WRITERS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
