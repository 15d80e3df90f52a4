"""Builds torchvision's networks, and its detection heads on feature pyramids, up to where boxes are decoded.

What follows there (non-maximum suppression) is a compiled operator of torchvision's that has no form elsewhere.
"""

from typing import Any

import torch
from torch import Tensor, nn

from isoform.hub import torchvision_operators
from zoo import vision


def build(package: str, name: str, **options: Any) -> nn.Module:
    """Return ``torchvision.models.<package>.<name>`` with seeded weights, in eval mode."""
    torchvision_operators.make_importable()
    import importlib

    module = importlib.import_module(f"torchvision.models.{package}" if package else "torchvision.models")
    torch.manual_seed(0)
    return vision.without_constants(getattr(module, name)(weights=None, **options)).eval()


def detector(head: str, backbone: str) -> nn.Module:
    """Return a network of timm's with a feature pyramid and a head of torchvision's behind it.

    Args:
        head: "retinanet", "fcos", "ssd" or "rpn".
    """
    torchvision_operators.make_importable()
    torch.manual_seed(0)
    return vision.without_constants(_Detector(head, backbone)).eval()


class _Detector(nn.Module):
    def __init__(self, head: str, backbone: str, width: int = 32, classes: int = 5, anchors: int = 3) -> None:
        super().__init__()
        import timm
        from torchvision.models.detection.fcos import FCOSHead
        from torchvision.models.detection.retinanet import RetinaNetHead
        from torchvision.models.detection.rpn import RPNHead
        from torchvision.models.detection.ssd import SSDHead
        from torchvision.ops import FeaturePyramidNetwork

        self.body = timm.create_model(backbone, pretrained=False, features_only=True, out_indices=(2, 3, 4))
        self.pyramid = FeaturePyramidNetwork(self.body.feature_info.channels(), width)
        heads = {
            "retinanet": lambda: RetinaNetHead(width, anchors, classes),
            "fcos": lambda: FCOSHead(width, 1, classes, num_convs=2),
            "ssd": lambda: SSDHead([width] * 3, [anchors] * 3, classes),
            "rpn": lambda: RPNHead(width, anchors),
        }
        self.head = heads[head]()

    def forward(self, image: Tensor) -> Any:
        features = self.pyramid({str(place): each for place, each in enumerate(self.body(image))})
        return self.head(list(features.values()))
