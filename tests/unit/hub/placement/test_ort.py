"""Where ONNX Runtime runs small networks: integers found where its kernels take them, and floats where they do not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from isoform.core.artifact import Artifact
from isoform.core.placement import Placement
from isoform.core.protocols import RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.hub import graph, ort_profile
from isoform.runtimes import ort
from unit.hub.quantize.networks import model_of

RNG = np.random.default_rng(0)
SIGNATURE = Signature((TensorSpec("x", "float32", (1, 3, 8, 8)),), (TensorSpec("y", "float32", (1, 4, 6, 6)),))
X = {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
MACS = 4 * 6 * 6 * 3 * 9


def placed(model: ir.Model, folder: Path, inputs: dict[str, Any] = X, **options: Any) -> Placement:
    graph.save(model, folder / "model.onnx")
    return ort.placement(Artifact("onnx", folder / "model.onnx", SIGNATURE), RunOptions(threads=1, **options), inputs)


def quantized(is_whole: bool) -> ir.Model:
    """Return a convolution of integers; not whole, its result is never rounded, and no kernel of integers fits."""
    steps = "u = QuantizeLinear(x, s, z) a = DequantizeLinear(u, s, z) w = DequantizeLinear(k, s, n)"
    end = "c = Conv(a, w) v = QuantizeLinear(c, s, z) y = DequantizeLinear(v, s, z)" if is_whole else "y = Conv(a, w)"
    return model_of(
        "float[1,3,8,8] x", "float[1,4,6,6] y", f"{steps} {end}", s=np.float32(0.05), z=np.uint8(128), n=np.int8(0),
        k=RNG.integers(-99, 99, (4, 3, 3, 3)).astype(np.int8),
    )  # fmt: skip


@pytest.mark.parametrize(("is_whole", "integers"), [(True, 1), (False, 0)])
def test_an_int8_file_that_computes_in_float_is_found(tmp_path: Path, is_whole: bool, integers: int) -> None:
    found = placed(quantized(is_whole), tmp_path).to_json()["summary"]
    assert found["macs"] == MACS
    assert (found["mac_share_integer"], found["mac_share_float"]) == (integers, 1 - integers)


def test_every_node_ran_on_the_provider_and_was_timed(tmp_path: Path) -> None:
    model = model_of("float[1,3,8,8] x", "float[1,4,6,6] y", "a = Conv(x, k) y = Relu(a)", k=RNG.random((4, 3, 3, 3)))
    found = placed(model, tmp_path, is_optimised=False)
    assert [(node.operator, node.macs, node.runs) for node in found.nodes] == [("Conv", MACS, 1), ("Relu", 0, 1)]
    assert {node.target for node in found.nodes} == {"CPUExecutionProvider"}
    assert all(node.time_ns is not None and node.time_ns >= 0 for node in found.nodes)
    assert set(found.inserted.values()) == {0}


def test_a_cast_that_the_runtime_puts_in_is_counted(tmp_path: Path) -> None:
    """There is no kernel of half precision for this on the CPU."""
    model = model_of("float16[2,3] x", "float16[2,3] y", "y = Softplus(x)")
    found = placed(model, tmp_path, {"x": np.ones((2, 3), np.float16)}, is_optimised=False)
    assert found.inserted["casts"] == 2


def test_the_turns_of_a_loop_are_counted(tmp_path: Path) -> None:
    body = """
        n = Constant <value = int64 {4}> () c = Constant <value = bool {1}> ()
        y = Loop (n, c, x) <body = b (int64 i, bool go, float[2,3] v) => (bool on, float[2,3] w) {
            on = Identity(go) w = MatMul(v, k)
        }>"""
    model = model_of("float[2,3] x", "float[2,3] y", body, k=np.eye(3))
    found = placed(model, tmp_path, {"x": np.ones((2, 3), np.float32)})
    (product,) = [node for node in found.nodes if node.macs]
    assert (product.macs, product.runs) == (4 * 2 * 3 * 3, 4)


def test_nodes_without_names_are_matched_in_order() -> None:
    """ONNX Runtime calls them by operator and place."""
    model = ir.from_onnx_text(
        '<ir_version: 9, opset_import: ["" : 18]> g (float[2,3] x) => (float[2,5] y) '
        "<float[3,4] a = {1,1,1,1,1,1,1,1,1,1,1,1}, float[4,5] b = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> "
        "{ h = MatMul(x, a) y = MatMul(h, b) }"
    )
    record: list[dict[str, Any]] = [{"cat": "Session", "name": "model_run", "ts": 10, "dur": 90}]
    for place, out in ((0, [2, 4]), (1, [2, 5])):
        told = {"op_name": "MatMul", "provider": "P", "output_type_shape": [{"float": out}]}
        name = f"MatMul_{place}_kernel_time"
        record.append({"cat": "Node", "name": name, "ts": 20 + place, "dur": 1, "args": told})
    (run,) = ort_profile.read(record, model, {"x": (2, 3)})
    assert [node.inputs[1].name for _, node in run.steps()] == ["a", "b"]  # type: ignore[union-attr]
