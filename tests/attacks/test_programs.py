"""TorchScript, PT2 and shards that are cut, or hold weights that are no numbers (faults 6, 11 and 17)."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, from_file
from isoform.isolation import Pool

INPUT = [TensorSpec.parse("x:float32[batch,3]")]
NET = "from torch import nn\ndef build():\n    return nn.Linear(3, 4)\n"


def network(value: float = 1.0) -> torch.nn.Module:
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 4).eval()
    with torch.no_grad():
        module.weight[1, 1] = value
    return module


def torchscript(module: torch.nn.Module) -> bytes:
    file = io.BytesIO()
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3), check_trace=False), file)
    return file.getvalue()


def pt2(module: torch.nn.Module) -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3),)), file)
    return file.getvalue()


def shards(module: torch.nn.Module) -> bytes:
    return safetensors.torch.save(module.state_dict())


MAKERS: dict[str, Callable[[torch.nn.Module], bytes]] = {"m.ts": torchscript, "m.pt2": pt2, "m.safetensors": shards}


@pytest.fixture
def request_of(repository: Path) -> Callable[[Path], FileRequest]:
    """What a user would say of each file; a shard is opened through its index."""
    (repository / "linear.py").write_text(NET)

    def request(path: Path) -> FileRequest:
        if path.suffix == ".safetensors":
            index = path.with_name("m.safetensors.index.json")
            index.write_text(json.dumps({"weight_map": dict.fromkeys(network().state_dict(), path.name)}))
            return FileRequest(index, f"{repository}/linear.py:build", None, INPUT)
        return FileRequest(path, inputs=INPUT if path.suffix == ".ts" else [])

    return request


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
@pytest.mark.parametrize("name", MAKERS)
def test_a_cut_file_is_truncated(
    tmp_path: Path, pool: Pool, request_of: Callable[[Path], FileRequest], name: str, percent: int
) -> None:
    data = MAKERS[name](network())
    (tmp_path / name).write_bytes(data[: len(data) * percent // 100])
    with pytest.raises(IsoformError, match=rf"{name}.*truncated"):
        from_file(request_of(tmp_path / name), pool, tmp_path / "work")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("name", MAKERS)
def test_a_weight_that_is_no_number_is_named(
    tmp_path: Path, pool: Pool, request_of: Callable[[Path], FileRequest], name: str, value: float
) -> None:
    (tmp_path / name).write_bytes(MAKERS[name](network(value)))
    with pytest.raises(IsoformError, match="1 weights hold NaN or infinities: weight") as caught:
        from_file(request_of(tmp_path / name), pool, tmp_path / "work")
    assert "--allow-nonfinite" in caught.value.hint
