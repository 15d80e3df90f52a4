"""A program: takes a step of training on noise for each of several plans, and writes the states that come of them.

``python child.py REQUEST.json``, with framework, root, and for each file to write a plan and the shape of the inputs.
After one step from zeros Adam's first moment is a tenth of the gradient, so that gradients can be compared.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from isoform._child import peak_rss_bytes
from isoform.core.artifact import Architecture
from isoform.core.training import TrainingPlan
from isoform.jobs.training_epochs import parts_of

CLASSES = 10


def main(request: dict[str, Any]) -> None:
    """Take the steps and write what came of them."""
    sys.path.insert(0, request["root"])
    for out, asked in request["steps"].items():
        plan, count = TrainingPlan(**asked["plan"]), asked["shape"][0]
        learner = _learner(request["framework"], Path(request["root"]), plan)
        rng = np.random.default_rng(0)
        inputs = rng.uniform(-1, 1, asked["shape"]).astype(np.float32)
        parts = parts_of(inputs, rng.integers(0, CLASSES, count), plan.accumulate)
        learner.begin_epoch(1)
        before = peak_rss_bytes()
        loss, _ = learner.train(parts, 1e-3)
        grown = peak_rss_bytes() - before
        states = {name: np.asarray(value) for name, value in _named(request["framework"], learner).items()}
        np.savez(out, allow_pickle=False, loss=loss, grown=grown, **states)


def _learner(framework: str, root: Path, plan: TrainingPlan) -> Any:
    architecture = Architecture(root, f"{framework}_model:build", {})
    if framework == "torch":
        from isoform.jobs.train_torch import TorchLearner

        return TorchLearner(architecture, plan)
    import keras

    from isoform.jobs.train_keras import KerasLearner

    keras.utils.clear_session()  # names count from the beginning again
    return KerasLearner(architecture, plan)


def _named(framework: str, learner: Any) -> dict[str, Any]:
    """Return what the learner would save, by names that say what it is."""
    if framework == "torch":
        return {name.replace("/", "|"): value for name, value in learner.state().items()}
    return {variable.path.replace("/", "|"): variable.value for variable in learner._variables()}


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
