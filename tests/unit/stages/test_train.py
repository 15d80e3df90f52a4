"""The train stage with a fake pool: what is trained, what is used again, what the job is told, what export gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from isoform import store
from isoform.core.model import Model, load_manifest
from isoform.errors import IsoformError, UsageError
from isoform.isolation import Answer
from isoform.stages import train

MANIFEST = """
[model]
name = "net"
[parameters]
size = 4
[[inputs]]
name = "image"
dtype = "float32"
shape = ["batch", 3, "{size}", "{size}"]
layout = "NCHW"
[[outputs]]
name = "probabilities"
dtype = "float32"
shape = ["batch", 10]
[data]
source = "digits"
[train]
epochs = 2
[torch]
factory = "torch_model:build"
checkpoint = "weights.safetensors"
[keras]
factory = "keras_model:build"
checkpoint = "weights.keras"
layouts = { image = "NHWC" }
"""


@dataclass
class FakePool:
    """Writes what a training job would write, and remembers how it was called."""

    calls: list[dict[str, Any]] = field(default_factory=list)

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        needs: str,
        root: Path | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        is_fresh: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        self.calls.append({"function": function, "needs": needs, "root": root, "is_fresh": is_fresh, **arguments})
        out = Path(arguments["out"])
        out.mkdir(parents=True, exist_ok=True)
        names = [arguments["checkpoint"], "samples.npz"]
        for name in names:
            (out / name).write_bytes(b"trained")
        files = {name: store.digest_file(out / name) for name in names}
        record = {"schema_version": 1, "key": arguments["key"], "files": files}
        store.write_json(out / "training.json", record)
        if on_progress is not None:
            on_progress({"epoch": 1})
        return Answer(record, 0.1, 1, 0.1)


def network(root: Path) -> Path:
    """Write a folder that may be trained, and return it."""
    root.mkdir()
    (root / "isoform.toml").write_text(MANIFEST)
    (root / "torch_model.py").write_text("def build(size): ...\n")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return network(tmp_path / "net")


def request(folder: Path, **changes: Any) -> train.TrainRequest:
    model = changes.pop("model", None) or load_manifest(folder)
    return train.TrainRequest((model,), folder.parent / "exports", **changes)


def trained(folder: Path, pool: FakePool, **changes: Any) -> list[train.TrainRecord]:
    return [train.run(task, pool) for task in train.plan(request(folder, **changes))]


def test_each_framework_of_the_manifest_is_one_task_in_its_own_folder(folder: Path) -> None:
    tasks = train.plan(request(folder))
    exports = folder.parent / "exports" / "net"
    assert [(task.framework, task.folder, task.is_current) for task in tasks] == [
        ("torch", exports / "torch" / "training", False),
        ("keras", exports / "keras" / "training", False),
    ]
    assert not exports.exists()


def test_other_parameters_have_a_folder_of_their_own(folder: Path) -> None:
    (task,) = train.plan(request(folder, model=load_manifest(folder, {"size": 8}), frameworks=("torch",)))
    assert task.folder == folder.parent / "exports" / "net-size-8" / "torch" / "training"


def test_the_job_is_told_everything_in_a_fresh_child_of_the_framework(folder: Path) -> None:
    pool = FakePool()
    trained(folder, pool, frameworks=("keras",))
    (call,) = pool.calls
    assert (call["function"], call["needs"], call["root"], call["is_fresh"]) == (
        "isoform.jobs.train_keras:train", "tensorflow", folder, True,
    )  # fmt: skip
    assert call["architecture"] == {"root": str(folder), "factory": "keras_model:build", "arguments": {"size": 4}}
    assert call["signature"]["inputs"][0]["shape"] == ["batch", 4, 4, 3]
    assert call["plan"]["epochs"] == 2
    assert (call["source"], call["data_dir"], call["tokenizer"]) == ("digits", None, None)
    assert call["out"] == str((folder.parent / "exports/net/keras/training").resolve())


def test_progress_arrives_with_the_task_it_belongs_to(folder: Path) -> None:
    (task,) = train.plan(request(folder, frameworks=("torch",)))
    seen: list[tuple[str, dict[str, Any]]] = []
    train.run(task, FakePool(), lambda task, event: seen.append((task.framework, event)))
    assert seen == [("torch", {"epoch": 1})]


def test_a_finished_training_is_used_again(folder: Path) -> None:
    pool = FakePool()
    first, second = trained(folder, pool), trained(folder, pool)
    assert len(pool.calls) == 2
    assert [record.is_reused for record in first + second] == [False, False, True, True]
    assert [record.record for record in first] == [record.record for record in second]


def change_source(folder: Path) -> None:
    (folder / "torch_model.py").write_text("def build(size): return None\n")


def change_plan(folder: Path) -> None:
    (folder / "isoform.toml").write_text(MANIFEST.replace("epochs = 2", "epochs = 3"))


def damage_checkpoint(folder: Path) -> None:
    (folder.parent / "exports/net/torch/training/weights.safetensors").write_bytes(b"trainee")


def delete_samples(folder: Path) -> None:
    (folder.parent / "exports/net/torch/training/samples.npz").unlink()


def cut_record(folder: Path) -> None:
    path = folder.parent / "exports/net/torch/training/training.json"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("change", [change_source, change_plan, damage_checkpoint, delete_samples, cut_record])
def test_whatever_the_result_depends_on_makes_it_train_again(folder: Path, change: Callable[[Path], None]) -> None:
    pool = FakePool()
    trained(folder, pool, frameworks=("torch",))
    change(folder)
    (again,) = trained(folder, pool, frameworks=("torch",))
    assert (len(pool.calls), again.is_reused) == (2, False)


def test_an_option_replaces_the_manifest_s_and_trains_again_only_where_it_changed(folder: Path) -> None:
    pool = FakePool()
    trained(folder, pool, frameworks=("torch",))
    trained(folder, pool, frameworks=("torch",), options={"schedule": "cosine", "epochs": 5})
    (again,) = trained(folder, pool, frameworks=("torch",), options={"schedule": "cosine", "epochs": 5})
    assert again.is_reused
    assert [(call["plan"]["schedule"], call["plan"]["epochs"]) for call in pool.calls] == [("linear", 2), ("cosine", 5)]
    (same,) = trained(folder, pool, frameworks=("torch",), options={"epochs": 5, "schedule": "cosine", "seed": 0})
    assert same.is_reused


def test_an_option_of_a_training_that_does_not_take_place_is_refused(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"mine")
    with pytest.raises(UsageError) as caught:
        train.plan(request(folder, frameworks=("torch",), options={"epochs": 5}))
    assert caught.value.what == (
        f"{folder / 'weights.safetensors'} is there, so that nothing is trained and 'epochs' means nothing."
    )
    assert caught.value.hint == "Leave training options out, or move the checkpoint away."


def test_force_trains_again_and_tells_the_job(folder: Path) -> None:
    pool = FakePool()
    trained(folder, pool, frameworks=("torch",))
    trained(folder, pool, frameworks=("torch",), is_forced=True)
    assert [call["is_forced"] for call in pool.calls] == [False, True]


def test_sources_of_installed_packages_below_the_folder_do_not_count(folder: Path) -> None:
    (before,) = train.plan(request(folder, frameworks=("torch",)))
    for place in (".venv/lib", "node_modules"):
        (folder / place).mkdir(parents=True)
        (folder / place / "module.py").write_text("x = 1\n")
    (after,) = train.plan(request(folder, frameworks=("torch",)))
    assert before.key == after.key


def test_the_bytes_of_a_real_data_set_are_part_of_the_key(folder: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    for name in (*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"):
        (data_dir / name).write_bytes(bytes(3073))
    keys = [train.plan(request(folder, frameworks=("torch",)))[0].key]
    keys.append(train.plan(request(folder, frameworks=("torch",), data_dir=data_dir))[0].key)
    (data_dir / "test_batch.bin").write_bytes(bytes(3072) + b"\1")
    keys.append(train.plan(request(folder, frameworks=("torch",), data_dir=data_dir))[0].key)
    assert len(set(keys)) == 3


def test_an_incomplete_data_set_is_refused_before_anything_runs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073))
    with pytest.raises(IsoformError) as caught:
        train.plan(request(folder, data_dir=tmp_path))
    assert caught.value.what == f"{tmp_path / 'data_batch_1.bin'}: this file of the data set is missing."


def test_a_checkpoint_beside_the_manifest_is_taken_and_nothing_is_trained(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"mine")
    pool = FakePool()
    (record,) = trained(folder, pool, frameworks=("torch",), is_forced=True)
    assert pool.calls == []
    assert (record.checkpoint, record.samples, record.record) == (folder / "weights.safetensors", None, {})


def test_a_model_without_checkpoint_and_plan_is_refused(folder: Path) -> None:
    (folder / "isoform.toml").write_text(MANIFEST.replace("[train]\nepochs = 2\n", ""))
    with pytest.raises(UsageError) as caught:
        train.plan(request(folder))
    assert caught.value.what == (
        f"{folder}: there is no weights.safetensors, and isoform.toml does not say how to train one."
    )
    assert caught.value.hint == "Put weights.safetensors there, or add [data] and [train] sections."


def test_the_source_of_an_export_has_network_signature_and_tokenizer(folder: Path) -> None:
    tokenized = MANIFEST + '[tokenizer]\nfile = "tokenizer.json"\ninput = "image"\nvocabulary_size = 5\n'
    (folder / "isoform.toml").write_text(tokenized)
    (folder / "weights.keras").write_bytes(b"mine")
    (folder / "tokenizer.json").write_text("{}")
    (record,) = trained(folder, FakePool(), frameworks=("keras",))
    source = record.source
    assert (source.format, source.model, source.tokenizer) == (
        "keras", folder / "weights.keras", folder / "tokenizer.json",
    )  # fmt: skip
    assert source.signature.inputs[0].layout == "NHWC"
    assert source.architecture is not None
    assert source.architecture.arguments == {"size": 4}


@pytest.mark.parametrize("name", ["mlp", "image_classifier", "text_classifier"])
def test_the_reference_models_can_be_planned_in_both_frameworks(name: str, tmp_path: Path) -> None:
    model: Model = load_manifest(Path(__file__).parents[3] / "models" / name)
    tasks = train.plan(train.TrainRequest((model,), tmp_path))
    assert [task.framework for task in tasks] == ["torch", "keras"]
    assert len({task.key for task in tasks}) == 2
