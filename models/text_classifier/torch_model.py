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
        self._initialise()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm1(self.embedding(tokens))  # [batch, length, 64]
        states, _ = self.lstm2(states)  # [batch, length, 32]
        hidden = torch.relu(self.hidden(states[:, -1]))
        return torch.sigmoid(self.output(hidden))

    def _initialise(self) -> None:
        """Start as Keras does; an LSTM whose forget gates begin half closed needs many epochs to see far."""
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        for lstm in (self.lstm1, self.lstm2):
            nn.init.xavier_uniform_(lstm.weight_ih_l0)
            nn.init.orthogonal_(lstm.weight_hh_l0)
            nn.init.zeros_(lstm.bias_ih_l0)
            nn.init.zeros_(lstm.bias_hh_l0)
            with torch.no_grad():
                lstm.bias_ih_l0[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0


def build() -> nn.Module:
    """Return the network with fresh weights."""
    return TextClassifier()
