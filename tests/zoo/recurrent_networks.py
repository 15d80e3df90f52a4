"""Recurrent networks of published shape from PyTorch's own cells: taggers, a speech and a text recogniser."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo import vision


def build(kind: str, **options: Any) -> nn.Module:
    """Return the network ``kind``, a key of `NETWORKS`, with seeded weights, in eval mode."""
    torch.manual_seed(0)
    return vision.without_constants(NETWORKS[kind](**options)).eval()


class Tagger(nn.Module):
    """A label for each token from a bidirectional, stacked network over embeddings."""

    def __init__(self, cell: str, width: int = 24, layers: int = 2, bidirectional: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 32)
        self.cells = getattr(nn, cell)(32, width, layers, batch_first=True, bidirectional=bidirectional)
        self.labels = nn.Linear(width * (1 + bidirectional), 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.labels(self.cells(self.embedding(ids))[0])


class Forecaster(nn.Module):
    """The next values of a series and the network's last state."""

    def __init__(self, cell: str, width: int = 24, layers: int = 2) -> None:
        super().__init__()
        self.cells = getattr(nn, cell)(16, width, layers, batch_first=True)
        self.values = nn.Linear(width, 4)

    def forward(self, series: Tensor) -> Any:
        steps, state = self.cells(series)
        return self.values(steps[:, -1]), state


class Resumed(nn.Module):
    """One piece of a stream: the caller gives the state and gets it back."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.cells = nn.LSTM(16, width, batch_first=True)
        self.values = nn.Linear(width, 4)

    def forward(self, series: Tensor, hidden: Tensor, cell: Tensor) -> Any:
        steps, (hidden, cell) = self.cells(series, (hidden, cell))
        return self.values(steps), hidden, cell


class DeepSpeech2(nn.Module):
    """Convolutions over a spectrogram, then bidirectional GRUs: Amodei et al. 2015, two layers of each."""

    def __init__(self, bands: int = 40, width: int = 32) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 8, (11, 11), (2, 2), (5, 5)), nn.BatchNorm2d(8), nn.Hardtanh(0, 20),
            nn.Conv2d(8, 8, (11, 11), (2, 1), (5, 5)), nn.BatchNorm2d(8), nn.Hardtanh(0, 20),
        )  # fmt: skip
        self.cells = nn.GRU(8 * (bands // 4), width, 2, batch_first=True, bidirectional=True)
        self.letters = nn.Linear(2 * width, 29)

    def forward(self, spectrogram: Tensor) -> Tensor:
        x = self.convolutions(spectrogram[:, None]).flatten(1, 2).transpose(1, 2)  # [batch, time, feature]
        return self.letters(self.cells(x)[0]).log_softmax(-1)


class Crnn(nn.Module):
    """Text in an image: convolutions to one row, then a bidirectional LSTM along it: Shi et al. 2015."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, pool in ((1, 16, (2, 2)), (16, 32, (2, 2)), (32, 64, (2, 1)), (64, 64, (4, 1))):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(pool)]
        self.convolutions = nn.Sequential(*layers)
        self.cells = nn.LSTM(64, width, 2, bidirectional=True)
        self.letters = nn.Linear(2 * width, 37)

    def forward(self, image: Tensor) -> Tensor:
        row = self.convolutions(image).squeeze(2).permute(2, 0, 1)  # [time, batch, feature]
        return self.letters(self.cells(row)[0])


class Translator(nn.Module):
    """Encoder and decoder with attention over all steps of the encoder: Luong et al. 2015."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 32)
        self.encoder = nn.GRU(32, width, batch_first=True)
        self.decoder = nn.GRU(32, width, batch_first=True)
        self.score = nn.Linear(width, width, bias=False)
        self.words = nn.Linear(2 * width, 500)

    def forward(self, ids: Tensor, target: Tensor) -> Tensor:
        memory, state = self.encoder(self.embedding(ids))
        steps, _ = self.decoder(self.embedding(target), state)
        weights = (self.score(steps) @ memory.transpose(1, 2)).softmax(-1)
        return self.words(torch.cat([steps, weights @ memory], -1))


NETWORKS: dict[str, type[nn.Module]] = {
    "tagger": Tagger, "forecaster": Forecaster, "resumed": Resumed, "deepspeech2": DeepSpeech2, "crnn": Crnn,
    "translator": Translator,
}  # fmt: skip
