"""The verb compare: reference models in both frameworks, everything that is compared measured in turns.

For each model two kinds of groups of children: one with both frameworks training and inferring in all of their graph
modes, one with the exports on the runtimes that deploy them. Each group has PyTorch's, or ONNX Runtime's, contender
twice, so that the machine is tested by what the verdicts are read from.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from isoform import registry, store
from isoform.core import cases as case_files
from isoform.core import frameworks as nouns
from isoform.core import machine
from isoform.core.artifact import CASES_NAME, RECORD_NAME, Artifact, open_artifact, read_record, size_bytes
from isoform.core.comparison import Comparison, Group
from isoform.core.decisions import TRAINING
from isoform.core.format import FORMATS
from isoform.core.frameworks import (
    FRAMEWORKS,
    KERAS,
    MODES,
    PARTS,
    TORCH,
    Carried,
    Compared,
    Mode,
    Scaling,
    Tool,
    queries,
)
from isoform.core.model import Model
from isoform.core.parity import PASS, WARN
from isoform.core.spelling import typed
from isoform.errors import UsageError
from isoform.isolation import Pool
from isoform.stages import bench, inspect, train
from isoform.stages.turns import Contender, Round, Turns

TOOLS = ("onnx", "savedmodel", "tflite", "torchscript")
"""The formats of the quadrant, each on its own runtime; the first is what the others are held against."""
WORKERS = 2
_EXTRAS = {TORCH: "torch", KERAS: "tensorflow"}
_CONTROL, _MOBILE_CONTROL = "control", "tflite control"
_BORN = f"{KERAS} tflite"

Progress = Callable[[str, str, int, int], None]
"""Called with model, part, groups done and groups in all."""


@dataclass(frozen=True)
class CompareRequest:
    """What is compared.

    Attributes:
        out: where the models were exported to, by ``isoform export``.
        parts: of `PARTS`.
        groups: of children, the independent samples; six at least for intervals.
        mode_groups: how many of them run every graph mode; the others only the usual ones. Compilers take most of a
            comparison's time.
        blocks: of each query in a group; block_s: how long one takes at least.
        warmup_s, warmup_limit_s: shortest and longest warm-up of each query.
    """

    models: tuple[Model, ...]
    out: Path
    parts: tuple[str, ...] = PARTS
    groups: int = 6
    mode_groups: int = 2
    blocks: int = 6
    block_s: float = 0.05
    warmup_s: float = 0.1
    warmup_limit_s: float = 1.0


@dataclass(frozen=True)
class Sources:
    """A model as both frameworks have it, and its exports.

    Attributes:
        trained: by framework.
        artifacts: by framework and format; those that passed.
    """

    model: Model
    trained: Mapping[str, train.TrainRecord]
    artifacts: Mapping[tuple[str, str], Path]


def plan(request: CompareRequest, pool: Pool) -> list[Sources]:
    """Return what is compared of each model, trained if it is not yet.

    Raises:
        UsageError: a model is not there in both frameworks, or was not exported.
    """
    return [_sources(model, request, pool) for model in request.models]


def run(request: CompareRequest, sources: Sources, pool: Pool, on_progress: Progress) -> Compared:
    """Return what was measured of one model.

    Raises:
        IsoformError: a contender did not open or run.
    """
    name = sources.model.name
    found = Compared(name)
    if "modes" in request.parts:
        contenders = partial(_learners, request, sources)
        part = "training and inference"  # where starting is not measured, so it may be done side by side
        found = _with_modes(found, _rounds(request, contenders, pool, name, on_progress, part, machine.cores()))
    if "tools" in request.parts:
        found = _with_tools(found, request, sources, pool, on_progress)
    if "scaling" in request.parts:
        on_progress(name, "training with two workers", 0, 1)
        found = replace(found, scaling=tuple(_scaling(sources.model, framework, pool) for framework in FRAMEWORKS))
    return found


def record(models: Sequence[Compared], request: CompareRequest) -> dict[str, Any]:
    """Return the content of compare.json."""
    return {
        "schema_version": nouns.SCHEMA_VERSION,
        "machine": machine.describe().to_json(),
        "load": machine.load(),
        "versions": machine.versions(("torch", "tensorflow", "keras", "onnxruntime", "ai_edge_litert", "numpy")),
        "groups": request.groups,
        "blocks": request.blocks,
        "parts": list(request.parts),
        "command": f"isoform compare {' '.join(typed(model.root) for model in request.models)}",
        "models": [model.to_json() for model in models],
        "claims": [
            {**asdict(outcome.claim), "verdicts": dict(outcome.verdicts), "outcome": outcome.word}
            for outcome in nouns.outcomes(models)
        ],
    }


def write(found: Mapping[str, Any], path: Path) -> None:
    """Write compare.json."""
    store.write_json(path, found)


def _sources(model: Model, request: CompareRequest, pool: Pool) -> Sources:
    missing = [name for name in FRAMEWORKS if name not in model.implementations]
    if missing:
        raise UsageError(
            f"{model.root}: the manifest has no [{missing[0]}] section, and both frameworks are compared.",
            "Add the same network in the other framework.",
        )
    tasks = train.plan(train.TrainRequest((model,), request.out))
    trained = {task.framework: train.run(task, pool) for task in tasks}
    unsampled = [name for name, one in trained.items() if one.samples is None]
    if unsampled:
        raise UsageError(
            f"{model.root}: its checkpoints stand beside the manifest, so that no samples to train on are known.",
            "Compare models that isoform trains.",
        )
    artifacts = {}
    for framework in FRAMEWORKS:
        for name in TOOLS:
            folder = request.out / model.label / framework / name
            if (folder / RECORD_NAME).is_file() and read_record(folder)["verdict"] in (PASS, WARN):
                artifacts[framework, name] = folder
    wanted = [(TORCH, name) for name in TOOLS] + [(KERAS, "tflite")]
    absent = [f"{request.out / model.label / framework / name}" for framework, name in wanted
              if (framework, name) not in artifacts]  # fmt: skip
    if absent and "tools" in request.parts:
        raise UsageError(
            f"{absent[0]}: no artifact here that passed.", f"Export it first: isoform export {model.root}"
        )  # fmt: skip
    return Sources(model, trained, artifacts)


def _rounds(
    request: CompareRequest, contenders: Callable[[int], Mapping[str, Contender]], pool: Pool, name: str,
    on_progress: Progress, part: str, opened_together: int = 1,
) -> list[Round]:  # fmt: skip
    found: list[Round] = []
    for seed in range(request.groups):
        on_progress(name, part, seed, request.groups)
        found.append(Turns(contenders(seed), pool, request.blocks, request.block_s, opened_together).group(seed))
    return found


def _learners(request: CompareRequest, sources: Sources, group: int) -> dict[str, Contender]:
    """Return PyTorch, PyTorch's usual mode again, and TensorFlow; each in all of its modes in the first groups."""
    most = None if group < request.mode_groups else 1
    modes = {TORCH: MODES[TORCH][:most], _CONTROL: MODES[TORCH][:1], KERAS: MODES[KERAS][:most]}
    return {name: _learner(request, sources, KERAS if name == KERAS else TORCH, modes[name]) for name in modes}


