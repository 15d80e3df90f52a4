"""A convolutional network for square colour images, channels first."""

import torch
from torch import nn


class ImageClassifier(nn.Module):
    """Two blocks of convolution, normalisation and pooling, then two dense layers."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *self._block(3, 64),
            *self._block(64, 128),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(128 * (image_size // 4) ** 2, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, 10),
            nn.Softmax(dim=-1),
        )

    @staticmethod
    def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
            nn.BatchNorm2d(channels_out, eps=1e-5, momentum=0.1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.features(image)  # [batch, 128, image_size / 4, image_size / 4]
        return self.classifier(features)


def build(image_size: int) -> nn.Module:
    """Return the network with fresh weights, for images of ``image_size`` by ``image_size`` pixels."""
    return ImageClassifier(image_size)
