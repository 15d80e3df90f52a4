"""The verb doctor: what this environment is, which converters and runtimes work in it, and what others need.

Packages are looked up, not imported; ONNX Runtime alone is asked, in a child, where it can run.
"""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from isoform import registry
from isoform.core import machine
from isoform.core.integer_steps import EXACT_SUMS
from isoform.errors import IsoformError, MissingDependency
from isoform.isolation import Pool

FLOORS = {
    "torch": ((2, 10), "older ones run code from a checkpoint even when told not to"),
    "keras": ((3, 12, 4), "older ones can be made to run code in safe mode"),
    "onnx": ((1, 22), "older ones follow hard links out of a model's folder"),
    "onnxruntime": ((1, 24), "older ones follow symbolic links out of a model's folder"),
}
"""The oldest version that withstands published attacks, and why."""
WORKS, MISSING, TOO_OLD, NO_DEVICE = "works", "missing", "too old", "no gpu"
_ROWS: tuple[registry.Converter | registry.Runtime, ...] = (
    *registry.RUNTIMES.values(),
    *registry.CONVERTERS.values(),
)
_QUERY = ("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
_PATIENCE_S = 10.0
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_CAN_RUN = "ONNX Runtime can run on it"


@dataclass(frozen=True)
class Finding:
    """One row of the answer.

    Attributes:
        kind: "isoform", "machine", "gpu", "provider", "package", "converter" or "runtime".
        status: "works", "missing", "too old", or "no gpu" where only the device is not there.
        remedy: the command to run; empty where it works.
    """

    subject: str
    kind: str
    status: str
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def examine(pool: Pool) -> list[Finding]:
    """Return a finding for isoform, the machine, each GPU, provider, package, converter and runtime."""
    here = machine.describe()
    providers = _providers(pool)
    gpus = _gpus()
    names = [finding.subject for finding in providers]
    has_gpu = any(gpu.status == WORKS for gpu in gpus)
    return [
        Finding("isoform", "isoform", WORKS, metadata.version("isoform")),
        Finding(platform.node() or "this machine", "machine", WORKS, f"{here.python}, {here.system}, {here.cpu}"),
        *gpus,
        *providers,
        *map(_package, _packages()),
        *(_row("converter", row) for row in registry.CONVERTERS.values()),
        *(_runtime(row, names, has_gpu) for row in registry.RUNTIMES.values()),
    ]


def _packages() -> list[str]:
    return sorted({*FLOORS, *(module for row in _ROWS for module in row.needs)})


def _package(module: str) -> Finding:
    version = registry.version_of(module)
    if version == "not installed":
        extra = next(row.extra for row in _ROWS if module in row.needs)
        return Finding(module, "package", MISSING, "not installed", f"pip install 'isoform[{extra}]'")
    oldest, reason = FLOORS.get(module, ((), ""))
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())
    floor = ".".join(map(str, oldest))
    if numbers < oldest:
        return Finding(module, "package", TOO_OLD, f"{version}: {reason}", f"pip install '{module}>={floor}'")
    return Finding(module, "package", WORKS, f"{version} (at least {floor})" if floor else version)


def _row(kind: str, row: registry.Converter | registry.Runtime) -> Finding:
    try:
        registry.require(row)
    except MissingDependency as error:
        return Finding(row.name, kind, MISSING, error.what, error.hint)
    return Finding(row.name, kind, WORKS, "every package it needs is installed")


def _runtime(row: registry.Runtime, providers: list[str], has_gpu: bool) -> Finding:
    found = _row("runtime", row)
    if found.status != WORKS or row.device != "cuda":
        return found
    if "onnxruntime" in row.needs and _CUDA not in providers:
        detail = f"ONNX Runtime has no {_CUDA} here"
        return Finding(row.name, "runtime", NO_DEVICE, detail, "pip install 'isoform[cuda]'")
    if not has_gpu:  # ONNX Runtime lists CUDA wherever it is built with it
        return Finding(row.name, "runtime", NO_DEVICE, "no NVIDIA GPU answers here")
    return found


def _providers(pool: Pool) -> list[Finding]:
    """Return where ONNX Runtime can run; nothing where it is not installed, which its packages' rows say."""
    if registry.missing(registry.runtime("ort-cpu")):
        return []
    try:
        found = pool.call("isoform.jobs.providers:listed", {}, needs="onnxruntime").value
    except IsoformError as error:
        return [Finding("onnxruntime", "provider", MISSING, error.what, error.hint)]
    cutting = f"{_CAN_RUN}; without VNNI it cuts off sums of int8 products unless {EXACT_SUMS} is 1"
    return [
        Finding(name, "provider", WORKS, cutting if name == _CPU and found["is_cutting"] else _CAN_RUN)
        for name in found["providers"]
    ]


def _gpus() -> list[Finding]:
    """Return the GPUs that NVIDIA's driver lists; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return [Finding("NVIDIA", "gpu", NO_DEVICE, "no NVIDIA driver here (nvidia-smi is not there)")]
    try:
        answer = subprocess.run([program, *_QUERY], capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [
            Finding("NVIDIA", "gpu", NO_DEVICE, f"nvidia-smi gives no answer: {error}", "See what nvidia-smi says.")
        ]
    rows = [line.split(", ") for line in answer.stdout.splitlines() if line.count(", ") >= 2]
    return [Finding(name, "gpu", WORKS, f"driver {driver}, {memory}") for name, driver, memory, *_ in rows]
