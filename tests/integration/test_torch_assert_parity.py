"""`assert_parity` between a module and its export: equal passes, one altered weight does not."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from isoform.errors import UsageError
from isoform.testing import assert_parity

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
INPUTS = ["x:float32[batch,6]"]


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))


class Renamed(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return {"scores": self.inner(x)}


@pytest.fixture
def altered(module: nn.Module) -> nn.Module:
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed[0].weight[0, 0] *= 1.001
    return changed


def test_a_module_agrees_with_its_copy_and_not_with_an_altered_one(module: nn.Module, altered: nn.Module) -> None:
    assert_parity(module.train(), copy.deepcopy(module), inputs=INPUTS)
    assert module.training
    with pytest.raises(AssertionError, match="'output' differs most at") as caught:
        assert_parity(module, altered, inputs=INPUTS)
    assert "weaker" not in str(caught.value)


def test_a_program_on_disk_agrees_and_an_altered_one_does_not(
    module: nn.Module, altered: nn.Module, tmp_path: Path
) -> None:
    for name, network in (("same.ts", module), ("other.ts", altered)):
        torch.jit.trace(Renamed(network).eval(), (torch.zeros(2, 6),), strict=False).save(str(tmp_path / name))
    assert_parity(Renamed(module), tmp_path / "same.ts", inputs=INPUTS)
    with pytest.raises(AssertionError, match="FAIL +torch-jit .* bits lost"):
        assert_parity(Renamed(module), str(tmp_path / "other.ts"), inputs=INPUTS)


def test_a_file_of_weights_is_no_candidate(module: nn.Module, tmp_path: Path) -> None:
    torch.save(module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"^None of these runtimes opens 'torch'\.$"):
        assert_parity(module, tmp_path / "w.pt", inputs=INPUTS)


def test_a_file_of_weights_with_its_network_is_a_reference(
    module: nn.Module, altered: nn.Module, tmp_path: Path
) -> None:
    torch.save(module.state_dict(), tmp_path / "w.pt")
    code = "from torch import nn\ndef build(): return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))\n"
    (tmp_path / "net.py").write_text(code)
    arch = f"{tmp_path / 'net.py'}:build"
    assert_parity(tmp_path / "w.pt", module, arch=arch, inputs=INPUTS)
    with pytest.raises(AssertionError):
        assert_parity(tmp_path / "w.pt", altered, arch=arch, inputs=INPUTS)
