"""The description of the machine against the system's own files."""

import os
import platform
from dataclasses import replace

import numpy as np
import pytest

from isoform.core import machine


def test_the_description_names_what_the_system_names():
    here = machine.describe()
    assert here.python.endswith(platform.python_version())
    assert here.system.startswith(platform.system())
    assert here.cores == len(os.sched_getaffinity(0))
    assert here.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_the_cpu_is_the_model_name_of_the_first_core(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Example 9000 @ 3.2 GHz\n\nprocessor\t: 1\nmodel name\t: Other\n")
    monkeypatch.setattr(machine, "CPU_INFO", info)
    assert machine.describe().cpu == "Example 9000 @ 3.2 GHz"


@pytest.mark.parametrize("content", [None, "processor\t: 0\nBogoMIPS\t: 48.00\n"])
def test_without_a_model_name_the_platform_is_asked(tmp_path, monkeypatch, content):
    info = tmp_path / "cpuinfo"
    if content is not None:
        info.write_text(content)
    monkeypatch.setattr(machine, "CPU_INFO", info)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine.describe().cpu == platform.machine()


def test_every_field_changes_the_digest_and_a_copy_does_not():
    here = machine.Machine("cpu", "x86_64", 2, 1 << 30, "Linux 6", "CPython 3.11.7")
    others = [
        replace(here, cpu="b"), replace(here, architecture="arm64"), replace(here, cores=4),
        replace(here, memory_bytes=None), replace(here, system="Linux 7"), replace(here, python="CPython 3.12.0"),
    ]  # fmt: skip
    assert len({here.digest, *(other.digest for other in others)}) == 7
    assert machine.Machine.from_json(here.to_json()).digest == here.digest


def test_the_peak_is_never_below_what_is_resident():
    assert 0 < machine.resident_bytes() <= machine.peak_resident_bytes()


def test_the_peak_keeps_what_was_freed():
    before = machine.peak_resident_bytes()
    block = bytearray(64 << 20)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert machine.peak_resident_bytes() >= before
    assert machine.peak_resident_bytes() >= 64 << 20


def test_without_proc_the_peak_comes_from_the_resource_module(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "STATUS", tmp_path / "absent")
    assert machine.resident_bytes() == machine.peak_resident_bytes() > 1 << 20


def test_versions_are_those_installed_and_absence_is_said():
    assert machine.versions(["numpy", "no_such_module"]) == {
        "numpy": np.__version__,
        "no_such_module": "not installed",
    }


def test_the_load_is_the_first_of_the_three_averages(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1.234, 9.0, 9.0))
    assert machine.load() == 1.23
