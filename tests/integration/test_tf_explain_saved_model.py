"""SavedModels asked themselves: their tensors are what numpy computes, and the operator with a fault is named."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

import isoform
from isoform.core.artifact import CASES_NAME, Artifact
from isoform.core.ledger import EAGER, GRAPH, OPTIMISED, UNOPTIMISED
from isoform.core.protocols import RunOptions, Session
from isoform.core.signature import Signature, TensorSpec
from isoform.hub.divergence.answer import of_execution
from isoform.hub.divergence.execution import Execution
from isoform.hub.divergence.moments import moments
from isoform.hub.divergence.saved_model_file import SavedModelFile
from isoform.hub.faults import savedmodel as faults
from isoform.isolation import Pool
from isoform.jobs import ledger
from isoform.runtimes import tf as runtime
from isoform.stages import explain
from rounded import Rounding

pytestmark = pytest.mark.tensorflow
SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 6)),), (TensorSpec("scores", "float32", ("batch", 4)),))
LIMIT = 8.0


class Network(tf.Module):
    """Two layers, a normalisation of rows between them and a loop behind them."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(4)
        for name, shape in {"wide": (6, 12), "wide_bias": (12,), "narrow": (12, 4)}.items():
            setattr(self, name, tf.Variable(rng.normal(size=shape).astype(np.float32), name=name))

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, "x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        wide = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, self.wide), self.wide_bias), name="active")
        mean, variance = tf.nn.moments(wide, [1], keepdims=True)
        rows = (wide - mean) * tf.math.rsqrt(variance + 1e-3)
        narrow = tf.matmul(rows, self.narrow, name="head")
        for _ in tf.range(3):
            narrow = tf.tanh(narrow) * 1.5
        return {"scores": tf.nn.softmax(narrow, name="scores_of_rows")}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path, network = tmp_path_factory.mktemp("network") / "model", Network()
    tf.saved_model.save(network, str(path), signatures=network.serve)
    return Artifact("savedmodel", path, SIGNATURE)


