"""Attention whose mask hides every key from a query: PyTorch gives zeros, and so does every graph that comes of it."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from isoform import hub  # noqa: E402


class Attention(torch.nn.Module):
    def __init__(self, is_projected: bool) -> None:
        super().__init__()
        self.out = torch.nn.Linear(8, 8) if is_projected else torch.nn.Identity()

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q = x.unflatten(-1, (2, 4)).transpose(1, 2)
        found = torch.nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=mask[:, None, None, :] > 0)
        return self.out(found.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("is_projected", [False, True])
def test_rows_that_see_nothing_are_zeros(is_projected: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Attention(is_projected).eval()
    dims = {"x": {0: "batch", 1: "length"}, "mask": {0: "batch", 1: "length"}}
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]])
    graph = hub.from_torch(module, {"x": torch.randn(2, 5, 8), "mask": mask}, dims)
    hub.save(graph, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    x = torch.randn(2, 5, 8)
    found = session.run(None, {"x": x.numpy(), "mask": mask.numpy()})[0]
    np.testing.assert_allclose(found, module(x, mask).detach().numpy(), atol=1e-6)
    assert [spec.name for spec in session.get_outputs()] == [graph.graph.outputs[0].name]
    assert is_projected or not found[1].any()


class Causal(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(x.shape[1])
        mask, heads = steps[None, :] <= steps[:, None], x[:, None]
        return torch.nn.functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask)


def test_a_mask_of_sizes_alone_costs_nothing() -> None:
    graph = hub.from_torch(Causal(), {"x": torch.randn(2, 5, 8)}, {"x": {0: "batch", 1: "length"}})
    assert "ReduceMax" not in [node.op_type for node in graph.graph]
