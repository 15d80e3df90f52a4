"""What an environment lacks is said with the command that mends it; only what is unsafe is a failure."""

import subprocess
from importlib import metadata
from types import SimpleNamespace

import pytest

from isoform.errors import IsoformError
from isoform.stages import doctor
from isoform.stages.doctor import Finding, examine


class Pool:
    """A child with ONNX Runtime that has these providers, or none."""

    def __init__(self, *providers: str, is_cutting: bool = False) -> None:
        self._providers, self._is_cutting = providers, is_cutting

    def call(self, function: str, arguments: dict[str, object], *, needs: str) -> SimpleNamespace:
        if not self._providers:
            raise IsoformError("The child died.", "See the log.")
        return SimpleNamespace(value={"providers": list(self._providers), "is_cutting": self._is_cutting})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """Return a function that sets which packages there are, by version; those not named have version 99."""

    def choose(**versions: str | None) -> None:
        def version(name: str) -> str:
            found = versions.get(name.replace("-", "_"), "99.0")
            if found is None or name.endswith("-gpu"):
                raise metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr("isoform.registry.metadata.version", version)
        monkeypatch.setattr(
            "isoform.registry.find_spec", lambda module: None if versions.get(module, "") is None else module
        )
        monkeypatch.setattr(doctor.shutil, "which", lambda program: None)

    return choose


def found(pool: Pool, subject: str, kind: str) -> Finding:
    return next(row for row in examine(pool) if (row.subject, row.kind) == (subject, kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("is_cutting", [False, True])
def test_a_processor_that_cuts_integer_sums_off_is_named_with_what_helps(installed, is_cutting) -> None:
    installed()
    row = found(
        Pool("CUDAExecutionProvider", "CPUExecutionProvider", is_cutting=is_cutting), "CPUExecutionProvider", "provider"
    )
    assert row.status == "works"
    assert ("session.x64quantprecision is 1" in row.detail) is is_cutting
    other = found(Pool("CUDAExecutionProvider", is_cutting=is_cutting), "CUDAExecutionProvider", "provider")
    assert "VNNI" not in other.detail


@pytest.mark.parametrize(
    ("package", "version", "floor"),
    [("torch", "2.9.1", "2.10"), ("keras", "3.12.3", "3.12.4"), ("onnx", "1.21.0", "1.22"),
     ("onnxruntime", "1.23.2", "1.24")],
)  # fmt: skip
def test_a_package_below_its_floor_is_too_old_and_at_it_works(installed, package, version, floor) -> None:
    installed(**{package: version})
    row = found(Pool("CPUExecutionProvider"), package, "package")
    assert row.status == "too old"
    assert row.detail == f"{version}: {doctor.FLOORS[package][1]}"
    assert row.remedy == f"pip install '{package}>={floor}'"
    installed(**{package: f"{floor}.0+cpu"})
    row = found(Pool("CPUExecutionProvider"), package, "package")
    assert (row.status, row.detail, row.remedy) == ("works", f"{floor}.0+cpu (at least {floor})", "")


def test_what_is_not_installed_says_what_to_type(installed) -> None:
    installed(tensorflow=None)
    row = found(Pool("CPUExecutionProvider"), "tensorflow", "package")
    assert (row.status, row.detail, row.remedy) == ("missing", "not installed", "pip install 'isoform[tensorflow]'")
    row = found(Pool("CPUExecutionProvider"), "tf", "runtime")
    assert row.detail == "'tf' needs the package 'tensorflow', which is not installed."


@pytest.fixture
def gpu(installed, monkeypatch: pytest.MonkeyPatch):
    """Return a function that plugs a GPU in, after which every package is there."""

    def plug() -> None:
        answer = SimpleNamespace(stdout="NVIDIA Example, 600.1, 24576 MiB\n")
        monkeypatch.setattr(doctor.shutil, "which", lambda program: program)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)

    installed()
    return plug


def test_cuda_without_its_provider_is_no_gpu_and_not_works(gpu) -> None:
    gpu()
    row = found(Pool("CPUExecutionProvider"), "ort-cuda", "runtime")
    assert (row.status, row.detail) == ("no gpu", "ONNX Runtime has no CUDAExecutionProvider here")
    assert found(Pool("CUDAExecutionProvider"), "ort-cuda", "runtime").status == "works"
    assert found(Pool("CUDAExecutionProvider"), "CUDAExecutionProvider", "provider").status == "works"


@pytest.mark.parametrize("name", ["ort-cuda", "torch-jit-cuda"])
def test_packages_for_cuda_without_a_gpu_that_answers_do_not_work(gpu, name: str) -> None:
    row = found(Pool("CUDAExecutionProvider"), name, "runtime")
    assert (row.status, row.detail) == ("no gpu", "no NVIDIA GPU answers here")
    gpu()
    assert found(Pool("CUDAExecutionProvider"), name, "runtime").status == "works"


def test_an_onnx_runtime_that_does_not_import_is_said(installed) -> None:
    installed()
    row = found(Pool(), "onnxruntime", "provider")
    assert (row.status, row.detail, row.remedy) == ("missing", "The child died.", "See the log.")


def test_gpus_are_those_that_the_driver_lists(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed()
    row = found(Pool("CPUExecutionProvider"), "NVIDIA", "gpu")
    assert (row.status, row.detail) == ("no gpu", "no NVIDIA driver here (nvidia-smi is not there)")
    monkeypatch.setattr(doctor.shutil, "which", lambda program: program)
    answer = SimpleNamespace(stdout="NVIDIA H100 80GB HBM3, 570.1, 81559 MiB\n")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *words, **named: answer)
    row = found(Pool("CPUExecutionProvider"), "NVIDIA H100 80GB HBM3", "gpu")
    assert (row.status, row.detail) == ("works", "driver 570.1, 81559 MiB")

    def fail(*words: object, **named: object) -> None:
        raise subprocess.CalledProcessError(9, "nvidia-smi")

    monkeypatch.setattr(doctor.subprocess, "run", fail)
    row = found(Pool("CPUExecutionProvider"), "NVIDIA", "gpu")
    assert row.detail == "nvidia-smi gives no answer: Command 'nvidia-smi' returned non-zero exit status 9."
