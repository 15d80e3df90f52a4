"""Residual networks after He et al., "Deep Residual Learning for Image Recognition" (2015), with bottlenecks."""

import random
from collections.abc import Sequence

import torch
from torch import nn
from utils.blocks import Bottleneck, normalised

RESNET50 = (3, 4, 6, 3)


class ResNet(nn.Module):
    """A stem, four stages, the mean over the image and a linear classifier."""

    def __init__(self, depths: Sequence[int], width: int, classes: int) -> None:
        super().__init__()
        self.stem = normalised(3, width, 7, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, channels = [], width
        for stage, depth in enumerate(depths):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                stages.append(Bottleneck(channels, width << stage, stride))
                channels = (width << stage) * Bottleneck.expansion
        self.stages = nn.Sequential(*stages)
        self.classify = nn.Linear(channels, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.stages(self.pool(torch.relu(self.stem(image))))
        return self.classify(features.mean((2, 3)))


def build(depths: Sequence[int] = RESNET50, width: int = 64, classes: int = 1000) -> ResNet:
    """Return a network; ``depths`` are the blocks of each stage, by default ResNet-50's."""
    return ResNet(depths, width, classes)


def trained(seed: int = 0, **arguments: object) -> nn.Module:
    """Return a network with weights that stand for trained ones."""
    return random.settle(build(**arguments), seed)
