"""A network whose inputs nobody declared is read for what it takes; a proposal that is said to run does run."""

import pytest
import torch
from torch import nn

from isoform.core.signature import TensorSpec
from isoform.hub.torch_inputs import proposed

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Flattened(nn.Module):
    """Runs at 28 x 28 only."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 28 * 28, 10)

    def forward(self, image, training_step=None):
        return self.head(self.stem(image).flatten(1))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.words = nn.Linear(128, 8), nn.Embedding(30000, 8)  # made in another order than used

    def forward(self, ids, features, mask):
        return (self.words(ids) * mask.unsqueeze(-1)).sum(1) + self.head(torch.relu(features * 2))


class Branching(nn.Module):
    """Cannot be traced beyond its first line."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.late = nn.LSTM(64, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        y, _ = self.gate(x)
        return self.late(y) if float(y.sum()) > -1e9 else y


class Opaque(nn.Module):
    def forward(self, x, y):
        raise RuntimeError("not this way")


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(7, 2)

    def forward(self, x):
        raise RuntimeError(self.layer(x))


@pytest.mark.parametrize(
    ("module", "inputs", "readers", "optional"),
    [
        (nn.Conv2d(3, 64, 7), ["input:float32[batch,3,224,224]"], {"input": "Conv2d(3, 64)"}, ()),
        (nn.Sequential(nn.ReLU(), nn.Linear(128, 9)), ["input:float32[batch,128]"], {"input": "Linear(128, 9)"}, ()),
        (nn.Embedding(30000, 8), ["input:int64[batch,length]:0..29999"], {"input": "Embedding(30000, 8)"}, ()),
        (nn.Conv1d(80, 8, 3), ["input:float32[batch,80,length]"], {"input": "Conv1d(80, 8)"}, ()),
        (nn.GRU(16, 8), ["input:float32[length,batch,16]"], {"input": "GRU(16)"}, ("hx",)),
        (Flattened(), ["image:float32[batch,1,28,28]"], {"image": "Conv2d(1, 4)"}, ("training_step",)),
        (
            Two(),
            ["ids:int64[batch,length]:0..29999", "features:float32[batch,128]", "mask:float32[batch,length]"],
            {"ids": "Embedding(30000, 8)", "features": "Linear(128, 8)"},
            (),
        ),
        (Branching(), ["x:float32[batch,length,64]"], {"x": "LSTM(64)"}, ()),
    ],
)  # fmt: skip
def test_inputs_are_proposed_by_their_readers_and_run(module, inputs, readers, optional) -> None:
    found = proposed(module.eval())
    assert list(found.inputs) == inputs
    assert (dict(found.readers), found.optional, found.is_run) == (readers, optional, True)
    assert [str(TensorSpec.parse(text)) for text in found.inputs]


def test_a_program_of_torchscript_is_read_by_the_names_of_its_layers() -> None:
    found = proposed(torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 3))).eval())
    assert (found.inputs, found.is_run) == (("input:float32[batch,3,224,224]",), True)
    assert found.readers == {"input": "Conv2d(3, 8)"}


def test_what_does_not_run_is_proposed_as_a_guess() -> None:
    found = proposed(Wrong().eval())
    assert (found.inputs, found.readers, found.is_run) == (("x:float32[batch,7]",), {"x": "Linear(7, 2)"}, False)


def test_where_nothing_tells_the_names_alone_are_proposed() -> None:
    found = proposed(Opaque())
    assert (found.inputs, found.readers, found.is_run) == (("x:DTYPE[DIM,...]", "y:DTYPE[DIM,...]"), {}, False)
