"""The part of the cases that the tests of every change run, in the test's own process."""

import importlib

from conformance import baseline, known, suite
from conformance.worker import judge

STEPS = {"torch": 5, "torchscript": 7, "torchscript_weights": 7, "tensorflow": 10, "tensorflow_weights": 10}
"""Every how many-th case; TensorFlow makes a graph of each, which takes a tenth of a second and more."""
_STEP = 6


def worse(target: str) -> str:
    """Return a line for each case that was right and is not, or that is wrong without a known reason."""
    prepare = importlib.import_module(f"conformance.targets.{target}").prepare
    names = suite.names()[:: STEPS.get(target, _STEP)]
    found = {name: judge(suite.load(name), prepare) for name in names}
    changes = baseline.changes(baseline.read(target).verdicts, found)
    listed = known.unexplained(target, found) | {each.name: each.told() for each in changes if each.is_regression}
    return "\n".join(f"{name}: {text}" for name, text in sorted(listed.items()))
