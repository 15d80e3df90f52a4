"""``isoform serve`` as a process, asked by a real HTTP client: under load, with bad requests, and at its end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import served

FEATURES, CLASSES = 64, 10


def isoform(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def exported(folder: Path, name: str, softmax_axis: int) -> Path:
    """Return an artifact in ORT format: two layers, and a softmax that over axis 0 mixes the samples of a batch."""
    rng = np.random.default_rng(7)
    weights = {"w": (FEATURES, 256), "v": (256, CLASSES)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("MatMul", ["a", "v"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=softmax_axis),
    ]
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), key) for key, shape in weights.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / f"{name}.onnx"
    )
    done = isoform(folder, "convert", f"{name}.onnx", "--to", "ort", "--out", "exports")
    assert done.returncode == 0, done.stderr
    return folder / "exports" / name / "ort"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("served"), "mlp", -1)


@pytest.fixture(scope="module")
def server(artifact: Path) -> Iterator[served.Server]:
    with served.serving(artifact, "--max-request-mb", "1", "--threads", "1") as running:
        yield running


def runtime(artifact: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(artifact / "model.ort"), options, providers=["CPUExecutionProvider"])


def samples(count: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=(1, FEATURES)).astype(np.float32) for _ in range(count)]


def test_clients_at_once_all_get_what_the_runtime_answers_at_the_same_batch(
    artifact: Path, server: served.Server
) -> None:
    inputs = samples(50)
    found = served.load(server, [served.request({"x": each}) for each in inputs], clients=64, seconds=3)
    assert {each.status for each in found} == {200}
    assert len({each.index for each in found}) == len(inputs)
    assert max(each.batch_size for each in found) > 1, "nothing was ever computed together"
    assert max(each.batch_size for each in found) <= 32
    session = runtime(artifact)
    for each in {(each.index, each.batch_size, each.batch_begin): each for each in found}.values():
        batch = np.repeat(inputs[each.index], each.batch_size, axis=0)
        expected = session.run(None, {"x": batch})[0][each.batch_begin : each.batch_begin + 1]
        np.testing.assert_array_equal(each.outputs["y"], expected)


def test_with_batches_of_one_each_answer_is_the_runtimes_own_to_the_bit(artifact: Path) -> None:
    inputs = samples(8)
    with served.serving(artifact, "--max-batch", "1", "--threads", "1") as running:
        assert running.told["why_not_batched"] == "it was asked for one at a time"
        found = served.load(running, [served.request({"x": each}) for each in inputs], clients=16, seconds=0.5)
        several = np.concatenate(inputs)
        answer = httpx.post(f"{running.model}/infer", content=served.request({"x": several}))
    session = runtime(artifact)
    assert {each.batch_size for each in found} == {1}
    for each in found:
        np.testing.assert_array_equal(each.outputs["y"], session.run(None, {"x": inputs[each.index]})[0])
    np.testing.assert_array_equal(served.outputs(answer.json())["y"], session.run(None, {"x": several})[0])


def test_binary_tensors_come_and_go_without_digits(artifact: Path, server: served.Server) -> None:
    array = samples(1)[0]
    head = json.dumps(
        {
            "id": "seven",
            "inputs": [
                {
                    "name": "x", "datatype": "FP32", "shape": [1, FEATURES],
                    "parameters": {"binary_data_size": array.nbytes},
                }
            ],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        }
    ).encode()  # fmt: skip
    length = "Inference-Header-Content-Length"
    answer = httpx.post(f"{server.model}/infer", content=head + array.tobytes(), headers={length: str(len(head))})
    document = json.loads(answer.content[: int(answer.headers[length])])
    found = np.frombuffer(answer.content[int(answer.headers[length]) :], np.float32)
    assert document["id"] == "seven"
    np.testing.assert_array_equal(found, runtime(artifact).run(None, {"x": array})[0][0])


def test_a_batch_that_is_none_is_found_out_and_never_made(tmp_path: Path) -> None:
    mixing = exported(tmp_path, "mixing", 0)
    inputs = samples(4)
    with served.serving(mixing, "--threads", "1") as running:
        assert running.told["why_not_batched"] == "'y' of a sample depends on the samples beside it"
        found = served.load(running, [served.request({"x": each}) for each in inputs], clients=16, seconds=0.5)
    assert {each.batch_size for each in found} == {1}
    assert all((each.outputs["y"] == 1).all() for each in found), "a softmax over one sample is one"


def test_it_says_what_it_is_and_what_it_counts(server: served.Server) -> None:
    url = server.told["url"]
    assert httpx.get(f"{url}/v2").json()["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/mlp/ready", "/v2/models/mlp/versions/1/ready"):
        assert httpx.get(f"{url}{path}").status_code == 200, path
    assert httpx.get(server.model).json() == {
        "name": "mlp", "versions": ["1"], "platform": "onnxruntime_ort",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, FEATURES]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, CLASSES]}],
    }  # fmt: skip

    def counted() -> float:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith('isoform_requests_total{status="200"}'))

    before = counted()
    httpx.post(f"{server.model}/infer", content=served.request({"x": samples(1)[0]}))
    assert counted() == before + 1


def entry(**changes: Any) -> dict[str, Any]:
    row = {"name": "x", "datatype": "FP32", "shape": [1, FEATURES], "data": [0.0] * FEATURES}
    return {"inputs": [row | changes]}


@pytest.mark.parametrize(
    ("document", "status", "reason"),
    [
        (b"\xff\xfe", 400, "The request is not JSON: "),
        (b"[" * 100_000, 400, "The request is not JSON: "),
        ([], 400, "The request is not a JSON object."),
        ({}, 400, "'inputs' is not a list of tensors."),
        ({"inputs": []}, 400, "Input 'x' is missing."),
        (entry(name="z"), 400, "There is no input 'z', only: x."),
        (entry(datatype="INT64"), 400, "Input 'x' is FP32, not INT64."),
        (entry(shape=[1, 3], data=[0, 0, 0]), 400, "Input 'x' has the shape [batch,64], not [1, 3]."),
        (entry(shape=[2, FEATURES]), 400, "Input 'x' has 64 elements in 'data' and the shape [2, 64]."),
        (entry(data=["a"] * FEATURES), 400, "Input 'x' has elements in 'data' that are not FP32."),
        (entry(data=[1e300] * FEATURES), 400, "Input 'x' has numbers that FP32 does not hold."),
        (entry(data=[0.123456789] * 200_000), 413, "The request is larger than 1048576 bytes."),
    ],
)
def test_a_bad_request_is_told_why_in_one_line(server: served.Server, document: Any, status: int, reason: str) -> None:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer = httpx.post(f"{server.model}/infer", content=content)
    assert (answer.status_code, answer.json()["error"].startswith(reason)) == (status, True), answer.text
    assert "\n" not in answer.json()["error"]
    assert httpx.post(f"{server.model}/infer", content=served.request({"x": samples(1)[0]})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/other", 404), ("POST", "/v2/models/other/infer", 404), ("GET", "/nothing", 404),
        ("GET", "/v2/models/mlp/infer", 405), ("POST", "/v2/models/mlp/versions/2/infer", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_as_json_too(server: served.Server, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{server.told['url']}{path}")
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_a_client_that_hangs_up_in_its_request_harms_nobody(server: served.Server) -> None:
    port = int(server.told["url"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v2/models/mlp/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{")
    assert httpx.post(f"{server.model}/infer", content=served.request({"x": samples(1)[0]})).status_code == 200


def test_more_requests_than_may_wait_are_sent_away(artifact: Path) -> None:
    with served.serving(artifact, "--max-waiting", "1", "--max-delay-ms", "1000") as running:
        found = served.load(running, [served.request({"x": samples(1)[0]})], clients=8, seconds=0.5)
    assert {each.status for each in found} == {200, 503}


@pytest.mark.parametrize(("number", "code", "told"), [(signal.SIGINT, 0, "Stopped.\n"), (signal.SIGTERM, 143, "")])
def test_asked_to_stop_it_answers_who_is_in_and_ends(artifact: Path, number: int, code: int, told: str) -> None:
    with served.serving(artifact, "--max-delay-ms", "1000", "--threads", "1") as running, ThreadPoolExecutor(1) as one:
        asking = threading.Event()

        def ask() -> httpx.Response:
            asking.set()
            return httpx.post(f"{running.model}/infer", content=served.request({"x": samples(1)[0]}), timeout=60)

        answer = one.submit(ask)
        asking.wait()
        _until_waiting(running)
        running.process.send_signal(number)
        assert answer.result().status_code == 200
        _, text = running.process.communicate(timeout=60)
    assert (running.process.returncode, text.partition("\n")[2]) == (code, told)


def _until_waiting(server: served.Server) -> None:
    while "isoform_waiting_requests 1.0" not in httpx.get(f"{server.told['url']}/metrics").text:
        time.sleep(0.01)


def test_an_address_that_is_taken_is_a_mistake_of_the_command(artifact: Path, server: served.Server) -> None:
    port = server.told["url"].rpartition(":")[2]
    done = isoform(artifact, "serve", ".", "--port", port)
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use.\n"
        "hint: Choose another --port; 0 is any free one.\n"
    )


def test_a_file_that_is_not_the_one_that_was_proved_is_not_served(artifact: Path, tmp_path: Path) -> None:
    shutil.copytree(artifact, tmp_path / "changed")
    model = tmp_path / "changed" / "model.ort"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    done = isoform(tmp_path, "serve", "changed", "--port", "0")
    assert done.returncode == 4
    assert done.stderr == (
        "Error: changed: model.ort is not the file that was exported: its SHA-256 differs.\nhint: Export it again.\n"
    )


def test_a_runtime_that_dies_ends_the_command_with_its_reason(artifact: Path) -> None:
    with served.serving(artifact) as running:
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGSEGV)
        _, text = running.process.communicate(timeout=60)
    assert (running.process.returncode, "Error: The child died of SIGSEGV at serve.serve." in text) == (4, True), text
