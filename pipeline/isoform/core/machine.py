"""The machine that a figure was taken on: processor, cores, memory, system, Python. Standard library only.

What changes from minute to minute (load) stands apart from what identifies the machine.
"""

import hashlib
import json
import os
import platform
import resource
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
STATUS = Path("/proc/self/status")
NVIDIA = Path("/proc/driver/nvidia")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class Machine:
    """What stays the same between two runs on one machine.

    Attributes:
        cores: logical cores that this process may use.
        memory_bytes: physical memory; None where the system does not say.
    """

    cpu: str
    architecture: str
    cores: int
    memory_bytes: int | None
    system: str
    python: str

    @property
    def digest(self) -> str:
        """SHA-256 of all fields: figures under different digests are not comparable."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Machine":
        return cls(
            str(record["cpu"]), str(record["architecture"]), int(record["cores"]), record["memory_bytes"],
            str(record["system"]), str(record["python"]),
        )  # fmt: skip


def describe() -> Machine:
    """Return the machine that runs this process."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    return Machine(_cpu(), platform.machine(), cores(), _memory_bytes(), system, python)


def accelerators() -> list[str]:
    """Return NVIDIA's driver and GPUs as Linux tells them, a text each; none where there are none."""
    paths = [NVIDIA / "version", *sorted(NVIDIA.glob("gpus/*/information"))]
    return [path.read_text(errors="replace") for path in paths if path.is_file()]


def cores() -> int:
    """Return the number of logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def last_cache_bytes() -> int | None:
    """Return the size of the largest cache of a core, shared or not; None where the system does not say."""
    found = []
    for path in CACHES.glob("index*/size"):
        text = path.read_text().strip()
        if text.endswith("K") and text[:-1].isdigit():
            found.append(int(text[:-1]) << 10)
    return max(found, default=None)


def load() -> float | None:
    """Return the load average of the last minute (runnable tasks), or None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def resident_bytes() -> int:
    """Return the memory of this process that is resident now; the highest so far where only that is known."""
    return _from_status("VmRSS") or peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Return the highest resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return _from_status("VmHWM") or peak


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Return the installed version of the package behind each module, or "not installed"; imports none of them."""
    return {module: _version(module) for module in modules}


@cache
def _version(module: str) -> str:
    try:
        return metadata.version(module.replace("_", "-"))  # the names of distributions compare without - and _
    except metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware")))
    return next(names, "") or platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _from_status(field: str) -> int | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