def _learner(request: CompareRequest, sources: Sources, framework: str, modes: Sequence[str]) -> Contender:
    trained = sources.trained[framework]
    model = trained.model
    architecture = model.architecture(framework)
    assert model.training is not None  # a model that was trained has it
    assert trained.samples is not None
    (taken,), (answered,) = model.signature_for(framework).inputs, model.signature_for(framework).outputs
    arguments = {
        "framework": framework,
        "plan": asdict(model.training),
        "architecture": architecture.to_json(),
        "samples": str(trained.samples.resolve()),
        "inputs": f"{TRAINING}{taken.name}",
        "labels": max(2, int(answered.shape[-1])),
        "modes": list(modes),
        "warmup_s": request.warmup_s,
        "warmup_limit_s": request.warmup_limit_s,
    }
    return Contender(_EXTRAS[framework], [(f"isoform.jobs.steps_{framework}:open_modes", arguments)], model.root)


def _with_modes(found: Compared, rounds: Sequence[Round]) -> Compared:
    modes = []
    for framework, names in MODES.items():
        for name in names:
            told = [round_.answers[framework][0].value for round_ in rounds]
            refused = next((one["refused"][name] for one in told if name in one["refused"]), "")
            differences = [one["differences"][name] for one in told if name in one["differences"]]
            train_, infer = (None, None) if refused else _against(rounds, framework, name)
            modes.append(Mode(framework, name, train_, infer, max(differences, default=None), refused))
    memory = nouns.by_group(
        *([round_.answers[name][0].value["peak_rss_bytes"] for round_ in rounds] for name in (TORCH, _CONTROL, KERAS))
    )
    return replace(found, modes=tuple(modes), memory=memory)


