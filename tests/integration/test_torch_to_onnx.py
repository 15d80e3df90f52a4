"""What PyTorch's exporters would freeze or drop is found and named; files and weights of both routes."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from isoform import hub
from isoform.converters import torch_to_onnx, torch_to_onnx_traced
from isoform.core.artifact import Architecture, Artifact
from isoform.core.protocols import ConvertOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UsageError
from isoform.hub import answers, examples, torch_source

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

BATCH, LENGTH = {0: "batch"}, {0: "batch", 1: "length"}
CODE = """
from torch import nn

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(20, 6)
        self.head = nn.Linear(6, 20, bias=False)
        self.head.weight = self.tokens.weight
    def forward(self, tokens):
        return self.head(self.tokens(tokens))

def build():
    return Tied()
"""
TIED = Signature(
    (TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=20),),
    (TensorSpec("scores", "float32", ("batch", "length", 20)),),
)


class ByValue(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            x = x * 2
        return x + 1


class BySize(nn.Module):
    def __init__(self, limit=512):
        super().__init__()
        self.limit = limit

    def forward(self, x):
        if x.shape[1] > self.limit:
            x = x * 2
        return x + 1


class ByLength(nn.Module):
    def forward(self, x):
        return x.new_ones(len(x), 3) * x[:, :1] + len([x, x])


class Positions(nn.Module):
    def __init__(self, count=60):
        super().__init__()
        self.table = nn.Parameter(torch.rand(count, 4))

    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError("longer than the table")
        return x + self.table[: x.shape[1]]


class Sliced(Positions):
    def forward(self, x):
        return x + self.table[: x.shape[1]]


class ContiguousWhenLarge(nn.Module):
    def forward(self, x):
        if x.shape[0] >= 64:
            x = x.contiguous()
        return x * 2


class Guarded(nn.Module):
    def forward(self, x):
        assert x.shape[1] <= 512
        if x.shape[2] > 3:
            x = x * 2
        if x.shape[0] != x.shape[0]:
            raise ValueError("never")
        return x + 1


class Unrolled(nn.Module):
    def forward(self, x):
        y = x[:, 0]
        for step in range(1, x.shape[1]):
            y = y * 0.5 + x[:, step]
        return y


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft2(x).abs()


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.attention(y, y, y, need_weights=False)[0]


def tied(folder: Path, names: tuple[str, ...]) -> Artifact:
    (folder / "net.py").write_text(CODE)
    weight = torch.randn(20, 6)
    safetensors.torch.save_file({name: weight.clone() for name in names}, folder / "w.safetensors")
    return Artifact("torch", folder / "w.safetensors", TIED, Architecture(folder, "net.py:build"))


def test_a_decision_by_values_is_refused_with_its_line() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(ByValue(), (torch.rand(2, 3),), (BATCH,), exporter="trace")
    assert caught.value.kind == "control-flow"
    assert "decides in Python by values of its inputs" in caught.value.what
    assert "`if x.sum() > 0:`" in caught.value.what
    assert "test_torch_to_onnx.py:" in caught.value.what


def test_torch_export_names_the_line_of_a_decision_by_values() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(ByValue(), (torch.rand(2, 3),), (BATCH,))
    assert caught.value.kind == "control-flow"
    assert re.fullmatch(
        r"torch\.export failed: the model decides in Python by values of its inputs: "
        r"test_torch_to_onnx\.py:\d+ `if x\.sum\(\) > 0:`",
        caught.value.what,
    )


def test_torch_export_names_the_line_where_a_size_that_values_decide_is_looked_at() -> None:
    class Chosen(nn.Module):
        def forward(self, x):
            rows = x[x[:, 0] > 0]
            if len(rows) > 1:
                rows = rows * 2
            return rows

    with pytest.raises(IsoformError) as caught:
        hub.from_torch(Chosen(), (torch.rand(4, 3),), (BATCH,))
    assert caught.value.what.endswith("`if len(rows) > 1:`")


def test_torch_export_names_the_line_that_makes_a_plain_number_of_a_dynamic_size() -> None:
    class Listed(nn.Module):
        def forward(self, x):
            places = list(range(x.shape[1]))
            return x[:, places[::2]]

    with pytest.raises(IsoformError) as caught:
        hub.from_torch(Listed(), (torch.rand(2, 5),), (LENGTH,))
    assert caught.value.kind == "frozen-axis"
    assert re.fullmatch(
        r"torch\.export failed: the model makes a plain number of a dynamic size: "
        r"test_torch_to_onnx\.py:\d+ `places = list\(range\(x\.shape\[1\]\)\)`",
        caught.value.what,
    )


def test_torch_export_names_the_line_of_the_model_that_fails() -> None:
    class WithoutMask(nn.Module):
        def forward(self, x, mask=None):
            return x * mask[:, None] if torch.compiler.is_compiling() else x

    with pytest.raises(IsoformError) as caught:
        hub.from_torch(WithoutMask(), (torch.rand(2, 5),), (LENGTH,))
    assert re.fullmatch(
        r"torch\.export failed: TypeError: 'NoneType' object is not subscriptable, at test_torch_to_onnx\.py:\d+ "
        r"`return x \* mask\[:, None\] if torch\.compiler\.is_compiling\(\) else x`",
        caught.value.what,
    )


def test_a_decision_by_a_dynamic_size_is_refused_though_no_tried_size_shows_it() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(BySize(), (torch.rand(2, 5),), (LENGTH,), exporter="trace")
    assert "decides in Python by its sizes" in caught.value.what
    assert "`if x.shape[1] > self.limit:`" in caught.value.what


def test_the_same_decision_by_a_fixed_size_is_kept() -> None:
    model = hub.from_torch(BySize(), (torch.rand(2, 5),), (BATCH,), exporter="trace")
    assert [node.op_type for node in model.graph] == ["Add"]


def test_statements_that_only_raise_and_fixed_sizes_are_let_pass() -> None:
    model = hub.from_torch(Guarded(), (torch.rand(2, 5, 4),), (LENGTH,), exporter="trace")
    assert [node.op_type for node in model.graph] == ["Mul", "Add"]


def test_a_loop_unrolled_at_the_traced_length_is_found_by_running_the_graph() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(Unrolled(), (torch.rand(2, 5, 4),), (LENGTH,), exporter="trace")
    assert caught.value.kind == "frozen-axis"
    assert "length=7" in caught.value.what


def test_a_bound_beyond_which_the_export_answers_otherwise_is_refused() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(BySize(), (torch.rand(2, 5),), (LENGTH,))
    assert caught.value.kind == "frozen-axis"
    assert "batch=2, length=513" in caught.value.what


def test_the_length_of_a_tensor_in_python_does_not_freeze_the_batch() -> None:
    model = hub.from_torch(ByLength(), (torch.rand(2, 5),), (BATCH,))
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    x = np.random.default_rng(0).random((7, 5), np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.ones((7, 3)) * x[:, :1] + 2, rtol=1e-6)
    assert "len" not in globals()


def test_a_module_that_is_sent_where_it_is_stays_there() -> None:
    class Router(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = nn.Linear(5, 4)

        def forward(self, x):
            self.scores = self.scores.to(x.dtype).to("cpu")
            return self.scores(x).softmax(-1)

    router, before = Router().eval(), nn.Module.to
    model = hub.from_torch(router, (torch.rand(2, 5),), (BATCH,))
    x = torch.rand(7, 5)
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    with torch.no_grad():
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], router(x).numpy(), rtol=1e-5)
    assert nn.Module.to is before


def test_a_bound_that_is_too_large_to_be_tried_is_refused() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(BySize(limit=5000), (torch.rand(2, 5),), (LENGTH,))
    assert caught.value.what == "The dimension 'length' of 'x' works only up to 5000."
    assert caught.value.kind == "bounded-axis"


def test_a_bound_is_kept_where_the_module_does_not_answer_beyond_it_either() -> None:
    model = hub.from_torch(Positions(), (torch.rand(2, 5, 4),), (LENGTH,))
    assert model.graph.inputs[0].shape[1] == "length"


@pytest.mark.parametrize("kind", [Positions, Sliced])
def test_a_bound_that_is_too_large_to_be_tried_is_kept_where_shapes_alone_make_the_module_raise(kind) -> None:
    model = hub.from_torch(kind(5000), (torch.rand(2, 5, 4),), (LENGTH,))
    assert model.graph.inputs[0].shape[1] == "length"


def test_a_bound_that_changes_no_answer_is_none() -> None:
    model = hub.from_torch(ContiguousWhenLarge(), (torch.rand(2, 5),), (BATCH,))
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    x = np.random.default_rng(0).random((70, 5), np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x * 2)


def test_complex_numbers_that_the_older_exporter_has_no_form_for_are_refused() -> None:
    with pytest.raises(IsoformError) as caught:
        hub.from_torch(Spectrum(), (torch.rand(2, 4, 4),), (BATCH,), exporter="trace")
    assert caught.value.kind == "export"
    assert "fft" in caught.value.what


def test_a_recurrent_layer_keeps_its_length_although_it_was_exported_before() -> None:
    torch.export.export(Stacked().eval(), (torch.rand(2, 5, 4),))  # PyTorch remembers the kernel that it took here
    model = hub.from_torch(Stacked().eval(), (torch.rand(2, 5, 4),), (LENGTH,))
    assert [node.op_type for node in model.graph].count("LSTM") == 1
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    assert session.run(None, {"x": np.zeros((3, 8, 4), np.float32)})[0].shape == (3, 8, 6)


@pytest.mark.parametrize("converter", [torch_to_onnx, torch_to_onnx_traced])
def test_tied_weights_may_be_in_the_file_once(tmp_path: Path, converter) -> None:
    converter.convert(tied(tmp_path, ("tokens.weight",)), tmp_path / "model.onnx", ConvertOptions())
    [value] = onnx.load(tmp_path / "model.onnx").graph.input
    assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch", "length"]


def test_tied_weights_stay_one_tensor_and_are_mapped_not_copied(tmp_path: Path) -> None:
    module = torch_source.load(tied(tmp_path, ("tokens.weight", "head.weight")))
    assert module.head.weight is module.tokens.weight


def test_tied_weights_that_differ_in_the_file_are_refused(tmp_path: Path) -> None:
    source = tied(tmp_path, ("tokens.weight",))
    safetensors.torch.save_file({"tokens.weight": torch.zeros(20, 6), "head.weight": torch.ones(20, 6)}, source.model)
    with pytest.raises(IsoformError) as caught:
        torch_source.load(source)
    assert caught.value.what == (
        "w.safetensors: 'tokens.weight' and 'head.weight' are one tensor in the network and two in the file."
    )


def test_weights_changed_in_memory_leave_the_file_as_it_is(tmp_path: Path) -> None:
    source = tied(tmp_path, ("tokens.weight",))
    before = source.model.read_bytes()
    with torch.no_grad():
        torch_source.load(source).tokens.weight.mul_(2)
    assert source.model.read_bytes() == before


def test_a_file_that_answers_otherwise_is_not_left(tmp_path: Path) -> None:
    model = hub.from_torch(nn.Linear(3, 2).eval(), {"input": torch.rand(2, 3)}, {"input": BATCH}, exporter="trace")
    ir.save(model, tmp_path / "model.onnx")
    signature = Signature(
        (TensorSpec("input", "float32", ("batch", 3)),), (TensorSpec("output", "float32", ("batch", 2)),)
    )
    checked = examples.checked(nn.Linear(3, 2).eval(), signature)
    with pytest.raises(IsoformError) as caught:
        answers.refuse_other_answers(tmp_path / "model.onnx", signature, checked)
    assert caught.value.what == (
        "The exported graph answers otherwise than the model at batch=1: 'output' is not what the model gives."
    )


def test_an_input_that_is_no_tensor_and_axes_of_no_input_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="The input 'x' is int, not a tensor."):
        hub.from_torch(ByValue(), {"x": 3})
    with pytest.raises(UsageError, match="dynamic_shapes names 'y', which is no input."):
        hub.from_torch(ByValue(), {"x": torch.rand(2)}, {"y": BATCH})
    with pytest.raises(UsageError, match="There is no exporter 'magic'."):
        hub.from_torch(ByValue(), {"x": torch.rand(2)}, exporter="magic")


def test_a_network_of_halvings_is_tried_at_multiples() -> None:
    class Halved(nn.Module):
        def forward(self, image):
            return image + F.interpolate(F.max_pool2d(image, 4), scale_factor=4)

    signature = Signature((TensorSpec("image", "float32", ("batch", 1, "height", "width")),), ())
    found = examples.checked(Halved(), signature)
    assert [example.sizes["height"] % 4 for example in found] == [0, 0]


def test_a_network_of_waves_is_tried_at_hundreds_of_samples() -> None:
    module = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 2, 400, stride=320)).eval()
    wave = torch.rand(2, 1300, generator=torch.Generator().manual_seed(3))
    graph = hub.from_torch(module, {"input": wave}, {"input": {0: "batch", 1: "samples"}})
    torch.testing.assert_close(hub.to_torch(graph)(wave), module(wave))
