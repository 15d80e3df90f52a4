"""``--dry-run`` says what would be done, writes nothing and starts nothing."""

import json
import shutil
from pathlib import Path

import pytest

import smallest_files
from isoform import store
from isoform.core.signature import Signature, TensorSpec

MLP = Path(__file__).parents[2] / "models" / "mlp"


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr("isoform.isolation.subprocess.Popen", refuse)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    def choose(*missing: str) -> None:
        monkeypatch.setattr("isoform.registry.find_spec", lambda module: None if module in missing else module)

    return choose


def test_a_conversion_is_planned_with_routes_files_and_proofs(answer, only) -> None:
    only()
    smallest_files.tflite(Path("model.tflite"))
    text = """\
model.tflite: TFLite

onnx
  write    exports/model/onnx/  model.onnx artifact.json cases.npz weights.json
  route    tflite -> onnx
  prove    on ort-cpu
  prove    on ort-cuda

torchscript
  write    exports/model/torchscript/  model.ts artifact.json cases.npz weights.json
  route    tflite -> onnx -> torchscript
  prove    on torch-jit
  prove    on torch-jit-cuda
"""
    assert answer("convert", "model.tflite", "--to", "onnx,torchscript", "--dry-run") == (text, "", 0)
    assert [path.name for path in Path.cwd().iterdir()] == ["model.tflite"]


def test_a_model_in_two_files_is_planned_with_both(answer, only) -> None:
    only()
    smallest_files.tflite(Path("model.tflite"))
    out, _, _ = answer("convert", "model.tflite", "--to", "openvino", "--dry-run")
    assert "  write    exports/model/openvino/  model.xml model.bin artifact.json cases.npz weights.json\n" in out


def test_what_has_to_be_installed_is_said_and_the_exit_code_is_3(answer, only) -> None:
    only("torch")
    smallest_files.tflite(Path("model.tflite"))
    text = """\
model.tflite: TFLite

torchscript
  write    exports/model/torchscript/  model.ts artifact.json
  route    tflite -> onnx -> torchscript   to install: pip install 'isoform[torch]'
  prove    no: --no-verify
"""
    words = ("convert", "model.tflite", "--to", "torchscript", "--no-verify", "--dry-run")
    assert answer(*words) == (text, "", 3)


def test_many_routes_are_counted_and_what_stands_there_is_replaced(answer, only) -> None:
    only()
    smallest_files.safetensors(Path("w.safetensors"))
    Path("net.py").write_text(smallest_files.NETWORK)
    Path("exports/w/onnx").mkdir(parents=True)
    Path("exports/w/onnx/artifact.json").write_text("{}")
    text = """\
w.safetensors: safetensors

onnx
  replace  exports/w/onnx/  model.onnx artifact.json cases.npz weights.json
  route    torch -> onnx
  then     torch -> onnx (traced)
           and 3 more: isoform routes torch onnx
  prove    on ort-cpu
  prove    on ort-cuda
"""
    words = ("convert", "w.safetensors", "--arch", "net.py:build", "--to", "onnx", "--dry-run")
    assert answer(*words) == (text, "", 0)


def test_as_json_a_plan_is_one_document(answer, only) -> None:
    only()
    smallest_files.tflite(Path("model.tflite"))
    out, err, code = answer("convert", "model.tflite", "--to", "onnx", "--dry-run", "--json")
    assert (err, code) == ("", 0)
    route = {"route": "tflite -> onnx", "converters": ["tflite_to_onnx"], "missing": []}
    assert json.loads(out) == {
        "source": "model.tflite",
        "format": "tflite",
        "plan": [
            {
                "format": "onnx",
                "precision": "fp32",
                "destination": "exports/model/onnx",
                "is_there": False,
                "files": ["model.onnx", "artifact.json", "cases.npz", "weights.json"],
                "routes": [route],
                "runtimes": [{"runtime": "ort-cpu", "missing": []}, {"runtime": "ort-cuda", "missing": []}],
            }
        ],
    }


def test_a_plan_is_refused_for_the_reasons_of_the_conversion(answer) -> None:
    smallest_files.tflite(Path("model.tflite"))
    assert answer("convert", "model.tflite", "--to", "tflite", "--dry-run") == (
        "",
        "Error: The source is tflite already.\nhint: Choose another target; isoform verify proves a file as it is.\n",
        2,
    )


def test_an_export_says_whether_it_trains_first(answer, only) -> None:
    only()
    shutil.copytree(MLP, "mlp")
    out, err, code = answer("export", "mlp", "--to", "torchscript", "--framework", "keras", "--dry-run")
    text = """\
mlp/keras: trained first

torchscript
  write    exports/mlp/keras/torchscript/  model.ts artifact.json cases.npz weights.json
  route    keras -> onnx -> torchscript
  then     keras -> savedmodel -> onnx -> torchscript
  prove    on torch-jit
  prove    on torch-jit-cuda
"""
    assert (out, err, code) == (text, "", 0)
    assert not Path("exports").exists()
    out, _, _ = answer("export", "mlp", "--dry-run", "--json")
    plans = json.loads(out)["plans"]
    assert [(plan["model"], plan["framework"], plan["trains"]) for plan in plans] == [
        ("mlp", "torch", True),
        ("mlp", "keras", True),
    ]


@pytest.fixture
def artifact() -> Path:
    folder = Path("exports/m/tflite")
    folder.mkdir(parents=True)
    smallest_files.tflite(folder / "model.tflite")
    record = {
        "schema_version": 1,
        "format": "tflite",
        "model": "model.tflite",
        "signature": {"inputs": [], "outputs": []},
    }
    (folder / "artifact.json").write_text(json.dumps(record))
    return folder


def test_verify_and_bench_say_what_they_would_run(answer, only, artifact: Path) -> None:
    only("ai_edge_litert")
    missing = "to install: pip install 'isoform[litert]'"
    assert answer("verify", "exports", "--dry-run") == (f"verify {artifact} on litert   {missing}\n", "", 0)
    assert answer("bench", "exports", "--dry-run") == (f"bench {artifact} on litert   {missing}\n", "", 0)
    out, _, _ = answer("bench", "exports", "--dry-run", "--json")
    row = {"path": str(artifact), "runtime": "litert", "missing": ["pip install 'isoform[litert]'"]}
    assert json.loads(out) == {"plan": [row]}
    assert sorted(path.name for path in artifact.iterdir()) == ["artifact.json", "model.tflite"]


def test_what_none_of_the_named_runtimes_opens_is_left_out_where_they_open_another(answer, only) -> None:
    only()
    signature = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("y", "float32", ("n", 2)),)).to_json()
    for name in ("onnx", "tflite", "torchscript"):
        folder = Path("exports", name)
        folder.mkdir(parents=True)
        record = {
            "schema_version": 1, "name": "net", "framework": "torch", "format": name, "model": f"model.{name}",
            "signature": signature, "files": {},
        }  # fmt: skip
        store.write_json(folder / "artifact.json", record)
    words = ("--runtime", "ort-cuda", "--runtime", "torch-jit-cuda", "--dry-run", "--json")
    for command in ("verify", "bench"):
        runs = json.loads(answer(command, "exports", *words).out)["plan"]
        assert [(run["path"], run["runtime"]) for run in runs] == [
            ("exports/onnx", "ort-cuda"), ("exports/torchscript", "torch-jit-cuda"),
        ]  # fmt: skip
    found = answer("verify", "exports/tflite", *words)
    assert (found.code, "None of these runtimes opens 'tflite'" in found.err) == (2, True)
