"""The suites for adapter writers pass on what keeps the protocols and fail on what does not."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array, Bound, ConvertOptions, RunOptions
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError
from isoform.testing import FakeRuntime, FakeSession
from isoform.testing.contracts import ConverterContract, RuntimeContract

SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3)),),
    (TensorSpec("double", "float32", ("batch", 3)), TensorSpec("sum", "float32", ("batch",))),
)


def computed(inputs: Mapping[str, Array]) -> dict[str, Array]:
    return {"sum": inputs["x"].sum(1), "double": inputs["x"] * np.float32(2)}


def copied(source: Artifact, target: Path, options: ConvertOptions) -> None:
    target.write_bytes(source.model.read_bytes())


def artifact_in(folder: Path) -> Artifact:
    (folder / "model.fake").write_bytes(b"fake")
    return Artifact("onnx", folder / "model.fake", SIGNATURE)


class TestFakeRuntime(RuntimeContract):
    module = FakeRuntime(computed, {"w": np.ones(3)})

    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return artifact_in(tmp_path)


class TestCopying(ConverterContract):
    module = SimpleNamespace(convert=copied)
    runtime = FakeRuntime(computed)
    target_format = "onnx"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Artifact:
        return artifact_in(tmp_path)


class Broken(FakeSession):
    """A session with one of the faults that adapters have."""

    def __init__(self, fault: str) -> None:
        super().__init__(SIGNATURE, computed)
        self._fault = fault
        self._buffers: dict[str, Array] = {}
        if fault == "signature":
            self.signature = Signature(SIGNATURE.inputs, SIGNATURE.outputs[::-1])

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        found = super().run(inputs)
        if self._fault == "order":
            return dict(sorted(found.items(), reverse=True))
        if self._fault == "state":
            return {name: array + len(self.calls) for name, array in found.items()}
        if self._fault == "inputs":
            inputs["x"][...] = 0
        if self._fault == "buffer":
            for name, array in found.items():
                self._buffers.setdefault(name, np.zeros((64, 3) if name == "double" else (64,), np.float32))
                self._buffers[name][: len(array)] = array
            return {name: self._buffers[name][: len(array)] for name, array in found.items()}
        return found

    def bind(self, inputs: Mapping[str, Array]) -> Bound:
        if self._fault == "bound":  # a second run computes from what the first one left
            changed = {"x": inputs["x"].copy()}

            def compute() -> dict[str, Array]:
                changed["x"] += 1
                return computed(changed)

            return Bound.of(compute, dict)
        if self._fault == "bound buffer":
            self._buffers.setdefault("double", np.zeros((2, 3), np.float32))
            np.multiply(inputs["x"], 2, out=self._buffers["double"])
            return Bound(lambda: None, lambda: {"double": self._buffers["double"], "sum": inputs["x"].sum(1)})
        return super().bind(inputs)


def contract_of(fault: str) -> RuntimeContract:
    class OfBroken(RuntimeContract):
        module = SimpleNamespace(load=lambda artifact, options: Broken(fault))

    return OfBroken()


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("signature", "test_the_file_has_the_signature_that_was_written"),
        ("order", "test_outputs_come_by_name_in_the_order_of_the_signature"),
        ("state", "test_the_same_inputs_give_the_same_outputs"),
        ("buffer", "test_outputs_belong_to_the_caller"),
        ("bound", "test_what_is_bound_gives_what_run_gives_however_often"),
        ("bound buffer", "test_outputs_of_what_is_bound_belong_to_the_caller"),
        ("inputs", "test_inputs_are_left_as_they_were"),
    ],
)
def test_a_planted_fault_is_caught_by_its_test_and_not_without_it(fault: str, test: str, tmp_path: Path) -> None:
    artifact = artifact_in(tmp_path)
    cases = [{"x": np.full((size, 3), value, np.float32)} for size, value in ((2, 1.0), (2, 5.0))]
    available = {"artifact": artifact, "cases": cases}

    def run(kind: str) -> None:
        check = getattr(contract_of(kind), test)
        wanted = check.__code__.co_varnames[1 : check.__code__.co_argcount]
        arguments: dict[str, Any] = {"session": Broken(kind), **available}
        check(**{name: arguments[name] for name in wanted})

    run("none")
    with pytest.raises(AssertionError):
        run(fault)


def test_a_runtime_that_takes_any_device_is_caught(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception):
        contract_of("none").test_a_device_that_is_not_there_is_refused(artifact_in(tmp_path))


def test_the_fake_refuses_other_devices_and_keeps_its_calls(tmp_path: Path) -> None:
    runtime = FakeRuntime(computed)
    with pytest.raises(IsoformError, match=r"^The fake runs on the CPU\.$"):
        runtime.load(artifact_in(tmp_path), RunOptions(device="cuda"))
    session = runtime.load(artifact_in(tmp_path), RunOptions())
    given = {"x": np.ones((1, 3), np.float32)}
    session.run(given)
    session.close()
    assert session.calls == [given]
    assert session.is_closed
