"""Networks of many kinds through both of PyTorch's exporters, each answer compared at sizes that were not traced."""

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isoform import hub
from isoform.hub import torch_source

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)

    def forward(self, tokens, padding):
        return self.encoder(self.embedding(tokens), src_key_padding_mask=padding)


class Block(nn.Module):
    def __init__(self, width=16, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))
        self.is_causal = True

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, w))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(20, 16), nn.Embedding(512, 16)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.blocks(x))


class OldDecoder(Decoder):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tril(torch.ones(64, 64)).view(1, 1, 64, 64))
        self.attn = nn.Linear(16, 48)

    def forward(self, tokens):
        b, t = tokens.size()
        x = self.tokens(tokens)
        q, k, v = self.attn(x).split(16, dim=2)
        q, k, v = (z.view(b, t, 4, 4).transpose(1, 2) for z in (q, k, v))
        w = (q @ k.transpose(-2, -1)) * 0.5
        w = w.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")).softmax(-1)
        return self.head((w @ v).transpose(1, 2).contiguous().view(b, t, 16))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.cls, self.positions = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16))
        self.blocks = nn.ModuleList([Block(), Block()])
        for block in self.blocks:
            block.is_causal = False
        self.head = nn.Linear(16, 5)

    def forward(self, image):
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, 0])


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.Conv2d(16, 16, 3, padding=1),
        )
        self.n = nn.GroupNorm(4, 16)
        self.u, self.v = nn.ConvTranspose2d(16, 8, 2, 2), nn.ConvTranspose2d(24, 8, 2, 2)
        self.o = nn.Conv2d(16, 2, 1)

    def forward(self, image):
        a = self.a(image).relu()
        b = self.b(F.max_pool2d(a, 2)).relu()
        c = self.n(self.c(F.max_pool2d(b, 2))).relu()
        return self.o(torch.cat([a, self.v(torch.cat([b, self.u(c)], 1))], 1))


class BiLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)
        self.output = nn.Linear(10, 3)

    def forward(self, tokens):
        states, (h, _) = self.lstm(self.embedding(tokens))
        return self.output(states), h


class GRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 5, batch_first=True)
        self.rnn = nn.RNN(5, 3)

    def forward(self, x):
        y, _ = self.gru(x)
        y, _ = self.rnn(y.transpose(0, 1))
        return y.transpose(0, 1)


class Rearranged(nn.Module):
    def forward(self, x):
        b, c, h, w = x.shape
        y = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(b, (h // 2) * (w // 2), 4 * c)
        return torch.einsum("bnc,bmc->bnm", y, y)


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(6, 6, 3, padding=1, groups=6),
            nn.BatchNorm2d(6),
            nn.Hardswish(),
            nn.Conv2d(6, 8, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def forward(self, image):
        return self.net(image)


class Interpolated(nn.Module):
    def forward(self, x):
        y = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return y + F.interpolate(x, size=y.shape[-2:], mode="nearest")


class Sampled(nn.Module):
    def forward(self, image, grid):
        return F.grid_sample(image, grid * 2 - 1, align_corners=False)


class Swin(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(6, 6)

    def forward(self, x):
        y = torch.roll(x, (-2, -2), (1, 2))
        b, h, w, c = y.shape
        y = y.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        y = self.l(y).view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return torch.roll(y, (2, 2), (1, 2)) + x


class Dicts(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 3)

    def forward(self, x):
        y = self.l(x)
        return {"scores": y, "best": y.argmax(-1), "input": x}


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 3)

    def forward(self, x):
        y = self.l(x)
        return y, (y.tanh(), [y.sigmoid(), None])


class Args(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 3)

    def forward(self, *args):
        return self.l(args[0]) + self.l(args[1])


class Optionals(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 3)

    def forward(self, x, mask=None, *, scale=None):
        y = self.l(x)
        if mask is not None:
            y = y.masked_fill(mask[:, None], 0.0)
        return y * scale if scale is not None else y


class Dtypes(nn.Module):
    def forward(self, index, flag, value):
        return torch.where(flag, index * 2, index), value.half() * 2, value.double().sum(-1), flag.any()


class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 4).half()

    def forward(self, x):
        return self.l(x).relu()


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]))
        self.register_buffer("shift", torch.tensor([0.5, 0.25, 0.125]), persistent=False)
        self.plain = torch.tensor([2.0, 1.0, 4.0])

    def forward(self, x):
        return x * self.scale + self.shift - self.plain


