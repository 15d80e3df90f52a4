"""``python -m figures.compare_torch NETWORK SIZE ONNX``: TorchScript from ONNX beside torch.jit.trace of the source.

With a path as third argument the ONNX file is written there and nothing is timed.
"""

import json
import sys
import warnings
from pathlib import Path

import torch

from figures.blocks import compare
from isoform import hub
from isoform.hub import graph
from zoo import vision


def network(name: str) -> torch.nn.Module:
    """Return the network; ResNet50 as Keras has it, with the stride in the first convolution of a block."""
    module = vision.build(name)
    if name == "resnet50":
        for block in module.modules():
            if hasattr(block, "conv3") and block.conv2.stride == (2, 2):
                block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    return module


def main() -> None:
    name, size, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    module = network(name)
    traced = torch.rand(2, 3, size, size)
    model = hub.from_torch(module, (traced,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    if path:
        graph.save(model, Path(path))
        print("{}")
        return
    image = torch.rand(1, 3, size, size)
    with torch.no_grad():
        ours, peer = (torch.jit.trace(each, traced, check_trace=False) for each in (hub.to_torch(model), module))
        torch.testing.assert_close(ours(image), peer(image), rtol=1e-3, atol=1e-4)
        print(json.dumps(compare(lambda: ours(image), lambda: peer(image))))


if __name__ == "__main__":
    main()
