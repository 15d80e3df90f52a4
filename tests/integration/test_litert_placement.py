"""Which operators XNNPACK takes, told by LiteRT after a run; and what lies between a piece's tensors, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from isoform import hub
from isoform.core.artifact import Artifact
from isoform.core.placement import NOT_TOLD, Placement
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.placement.litert import BUILTIN, DELEGATE, delegated
from isoform.hub.quantize.quantizer import Quantizer
from isoform.runtimes import litert
from unit.hub.quantize.networks import drawn, model_of, silent, within_a_tenth

RNG = np.random.default_rng(0)
SIGNATURE = Signature((TensorSpec("x", "float32", (1, 3, 8, 8)),), (TensorSpec("y", "float32", (1, 5)),))
X = {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
CONV, GEMM = 4 * 8 * 8 * 3 * 9, 4 * 5


def network(middle: str = "") -> ir.Model:
    body = f"a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(a) {middle or 'm = Identity(r)'}"
    return model_of(
        "float[1,3,8,8] x", "float[1,5] y", f"{body} g = GlobalAveragePool(m) f = Flatten(g) y = Gemm(f, k)",
        w=RNG.standard_normal((4, 3, 3, 3)), k=RNG.standard_normal((4, 5)),
    )  # fmt: skip


def placed(model: ir.Model, folder: Path, inputs: dict[str, Any] = X, **options: Any) -> Placement:
    path = folder / "model.tflite"
    path.write_bytes(hub.to_tflite(model))
    return litert.placement(Artifact("tflite", path, SIGNATURE), RunOptions(threads=1, **options), inputs)


def test_the_delegate_takes_a_network_as_one_piece(tmp_path: Path) -> None:
    found = placed(network(), tmp_path)
    assert found.partitions == 1
    assert {node.target for node in found.nodes} == {DELEGATE}
    assert {node.operator: node.macs for node in found.nodes if node.macs} == {"CONV_2D": CONV, "FULLY_CONNECTED": GEMM}
    assert found.to_json()["summary"]["mac_share_float"] == 1


def test_an_operator_that_it_has_no_kernel_for_splits_the_graph(tmp_path: Path) -> None:
    found = placed(network("i = Constant <value = int64 {3}> () t = CumSum(r, i) m = Add(t, r)"), tmp_path)
    assert found.partitions == 2
    assert [node.operator for node in found.nodes if node.target == BUILTIN] == ["CUMSUM"]


def test_without_the_delegate_everything_is_on_target(tmp_path: Path) -> None:
    found = placed(network(), tmp_path, is_optimised=False)
    assert (found.target, found.partitions) == (BUILTIN, 0)
    assert not any(map(found.is_off_target, found.nodes))


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_layer_that_was_kept_in_float_is_found(tmp_path: Path, is_kept: bool) -> None:
    model = network()
    [gemm] = [str(node.name) for node in model.graph if node.op_type == "Gemm"]
    made = Quantizer(model, drawn(2, 1, 3, 8, 8), within_a_tenth, silent)
    found = placed(made.graph((gemm,) if is_kept else (), False), tmp_path).to_json()["summary"]
    assert found["mac_share_integer"] == pytest.approx(CONV / (CONV + GEMM) if is_kept else 1)


def test_of_the_body_of_a_loop_it_is_not_told_but_counted(tmp_path: Path) -> None:
    model = model_of(
        "float[t,1,6] x", "float[t,1,1,8] y", "y = LSTM <hidden_size = 8> (x, w, r)",
        w=RNG.standard_normal((1, 32, 6)), r=RNG.standard_normal((1, 32, 8)),
    )  # fmt: skip
    found = placed(model, tmp_path, {"x": np.zeros((4, 1, 6), np.float32)})
    inside = [node for node in found.nodes if node.target == NOT_TOLD]
    assert sum(node.macs or 0 for node in inside) == 4 * 32 * 8
    assert sum(node.macs or 0 for node in found.nodes) == 4 * 32 * (6 + 8)


def test_what_lies_between_the_tensors_of_a_piece_is_inside() -> None:
    """0 -> [A] -> 1 -> [B] -> 2 -> [C] -> 3, and [D] from 1 to 4: one piece of B and C, one of D."""
    rows = [("A", [0], [1]), ("B", [1], [2]), ("C", [2, -1], [3]), ("D", [1], [4])]
    operators = [
        {"index": place, "op_name": name, "inputs": given, "outputs": made}
        for place, (name, given, made) in enumerate(rows)
    ]
    assert delegated(operators, [{"inputs": [1], "outputs": [3]}, {"inputs": [1], "outputs": [4]}]) == {1, 2, 3}
    assert delegated(operators, [{"inputs": [1], "outputs": [3]}]) == {1, 2}
