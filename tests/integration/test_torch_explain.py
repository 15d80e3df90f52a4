"""Faults planted in one of two files: the operator that is named is the one that holds the fault, whatever the format.

The truth is where the fault was planted; the network has a place for most of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

import isoform
from isoform import hub
from isoform.core.artifact import Artifact
from isoform.core.protocols import RunOptions, Session
from isoform.core.signature import Signature
from isoform.hub import graph
from isoform.hub.divergence import traced
from isoform.hub.divergence.cause import suspected
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.hub_file import HubFile
from isoform.hub.divergence.meaning import Comparison
from isoform.hub.faults.graph import FAULTS
from isoform.hub.importers.tflite_file import read
from isoform.isolation import Pool
from isoform.runtimes import litert, ort
from isoform.stages import explain

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
NOBODY = Signature((), ())
LIMIT = 8.0


def weight(name: str, *shape: int, scale: float = 0.3) -> onnx.TensorProto:
    rng = np.random.default_rng(list(name.encode()))
    return numpy_helper.from_array((scale * rng.normal(size=shape)).astype(np.float32), name)


def network() -> onnx.ModelProto:
    """Return convolutions with batch normalisation, a token mixer with softmax, GELU and two outputs."""
    nodes = [
        helper.make_node("Conv", ["x", "k1", "kb1"], ["c1"], pads=[1, 1, 1, 1], name="conv1"),
        helper.make_node("BatchNormalization", ["c1", "s", "b", "m", "v"], ["n1"], epsilon=1e-3, name="norm1"),
        helper.make_node("Relu", ["n1"], ["r1"], name="relu1"),
        helper.make_node("Conv", ["r1", "k2", "kb2"], ["c2"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv2"),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("Reshape", ["r2", "to_rows"], ["rows"], name="rows"),
        helper.make_node("Transpose", ["rows"], ["t"], perm=[0, 2, 1], name="tokens"),
        helper.make_node("LayerNormalization", ["t", "ls", "lb"], ["ln"], epsilon=1e-5, name="layer_norm"),
        helper.make_node("MatMul", ["ln", "rows"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1, name="softmax"),
        helper.make_node("MatMul", ["p", "ln"], ["mixed"], name="mixed"),
        helper.make_node("Add", ["t", "mixed"], ["sum"], name="residual"),
        helper.make_node("MatMul", ["sum", "w1"], ["h"], name="wide"),
        helper.make_node("Add", ["h", "wb1"], ["hb"], name="wide_bias"),
        helper.make_node("Gelu", ["hb"], ["g"], name="gelu"),
        helper.make_node("ReduceMean", ["g", "one"], ["pooled"], keepdims=0, name="pool"),
        helper.make_node("Gemm", ["pooled", "w2", "wb2"], ["logits"], name="head"),
        helper.make_node("Gemm", ["pooled", "w3", "wb3"], ["boxes"], name="boxes"),
    ]
    weights = [
        weight("k1", 4, 3, 3, 3), weight("kb1", 4), weight("s", 4), weight("b", 4), weight("m", 4),
        numpy_helper.from_array(np.array([0.01, 0.02, 0.5, 1.0], np.float32), "v"),
        weight("k2", 8, 4, 3, 3), weight("kb2", 8), weight("ls", 8), weight("lb", 8),
        weight("w1", 8, 16), weight("wb1", 16), weight("w2", 16, 5), weight("wb2", 5), weight("w3", 16, 5),
        weight("wb3", 5), numpy_helper.from_array(np.array([0, 8, -1]), "to_rows"),
        numpy_helper.from_array(np.array([1]), "one"),
    ]  # fmt: skip
    made = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 5]) for name in ("logits", "boxes")], weights,
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def inputs(*sizes: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    return [{"x": rng.normal(size=(size, 3, 8, 8)).astype(np.float32)} for size in sizes]


def written(model: ir.Model, form: str, folder: Path) -> Artifact:
    path = folder / f"model.{form}"
    folder.mkdir(exist_ok=True)
    if form == "onnx":
        graph.save(model, path)
    else:
        path.write_bytes(hub.to_tflite(model))
    return Artifact(form, path, NOBODY)


def place_of(told: str) -> str:
    """Return the node with a fault: named itself, or the one that reads the weight that is named."""
    named = told.split("'")[1]
    readers = {tensor: node.name for node in reversed(network().graph.node) for tensor in node.input}
    return readers.get(named, named)


PLANTED = [name for name in FAULTS if name not in ("swapped outputs", "a frozen axis", "two swapped gates")]


@pytest.mark.parametrize("form", ["onnx", "tflite"])
@pytest.mark.parametrize("fault", PLANTED)
def test_the_operator_with_a_fault_is_the_one_that_is_named(fault: str, form: str, tmp_path: Path) -> None:
    whole = ir.from_proto(network())
    broken = ir.from_proto(onnx.shape_inference.infer_shapes(network()))
    told = FAULTS[fault](broken, np.random.default_rng(1))
    assert told is not None
    reference = traced.read(written(whole, "onnx", tmp_path / "whole"))
    candidate = traced.read(written(broken, form, tmp_path / "broken"))
    comparison = Comparison(reference, candidate, inputs(3, 1))
    found = comparison.first()
    assert found is not None
    theirs = [step.title for step in comparison.counterparts(found.pair)[0]]
    assert place_of(told) in theirs
    assert len(theirs) <= 3, "a convolution, its normalisation and its activation are one operator of LiteRT's"
    assert found.own > 2
    assert found.inherited <= 2
    assert suspected(comparison, found), "each of these faults is one that can be seen"


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_files_without_a_fault_agree_throughout(form: str, tmp_path: Path) -> None:
    reference = traced.read(written(ir.from_proto(network()), "onnx", tmp_path / "one"))
    candidate = traced.read(written(ir.from_proto(network()), form, tmp_path / "other"))
    assert Comparison(reference, candidate, inputs(3, 1)).first() is None


def faulty_runtime(node: str, *, is_fused: bool) -> Callable[[Artifact], Session]:
    """Return how a runtime opens files whose kernel for ``node`` rounds the weight to half precision.

    With ``is_fused`` only where its result is no output: as a runtime does that computes it together with the next.
    """

    def load(artifact: Artifact) -> Session:
        model = graph.load(artifact.model)
        for each in model.graph:
            shown = {value.name for value in model.graph.outputs}
            if each.name == node and not (is_fused and each.outputs[0].name in shown):
                value = each.inputs[1]
                value.const_value = ir.tensor(value.const_value.numpy().astype(np.float16).astype(np.float32))
        path = artifact.model.with_name("rounded.onnx")
        graph.save(model, path)
        return ort.load(Artifact("onnx", path, NOBODY), RunOptions())

    return load


def test_a_kernel_that_rounds_is_found_by_what_the_runtime_holds(tmp_path: Path) -> None:
    file = traced.read(written(ir.from_proto(network()), "onnx", tmp_path / "whole"))
    found = Execution(HubFile(file, faulty_runtime("wide", is_fused=False)), inputs(3, 1), LIMIT).first()
    assert found is not None
    assert [step.title for step in found.steps] == ["wide"]
    assert found.own > LIMIT >= found.inherited
    assert not found.is_fused


def test_a_fused_kernel_is_found_in_parts_of_the_file_where_asking_for_tensors_hides_it(tmp_path: Path) -> None:
    file = traced.read(written(ir.from_proto(network()), "onnx", tmp_path / "whole"))
    found = Execution(HubFile(file, faulty_runtime("wide", is_fused=True)), inputs(3, 1), LIMIT).first()
    assert found is not None
    assert [step.title for step in found.steps] == ["wide", "wide_bias"]
    assert found.is_fused


class Rounding:
    """A session whose outputs come rounded to half precision."""

    def __init__(self, inner: Session) -> None:
        self._inner, self.signature = inner, inner.signature

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array.astype(np.float16).astype(np.float32) for name, array in self._inner.run(inputs).items()}

    def close(self) -> None:
        self._inner.close()


def test_a_delegate_that_rounds_is_found_in_parts_of_a_tflite_file(tmp_path: Path) -> None:
    file = traced.read(written(ir.from_proto(network()), "tflite", tmp_path / "whole"))

    def delegated(artifact: Artifact) -> Session:
        session = litert.load(artifact, RunOptions())
        names = {operator.name for operator in read(artifact.model).sub_graphs[0].operators}
        return Rounding(session) if "GELU" in names else session

    found = Execution(HubFile(file, delegated), inputs(3, 1), LIMIT).first()
    assert found is not None
    assert found.steps[-1].op_type == "GELU"
    assert found.is_fused
    assert found.own > LIMIT


def test_a_runtime_without_a_fault_has_nothing_to_name(tmp_path: Path) -> None:
    file = traced.read(written(ir.from_proto(network()), "onnx", tmp_path / "whole"))
    assert Execution(HubFile(file, lambda artifact: ort.load(artifact, RunOptions())), inputs(3), LIMIT).first() is None


def test_a_torchscript_file_is_read_back_to_be_compared_and_named_as_it_stands(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    broken = ir.from_proto(network())
    told = FAULTS["another epsilon"](broken, np.random.default_rng(0))
    assert told
    graph.save(broken, tmp_path / "broken.onnx")
    isoform.convert(tmp_path / "broken.onnx", ["torchscript"], out=tmp_path / "out")
    folder = tmp_path / "out" / "broken" / "torchscript"
    with Pool(tmp_path / "logs") as pool:
        found = explain.explain(folder, tmp_path / "net.onnx", None, pool, tmp_path / "kept")
    assert found.divergence is not None
    assert place_of(told) in [text.partition(" ")[0] for text in found.divergence.counterparts]
    assert "epsilon" in found.divergence.cause
    assert found.divergence.operator.startswith("%")
    assert found.divergence.operator.endswith(("(batch_norm)", "(layer_norm)"))
    assert "read back as ONNX to be compared" in found.notes[0]


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "isoform", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "pipeline")},
    )  # fmt: skip


def test_the_command_names_it_and_leaves_a_script_that_needs_the_runtime_alone(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    isoform.convert(tmp_path / "net.onnx", ["tflite"], out=tmp_path / "out")
    broken = hub.from_tflite(tmp_path / "out" / "net" / "tflite" / "model.tflite")
    assert FAULTS["the other gelu"](broken, np.random.default_rng(0))
    (tmp_path / "broken.tflite").write_bytes(hub.to_tflite(broken))
    words = ["--cases", "out/net/tflite/cases.npz", "--explain", "--against", "net.onnx"]
    answer = command("verify", "broken.tflite", *words, "--json", folder=tmp_path)
    assert answer.returncode == 1, answer.stderr
    document = json.loads(answer.stdout)
    jsonschema.validate(document, json.loads((ROOT / "docs" / "schemas" / "verify.schema.json").read_text()))
    (explanation,) = document["explanations"]
    found = explanation["divergence"]
    assert found["operator"].endswith("(GELU)")
    assert found["counterpart"] == "gelu (Gelu)"
    assert "approximate" in found["cause"]
    script = subprocess.run([sys.executable, found["files"][0]], capture_output=True, text=True, check=False)
    assert script.returncode == 1
    assert "differs most at" in script.stdout
    imported = {line.split()[1].partition(".")[0] for line in Path(found["files"][0]).read_text().splitlines()
                if line.startswith(("import ", "from "))}  # fmt: skip
    assert imported == {"sys", "pathlib", "numpy", "ai_edge_litert"}
