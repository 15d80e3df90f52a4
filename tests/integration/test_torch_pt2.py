"""What is written as an exported program runs at sizes of one, where PyTorch asks how memory lies and excludes them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.hub import pt2, pt2_archive
from isoform.hub.torchscript import Named

SIGNATURE = Signature(
    (TensorSpec.parse("x:float32[batch,length,4]"),), (TensorSpec.parse("last:float32[batch,2]"),)
)  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 5, batch_first=True)
        self.last = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layer(x)[0][:, -1])


class DecidedBySize(Recurrent):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = super().forward(x)
        return answer if x.shape[0] != 1 else answer + 1


def written(module: nn.Module, folder: Path) -> Path:
    pt2.write(Named(module.eval(), SIGNATURE), SIGNATURE, folder / "model.pt2")
    return folder / "model.pt2"


@pytest.mark.parametrize("shape", [(1, 7, 4), (3, 1, 4), (1, 1, 4)])
def test_a_recurrent_network_takes_a_batch_and_a_length_of_one(shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, x = Recurrent(), torch.rand(shape)
    program = pt2_archive.opened(written(module, tmp_path)).module()
    with torch.no_grad():
        torch.testing.assert_close(program(x), module(x))


def test_a_network_that_decides_by_a_size_of_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsoformError) as caught:
        written(DecidedBySize(), tmp_path)
    assert caught.value.kind in ("export", "frozen-axis")
    assert not list(tmp_path.iterdir())
