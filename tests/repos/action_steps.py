"""action.yml as a runner executes it: the steps that are shell, with the inputs put into their environment."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ACTION = Path(__file__).parents[2] / "action.yml"
_INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


def run(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Return how the first step that failed ended, or the last one; the job's page is ``folder``/summary.md.

    A step with ``uses`` is another action's and is left to the runner.
    """
    action = yaml.safe_load(ACTION.read_text())
    unknown = inputs.keys() - action["inputs"].keys()
    assert not unknown, f"action.yml has no input {unknown}"
    given = {name: entry["default"] for name, entry in action["inputs"].items()} | inputs
    for step in (step for step in action["runs"]["steps"] if "run" in step):
        done = _run(step, given, folder)
        if done.returncode:
            break
    return done


def _run(step: Mapping[str, Any], inputs: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    own = {name: _INPUT.sub(lambda found: inputs[found[1]], text) for name, text in step.get("env", {}).items()}
    assert not _INPUT.search(step["run"]), "an input inside of a script could run as one"
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder, env=os.environ | runner | own, capture_output=True, text=True, check=False,
    )  # fmt: skip
