"""Users' repositories as they are: their packages have any names, their factories do anything (fault 23)."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError
from isoform.intake.source import FileRequest, Source, from_file
from isoform.isolation import Limits, Pool

INPUT = TensorSpec.parse("x:float32[batch,3]")
LINEAR = "from torch import nn\ndef build(outputs=2):\n    return nn.Linear(3, outputs)\n"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("logs"), Limits(timeout_s=120)) as pool:
        yield pool


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for many tests: a child is kept warm for it."""
    return tmp_path_factory.mktemp("repository")


def repository(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def weights(path: Path, outputs: int = 2) -> Path:
    tensors = {"weight": np.ones((outputs, 3), np.float32), "bias": np.zeros(outputs, np.float32)}
    safetensors.numpy.save_file(tensors, path)
    return path


def opened(arch: str, folder: Path, pool: Pool, outputs: int = 2) -> Source:
    request = FileRequest(weights(folder / "w.safetensors", outputs), arch, None, [INPUT])
    return from_file(request, pool, folder / "work")


def test_packages_called_models_pipeline_and_utils_work(tmp_path: Path, pool: Pool) -> None:
    repository(tmp_path, {
        "models/__init__.py": "",
        "models/net.py": "from pipeline.build import linear\nfrom utils import outputs\n"
        "def build():\n    return linear(outputs())\n",
        "pipeline/build.py": "from torch import nn\ndef linear(n):\n    return nn.Linear(3, n)\n",
        "utils/__init__.py": "def outputs():\n    return 2\n",
    })  # fmt: skip
    found = opened(str(tmp_path / "models" / "net.py") + ":build", tmp_path, pool)
    assert found.artifact.architecture is not None
    assert found.artifact.architecture.root == tmp_path
    assert str(found.artifact.signature.outputs[0]) == "output:float32[batch,2]"


def test_a_module_is_named_from_the_folder_one_stands_in(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, {"models/__init__.py": "", "models/net.py": LINEAR})
    monkeypatch.chdir(tmp_path)
    assert opened("models.net:build", tmp_path, pool).artifact.signature.outputs[0].shape == ("batch", 2)


def test_a_file_with_relative_imports_is_a_module_of_its_package(tmp_path: Path, pool: Pool) -> None:
    repository(tmp_path, {
        "net/__init__.py": "", "net/sub/__init__.py": "", "net/blocks.py": LINEAR,
        "net/sub/model.py": "from ..blocks import build\n",
    })  # fmt: skip
    assert opened(f"{tmp_path}/net/sub/model.py:build", tmp_path, pool).artifact.signature.outputs


@pytest.mark.parametrize("name", ["random", "onnx", "tempfile"])
def test_a_file_with_the_name_of_a_module_of_others_serves_the_repository_alone(
    tmp_path: Path, pool: Pool, name: str
) -> None:
    repository(tmp_path, {
        f"{name}.py": f"import {name} as others\nOUTPUTS = 2\nassert not hasattr(others, 'OUTPUTS')\n",
        "net.py": f"from {name} import OUTPUTS\nimport {name} as own\n{LINEAR}    assert own.OUTPUTS == OUTPUTS\n",
    })  # fmt: skip
    assert opened(f"{tmp_path}/net.py:build", tmp_path, pool).artifact.signature.outputs


def test_two_repositories_with_equal_package_names_do_not_mix(tmp_path: Path, pool: Pool) -> None:
    shapes = []
    for outputs in (2, 5, 2):
        root = tmp_path / f"repository{outputs}"
        repository(root, {
            "models/__init__.py": f"OUTPUTS = {outputs}\n",
            "net.py": "from torch import nn\nimport models\ndef build():\n    return nn.Linear(3, models.OUTPUTS)\n",
        })  # fmt: skip
        shapes.append(opened(f"{root}/net.py:build", root, pool, outputs).artifact.signature.outputs[0].shape)
    assert shapes == [("batch", 2), ("batch", 5), ("batch", 2)]


def test_a_dataclass_with_deferred_annotations_works(shared: Path, pool: Pool) -> None:
    text = "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass C:\n    n: int = 2\n"
    repository(shared, {"net.py": f"{text}{LINEAR}"})
    assert opened(f"{shared}/net.py:build", shared, pool).artifact.signature.outputs


def test_what_a_factory_prints_does_not_reach_the_protocol(shared: Path, pool: Pool) -> None:
    noisy = "import os\nprint('hello')\nos.write(1, b'{\"value\": 1}\\n')\n"
    repository(shared, {"net.py": f"{noisy}{LINEAR}"})
    assert opened(f"{shared}/net.py:build", shared, pool).artifact.signature.outputs


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("def build():\n    raise ValueError('no such width')\n", "architecture", "ValueError: no such width"),
        ("def build():\n    raise SystemExit(0)\n", "architecture", "failed when it was called: SystemExit: 0"),
        ("def build():\n    pass\n", "architecture", "'net.py:build' returned NoneType, not a torch.nn.Module."),
        ("import nowhere\n", "missing-dependency", "'net.py:build' needs the package 'nowhere'"),
        ("def built():\n    pass\n", "architecture", "'net.py' has no callable 'build'."),
        ("build = 3\n", "architecture", "'net.py' has no callable 'build'."),
        ("def build(:\n", "architecture", "failed when it was imported: SyntaxError"),
        ("raise KeyError('x')\n", "architecture", "failed when it was imported: KeyError: 'x'"),
        ("def build(n):\n    pass\n", "architecture", "missing 1 required positional argument: 'n'"),
        (LINEAR.replace("3,", "7,"), "state-dict", "1 misshapen: weight [2, 3], the network has [2, 7]"),
        ("import os\ndef build():\n    os._exit(0)\n", "crashed", "ended with exit code 0 and no answer"),
        ("import os\ndef build():\n    os.abort()\n", "crashed", "died of SIGABRT"),
    ],
)
def test_a_factory_that_fails_is_one_clear_error(shared: Path, pool: Pool, text: str, kind: str, words: str) -> None:
    repository(shared, {"net.py": text})
    before = weights(shared / "w.safetensors").read_bytes()
    with pytest.raises(IsoformError) as caught:
        opened(f"{shared}/net.py:build", shared, pool)
    assert caught.value.kind == kind
    assert words in caught.value.what
    assert "\n" not in caught.value.what
    assert caught.value.hint
    assert (shared / "w.safetensors").read_bytes() == before
