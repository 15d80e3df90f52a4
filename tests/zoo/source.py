"""``python -m zoo.source NAME FILE``: build an architecture and write what a user would hand over, a checkpoint.

A PyTorch network becomes a safetensors file with its weights alone, a Keras model a .keras file.
"""

import sys
import warnings
from pathlib import Path

from zoo.catalogue import entries
from zoo.entry import Entry

SUFFIXES = {"torch": ".safetensors", "keras": ".keras"}


def write(entry: Entry, path: Path) -> None:
    """Write the checkpoint of ``entry`` with its seeded weights."""
    network = entry.build()
    if entry.framework == "keras":
        network.save(path)
        return
    import safetensors.torch

    safetensors.torch.save_model(network, path)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(entries()[sys.argv[1]], Path(sys.argv[2]))
