"""A recurrent network that tells positive reviews from negative ones."""

import torch
from torch import nn

VOCABULARY_SIZE = 10_000


class TextClassifier(nn.Module):
    """Token ids in, the probability that the review is positive out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY_SIZE, 128)
        self.lstm1 = nn.LSTM(128, 64, batch_first=True)
        self.lstm2 = nn.LSTM(64, 32, batch_first=True)
        self.hidden = nn.Linear(32, 64)
        self.output = nn.Linear(64, 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm1(self.embedding(tokens))  # [batch, length, 64]
        states, _ = self.lstm2(states)  # [batch, length, 32]
        hidden = torch.relu(self.hidden(states[:, -1]))
        return torch.sigmoid(self.output(hidden))


def build() -> nn.Module:
    """Return the network with fresh weights."""
    return TextClassifier()