def _against(rounds: Sequence[Round], framework: str, mode: str) -> tuple[Comparison, Comparison]:
    """Return training and inference in a mode against PyTorch's usual one."""
    step, inference = (
        _compared(rounds, (TORCH, usual), (_CONTROL, usual), (framework, query))
        for usual, query in zip(queries(TORCH, MODES[TORCH][0]), queries(framework, mode), strict=True)
    )
    return step, inference


def _compared(
    rounds: Sequence[Round], baseline: tuple[str, str], control: tuple[str, str], candidate: tuple[str, str]
) -> Comparison:
    groups = tuple(
        Group(round_.blocks[baseline], round_.blocks[control], round_.blocks[candidate])
        for round_ in rounds if candidate in round_.blocks
    )  # fmt: skip
    return Comparison(machine.cores(), groups, nouns.THRESHOLD)


def _with_tools(
    found: Compared, request: CompareRequest, sources: Sources, pool: Pool, on_progress: Progress
) -> Compared:
    named = {name: sources.artifacts[TORCH, name] for name in TOOLS}
    named |= {_CONTROL: named[TOOLS[0]], _MOBILE_CONTROL: named["tflite"], _BORN: sources.artifacts[KERAS, "tflite"]}
    with tempfile.TemporaryDirectory(prefix="isoform-compare.") as scratch:
        contenders = {
            name: _session(request, folder, Path(scratch) / f"{place}.npz")
            for place, (name, folder) in enumerate(named.items())
        }
        rounds = _rounds(request, lambda _: contenders, pool, found.name, on_progress, "exports on their runtimes")
    first = TOOLS[0]
    tools = tuple(
        _tool(name, named[name], rounds, _compared(rounds, (first, "run"), (_CONTROL, "run"), (name, "run")))
        for name in TOOLS
    )
    mobile = _compared(rounds, ("tflite", "run"), (_MOBILE_CONTROL, "run"), (_BORN, "run"))
    carried = tuple(_carried(framework, sources.artifacts[framework, "tflite"], pool) for framework in FRAMEWORKS)
    return replace(found, tools=tools, mobile=mobile, carried=carried)


def _scaling(model: Model, framework: str, pool: Pool) -> Scaling:
    """Train one epoch with two workers, in a folder of its own; one worker alone is timed before that."""
    with tempfile.TemporaryDirectory(prefix="isoform-compare.") as scratch:
        options = {"workers": WORKERS, "epochs": 1}
        (task,) = train.plan(train.TrainRequest((model,), Path(scratch), (framework,), options=options))
        found = train.run(task, pool).record["scaling"]
    return Scaling(framework, WORKERS, found["one_worker_step_ms"]["p50"], found["step_ms"]["p50"])


def _session(request: CompareRequest, folder: Path, inputs: Path) -> Contender:
    """Return an export on its own runtime with one sample; both frameworks' have the same one but for its layout."""
    artifact = open_artifact(folder)
    row = registry.runtime(FORMATS[artifact.format].runtime)
    query = bench.prepare(case_files.load(folder / CASES_NAME), artifact, 1)
    np.savez(inputs, *query.arrays.values())
    arguments = {
        "runtime": row.name, "artifact": artifact.to_json(), "inputs": str(inputs), "threads": 0,
        "warmup_s": request.warmup_s, "warmup_limit_s": request.warmup_limit_s,
    }  # fmt: skip
    return Contender(row.extra, [("isoform.jobs.turns:open_session", arguments)])


def _tool(name: str, folder: Path, rounds: Sequence[Round], latency: Comparison) -> Tool:
    row = registry.runtime(FORMATS[name].runtime)
    starts = tuple(int(round_.answers[name][0].value["start_ns"]) for round_ in rounds)
    return Tool(name, row.name, latency, starts, size_bytes(open_artifact(folder).model), installed_bytes(row.needs[0]))


def _carried(framework: str, folder: Path, pool: Pool) -> Carried:
    artifact: Artifact = open_artifact(folder)
    held = inspect.describe(artifact.model, pool)
    operators = held["operators"]
    custom = tuple(sorted(name for name in operators if name.startswith(("CUSTOM", "Flex"))))
    return Carried(framework, size_bytes(artifact.model), len(operators), custom)


def installed_bytes(module: str) -> int:
    """Return how many bytes the files take that the distribution of ``module`` installed; 0 where it is not there."""
    names = metadata.packages_distributions().get(module, [])
    return sum(_file_bytes(path) for name in set(names) for path in metadata.files(name) or [])


def _file_bytes(path: metadata.PackagePath) -> int:
    located = Path(str(path.locate()))
    return located.stat().st_size if located.is_file() else 0