@pytest.fixture(scope="module")
def whole(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the network as ONNX."""
    out = tmp_path_factory.mktemp("whole")
    isoform.convert(artifact.model, ["onnx"], out=out, name="net")
    return out / "net" / "onnx"


def rows(*sizes: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(9)
    return [{"x": rng.normal(size=(size, 6)).astype(np.float32)} for size in sizes]


def load(artifact: Artifact) -> Session:
    return runtime.load(artifact, RunOptions())


def test_its_tensors_are_what_numpy_computes_in_float64(artifact: Artifact) -> None:
    file, (case,), network = SavedModelFile(artifact, load), rows(3), Network()
    weights = [each.numpy().astype(np.float64) for each in (network.wide, network.wide_bias, network.narrow)]
    product = case["x"].astype(np.float64) @ weights[0]
    active = np.maximum(product + weights[1], 0)
    spread = np.sqrt(active.var(1, keepdims=True) + np.float64(np.float32(1e-3)))
    head = (active - active.mean(1, keepdims=True)) / spread @ weights[2]
    last = head
    for _ in range(3):
        last = np.tanh(last) * 1.5
    powers = np.exp(last)
    exact = file.exact.values(case, [name for step in file.steps for name in step.outputs])
    by_title = {step.title: exact[step.outputs[0]] for step in file.steps if step.outputs[0] in exact}
    expected = {
        "MatMul": product,
        "active": active,
        "head": head,
        "scores_of_rows": powers / powers.sum(1, keepdims=True),
    }
    for title, array in expected.items():
        np.testing.assert_allclose(by_title[title], array, atol=1e-13, err_msg=title)
    np.testing.assert_array_equal(exact[file.outputs[0]], by_title["scores_of_rows"])
    assert [step.op_type for step in file.steps].count("StatelessWhile") == 1, "a loop is one operator"


def test_operators_know_the_weights_that_they_read(artifact: Artifact) -> None:
    steps = {step.title: step for step in SavedModelFile(artifact, load).steps}
    assert steps["MatMul"].inputs == ("x",)
    assert [steps[title].weights for title in ("MatMul", "BiasAdd", "head")] == [("wide",), ("wide_bias",), ("narrow",)]


def test_few_tensors_are_held_at_a_time(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cases = SavedModelFile(artifact, load), rows(3)
    whole = moments(file.exact, cases, set())
    asked: list[int] = []
    values = file.exact.values
    monkeypatch.setattr("isoform.hub.divergence.moments.LARGEST_HELD_BYTES", 8 * 3 * 12)
    monkeypatch.setattr(file.exact, "values", lambda case, names: (asked.append(len(names)), values(case, names))[1])
    pieces = moments(file.exact, cases, set())
    assert len(asked) > 3
    assert whole.keys() == pieces.keys()
    assert all(np.array_equal(whole[name], pieces[name]) for name in whole)


def rounding(op: str) -> Callable[[Artifact], Session]:
    """Return how folders are opened by a runtime that rounds all that it computes together with such an operator."""

    def opened(artifact: Artifact) -> Session:
        proto = faults.opened(artifact).proto.meta_graphs[0].graph_def.library.function
        session = load(artifact)
        return Rounding(session) if any(node.op == op for each in proto for node in each.node_def) else session

    return opened


def test_an_optimiser_that_rounds_is_found_in_parts_of_the_folder_and_they_show_it(
    artifact: Artifact, tmp_path: Path
) -> None:
    execution = Execution(SavedModelFile(artifact, rounding("Rsqrt")), rows(3, 1), LIMIT)
    found = execution.first()
    assert found is not None
    assert found.steps[-1].op_type == "Rsqrt"
    assert found.is_fused
    assert found.own > LIMIT
    told = of_execution(execution, found, tmp_path / "kept")
    script = subprocess.run([sys.executable, told.files[0]], capture_output=True, text=True, check=False)
    assert script.returncode == 0, "TensorFlow itself computes it as it should"
    assert "differs most at" in script.stdout


def test_a_folder_without_a_fault_has_nothing_to_name(artifact: Artifact) -> None:
    assert Execution(SavedModelFile(artifact, load), rows(3, 1), LIMIT).first() is None


@pytest.mark.torch
def test_the_operator_of_the_folder_that_holds_a_fault_is_named_and_the_part_shows_it(
    artifact: Artifact, whole: Path, tmp_path: Path
) -> None:
    named = {"a leaking relu": "active (LeakyRelu)", "another epsilon": "add/y", "one weight off by a thousandth": ""}
    with Pool(tmp_path / "logs") as pool:
        for name, operator in named.items():
            folder = faults.opened(artifact)
            told = faults.FAULTS[name](folder, np.random.default_rng(1))
            assert told is not None
            broken = tmp_path / name.replace(" ", "-") / "model"
            broken.parent.mkdir()
            faults.save(folder, broken)
            found = explain.explain(broken, whole, whole / CASES_NAME, pool, tmp_path / "kept").divergence
            assert found is not None, name
            held = {"wide": "MatMul (MatMul)", "narrow": "head (MatMul)", "wide_bias": "BiasAdd (BiasAdd)"}
            weight = told.split("'")[1].partition("/")[0]
            expected = held.get(weight, operator)
            if name == "another epsilon":
                assert any(text.endswith("(AddV2)") for text in found.operators)
            else:
                assert found.operator == expected
            shown = subprocess.run([sys.executable, found.files[0]], capture_output=True, text=True, check=False)
            assert shown.returncode == 1, (name, shown.stderr)


def digamma(x: tf.Tensor) -> tf.Tensor:
    return tf.math.digamma(tf.abs(x) + 1, name="odd")


def first_block(x: tf.Tensor) -> tf.Tensor:
    """Return an operator of float32 alone, which has no importer either."""
    zeros, width = tf.zeros_like(x), x.shape[1]
    weights = {name: tf.ones([width]) for name in ("wci", "wcf", "wco")}
    return tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(1, tf.int64), x=x[None], cs_prev=zeros, h_prev=zeros, w=tf.eye(2 * width, 4 * width),
        b=tf.zeros([4 * width]), name="odd", **weights,
    ).h[0]  # fmt: skip


@pytest.fixture(params=[digamma, first_block])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, bool]:
    """Return a folder with an operator that nobody imports, what it is called, and whether it has a float64."""

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(request.param(x)[:, :4])}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([None, 6], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.serve)
    is_wide = request.param is digamma
    return tmp_path / "model", "Digamma" if is_wide else "BlockLSTM", is_wide


@pytest.mark.torch
def test_an_operator_that_nobody_imports_is_named_and_nothing_is_claimed_of_the_others(
    odd: tuple[Path, str, bool], whole: Path, tmp_path: Path
) -> None:
    folder, operator, is_wide = odd
    with Pool(tmp_path / "logs") as pool:
        found = explain.explain(folder, whole, whole / CASES_NAME, pool, tmp_path / "kept")
        other = explain.explain(whole, folder, None, pool, tmp_path / "kept")
    lines = found.lines()
    assert found.divergence is None
    assert lines[0].startswith(
        f"not explained: what it means could not be asked, as it was not read back as ONNX: '{operator}' (node "
    )
    assert lines[0].endswith("/odd, opset 18): no onnx form here.")
    if is_wide:
        assert lines[1:] == ["  no operator is computed too inexactly"]
    else:
        wide = "not explained: how tf computes it could not be asked: TensorFlow has no float64 form of 'BlockLSTM'"
        assert lines[1:] == [wide]
    assert other.lines()[0].startswith(f"not explained: what it means was not compared: {folder} was not read back: '")
    assert other.lines()[1:] == ["  no operator is computed too inexactly"]


def lstm_file(path: Path) -> None:
    """Write a network of an embedding, an LSTM and a layer behind its last state."""
    rng = np.random.default_rng(0)
    shapes = {"table": (11, 4), "W": (1, 24, 4), "R": (1, 24, 6), "B": (1, 48), "D": (6, 3)}
    held = [numpy_helper.from_array(rng.normal(0, 0.4, shape).astype(np.float32), n) for n, shape in shapes.items()]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="/embed"),
        helper.make_node("Transpose", ["rows"], ["turned"], name="/turn", perm=[1, 0, 2]),
        helper.make_node("LSTM", ["turned", "W", "R", "B"], ["", "state"], name="/lstm", hidden_size=6),
        helper.make_node("Squeeze", ["state", "first"], ["last"], name="/last"),
        helper.make_node("MatMul", ["last", "D"], ["scores"], name="/head"),
    ]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "length"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [*held, numpy_helper.from_array(np.array([0]), "first")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.mark.torch
def test_an_lstm_of_one_kernel_with_a_weight_off_by_a_thousandth_is_named(tmp_path: Path) -> None:
    lstm_file(tmp_path / "net.onnx")
    isoform.convert(tmp_path / "net.onnx", ["savedmodel"], out=tmp_path / "out")
    export = tmp_path / "out" / "net" / "savedmodel"
    loaded = tf.saved_model.load(str(export / "saved_model"))
    loaded.weights["R"].assign(loaded.weights["R"] * 1.001)
    tf.saved_model.save(loaded, str(tmp_path / "broken"), signatures=loaded.signatures)
    with Pool(tmp_path / "logs") as pool:
        told = explain.explain(tmp_path / "broken", tmp_path / "net.onnx", export / CASES_NAME, pool, tmp_path / "kept")
        right = explain.explain(export, tmp_path / "net.onnx", None, pool, tmp_path / "kept")
    found = told.divergence
    assert found is not None
    assert found.operator == "BlockLSTMV2 (BlockLSTMV2)"
    assert found.counterpart == "/lstm (LSTM)"
    assert found.cause.startswith("the weight 'R' is not 'R' of the reference: ")
    shown = subprocess.run([sys.executable, found.files[0]], capture_output=True, text=True, check=False)
    assert shown.returncode == 1, shown.stderr
    assert right.lines()[0] == "no operator differs"


@pytest.mark.torch
def test_the_ledger_runs_the_graph_too_and_leaves_repairs_to_processes_of_their_own(
    artifact: Artifact, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = whole / CASES_NAME
    arguments = {"artifact": artifact.to_json(), "cases": str(cases), "runtime": "tf"}
    value = ledger.ledger(arguments, lambda **_: None)
    stages = {row["name"]: row["verdict"] for row in value["stages"]}
    assert [stages[name] for name in (EAGER, GRAPH, UNOPTIMISED, OPTIMISED)] == ["PASS"] * 4
    assert not value["is_open"]

    whole = runtime.load

    def opened(artifact: Artifact, options: RunOptions) -> Session:
        session = whole(artifact, options)
        return Rounding(session) if options.is_optimised else session

    monkeypatch.setattr(runtime, "load", opened)
    value = ledger.ledger(arguments, lambda **_: None)
    assert value["is_open"]
    assert value["repair"] == ""
    told = [ledger.passes(arguments | {"options": {"is_optimised": way}}, lambda **_: None) for way in (True, False)]
    assert told == [{"passes": False}, {"passes": True}]