class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
        self.l = nn.Linear(4, 2)

    def forward(self, x):
        return self.l(self.body(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=6)
        self.s = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, y):
        z, w = self.m(x, y, y)
        return self.s(z, z, z, need_weights=False)[0], w


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 3, padding=2, dilation=2))
        self.i = nn.InstanceNorm1d(6, affine=True)
        self.p = nn.PReLU(6)

    def forward(self, x):
        return self.p(self.i(self.w(x)))


def tokens(b: int, n: int) -> torch.Tensor:
    return torch.randint(0, 20, (b, n))


BATCH = {0: "batch"}
LENGTH = {0: "batch", 1: "length"}
AREA = {0: "batch", 2: "height", 3: "width"}
ZOO = {
    "encoder": (
        Encoder,
        lambda b, n: {"tokens": tokens(b, n), "padding": torch.arange(n).expand(b, n) > n // 2},
        {"tokens": LENGTH, "padding": LENGTH},
    ),
    "decoder": (Decoder, lambda b, n: {"tokens": tokens(b, n)}, {"tokens": LENGTH}),
    "old_decoder": (OldDecoder, lambda b, n: {"tokens": tokens(b, n)}, {"tokens": LENGTH}),
    "vit": (ViT, lambda b, n: {"image": torch.randn(b, 3, 16, 16)}, {"image": BATCH}),
    "unet": (UNet, lambda b, n: {"image": torch.randn(b, 3, 4 * n, 8 * n)}, {"image": AREA}),
    "bilstm": (BiLSTM, lambda b, n: {"tokens": tokens(b, n)}, {"tokens": LENGTH}),
    "gru": (GRU, lambda b, n: {"x": torch.randn(b, n, 4)}, {"x": LENGTH}),
    "rearranged": (Rearranged, lambda b, n: {"x": torch.randn(b, 3, 2 * n, 4)}, {"x": AREA}),
    "depthwise": (Depthwise, lambda b, n: {"image": torch.randn(b, 6, n, n + 1)}, {"image": AREA}),
    "interpolated": (Interpolated, lambda b, n: {"x": torch.randn(b, 3, n, n + 1)}, {"x": AREA}),
    "sampled": (
        Sampled,
        lambda b, n: {"image": torch.randn(b, 3, 8, 8), "grid": torch.rand(b, n, 6, 2)},
        {"image": BATCH, "grid": {0: "batch", 1: "rows"}},
    ),
    "swin": (
        Swin,
        lambda b, n: {"x": torch.randn(b, 4 * n, 8, 6)},
        {"x": {0: "batch", 1: "height", 2: "width"}},
    ),
    "dicts": (Dicts, lambda b, n: {"x": torch.randn(b, 4)}, {"x": BATCH}),
    "nested": (Nested, lambda b, n: {"x": torch.randn(b, 4)}, {"x": BATCH}),
    "optional": (Optionals, lambda b, n: {"x": torch.randn(b, 4), "scale": torch.rand(3)}, {"x": BATCH}),
    "optional_mask": (
        Optionals,
        lambda b, n: {"x": torch.randn(b, 4), "mask": torch.arange(b) % 2 == 0},
        {"x": BATCH, "mask": BATCH},
    ),
    "dtypes": (
        Dtypes,
        lambda b, n: {"index": tokens(b, 3), "flag": tokens(b, 3) > 9, "value": torch.randn(b, 3)},
        {"index": BATCH, "flag": BATCH, "value": BATCH},
    ),
    "half": (Half, lambda b, n: {"x": torch.randn(b, 8).half()}, {"x": BATCH}),
    "buffers": (Buffers, lambda b, n: {"x": torch.randn(b, 3)}, {"x": BATCH}),
    "scripted": (Scripted, lambda b, n: {"x": torch.randn(b, 4)}, {"x": BATCH}),
    "attention": (
        Attention,
        lambda b, n: {"x": torch.randn(b, n, 8), "y": torch.randn(b, n + 2, 6)},
        {"x": LENGTH, "y": {0: "batch", 1: "keys"}},
    ),
    "norms": (Norms, lambda b, n: {"x": torch.randn(b, 4, n + 3)}, {"x": {0: "batch", 2: "length"}}),
}
EXPORTED = ("encoder", "old_decoder", "unet", "dicts", "optional_mask", "scripted")
"""Those that the newer exporter is tried on as well: it takes seconds for each."""
CASES = [
    *((name, "trace") for name in ZOO if name != "scripted"),
    *((name, "export") for name in EXPORTED),
]


@pytest.fixture(autouse=True)
def one_attention():
    """Let eager attention compute every position: its fused kernels leave padded ones at zero."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


def fresh(name: str) -> nn.Module:
    """Return a network with no weight left at zero or one, where a fault would hide."""
    torch.manual_seed(3)
    module = ZOO[name][0]().eval()
    for parameter in module.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return module


def run(model: ir.Model, inputs: dict[str, torch.Tensor]) -> list[np.ndarray]:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), settings)
    return session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})


@pytest.mark.parametrize(("name", "exporter"), CASES)
def test_the_graph_answers_as_the_module_at_other_sizes(name: str, exporter: str) -> None:
    module = fresh(name)
    _, inputs, axes = ZOO[name]
    model = hub.from_torch(module, inputs(2, 2), axes, exporter=exporter)
    for b, n in ((1, 1), (3, 5)):
        torch.manual_seed(b)
        case = inputs(b, n)
        with torch.no_grad():
            wanted = torch_source.flattened(module(**case))
        found = run(model, case)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            tolerance = 1e-2 if other.dtype == torch.float16 else 2e-4
            np.testing.assert_allclose(one, other.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("exporter", ["trace", "export"])
def test_weights_are_called_as_in_the_state_dict(exporter: str) -> None:
    module = fresh("bilstm")
    _, inputs, axes = ZOO["bilstm"]
    model = hub.from_torch(module, inputs(2, 2), axes, exporter=exporter)
    large = {name for name, value in model.graph.initializers.items() if value.const_value.size > 16}
    assert large <= set(module.state_dict())
    assert {"lstm.weight_ih_l0", "lstm.weight_hh_l1", "embedding.weight", "output.weight"} <= large


def test_a_row_of_arguments_is_called_in_order() -> None:
    module = Args().eval()
    row = (torch.randn(2, 4), torch.randn(2, 4))
    model = hub.from_torch(module, row, (BATCH, BATCH), exporter="trace")
    names = [value.name for value in model.graph.inputs]
    [found] = run(model, dict(zip(names, row, strict=True)))
    np.testing.assert_allclose(found, module(*row).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_module_in_training_is_exported_for_inference_and_stays_in_training() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    model = hub.from_torch(module, (torch.randn(2, 4),), (BATCH,), exporter="trace")
    assert module.training
    assert module[1].training
    assert "Dropout" not in [node.op_type for node in model.graph]


def test_outputs_of_a_dictionary_keep_its_keys() -> None:
    model = hub.from_torch(fresh("dicts"), (torch.randn(2, 4),), (BATCH,), exporter="trace")
    assert [value.name for value in model.graph.outputs] == ["scores", "best", "input"]
