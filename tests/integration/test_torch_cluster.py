"""Real trainings and conversions on workers of this machine: what is written is what is written without them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="not installed: pip install 'isoform[cluster]'")
pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def exported(out: Path, *words: str) -> tuple[list[dict[str, object]], str]:
    command = [sys.executable, "-P", "-m", "isoform", "export", str(ROOT / "models" / "mlp"), "--framework", "torch"]
    command += ["--to", "onnx,ort", "--train", "epochs=1", "--out", str(out), "--json", *words]
    done = subprocess.run(command, cwd=out.parent, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["results"], done.stderr


def test_a_model_is_trained_and_exported_by_a_worker_and_reused_by_this_process(tmp_path: Path) -> None:
    there, told = exported(tmp_path / "out", "--scheduler", "local", "--workers", "1")
    assert [(row["format"], row["status"], row["reused"]) for row in there] == [
        ("onnx", "passed", False), ("ort", "passed", False)
    ]  # fmt: skip
    assert "starting 1 worker process" in told
    assert "mlp/torch" in told
    assert "training" in told
    here, _ = exported(tmp_path / "out")
    assert [(row["format"], row["reused"], row["model"]) for row in here] == [
        (row["format"], True, row["model"]) for row in there
    ]  # fmt: skip
