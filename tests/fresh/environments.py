"""Environments with one extra of isoform, and what runs in them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def made(folder: Path, extra: str = "", also: str = "") -> Path:
    """Return the interpreter of a new environment in ``folder``, isoform installed as a wheel with ``extra``.

    Args:
        also: a package that is installed beside it.

    Raises:
        CalledProcessError: it does not install.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    wanted = [f"{ROOT}[{extra}]" if extra else str(ROOT), *([also] if also else [])]
    subprocess.run([*pip, "install", *constraints, *wanted], check=True)
    subprocess.run([*pip, "check"], check=True)
    return python


def finds(python: Path, module: str) -> bool:
    """Return whether ``module`` is installed there."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return runs(python, python.parent, code)


def runs(python: Path, folder: Path, code: str) -> bool:
    """Return whether ``code`` runs in ``folder`` without an error."""
    return subprocess.run([str(python), "-P", "-c", code], cwd=folder, env=_clean(), check=False).returncode == 0


def convert(python: Path, folder: Path, words: tuple[str, ...]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code of ``isoform convert`` in ``folder`` and its results."""
    command = [str(python.with_name("isoform")), "convert", *words, "--json"]
    done = subprocess.run(command, cwd=folder, env=_clean(), stdout=subprocess.PIPE, text=True, check=False)
    results: list[dict[str, Any]] = json.loads(done.stdout or '{"results": []}')["results"]
    return done.returncode, results


def verify(python: Path, folder: Path, artifact: str) -> tuple[int, str]:
    """Return the exit code of ``isoform verify`` in ``folder``, and what it says of each gate."""
    command = [str(python.with_name("isoform")), "verify", artifact, "--json"]
    done = subprocess.run(command, cwd=folder, env=_clean(), stdout=subprocess.PIPE, text=True, check=False)
    results: list[dict[str, Any]] = json.loads(done.stdout or '{"results": []}')["results"]
    gates = results[0]["parity"][0]["gates"] if results else {}
    return done.returncode, ", ".join(f"{name} {gate['verdict']}" for name, gate in gates.items()) or "nothing"


def _clean() -> dict[str, str]:
    """Return the variables of this process without those that show an interpreter other packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
