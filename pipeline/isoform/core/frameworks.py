"""PyTorch against TensorFlow: what was measured of both in turns, and what it says of the usual claims.

PyTorch is the baseline everywhere: "faster" means that TensorFlow is. Not aware of how anything was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isoform.core.comparison import FASTER, SAME, UNCLEAR, UNFIT, Comparison, Group
from isoform.core.statistics import median

TORCH, KERAS = "torch", "keras"
FRAMEWORKS = {TORCH: "PyTorch", KERAS: "TensorFlow"}
PARTS = ("modes", "tools", "scaling")
"""What may be measured: training and inference in every mode, exports on their runtimes, training with two workers."""
MODES = {TORCH: ("eager", "trace", "script", "compile"), KERAS: ("function", "eager", "xla")}
"""Of each framework; the first is the one that its users run unless they ask for another."""
THRESHOLD = 0.05
"""Two frameworks that differ by less count as the same."""
SCHEMA_VERSION = 1
COMPARE_NAME = "compare.json"


def queries(framework: str, mode: str) -> tuple[str, str]:
    """Return what a step of training and one inference are called in a graph mode."""
    return f"{framework} {mode} train", f"{framework} {mode} infer"


@dataclass(frozen=True)
class Mode:
    """A graph mode of a framework, held against PyTorch's usual one.

    Attributes:
        train, infer: time of a step and of one inference; None where it does not run.
        difference: root mean square of its outputs' difference from the framework's usual mode, relative.
        refused: why it does not run, "" where it does.
    """

    framework: str
    name: str
    train: Comparison | None
    infer: Comparison | None
    difference: float | None
    refused: str = ""

    @property
    def step_ns(self) -> float | None:
        """A step of training: what PyTorch's usual one took, times the ratio of the two in turns."""
        return _times(self.train)

    @property
    def inference_ns(self) -> float | None:
        """One inference, likewise."""
        return _times(self.infer)

    def to_json(self) -> dict[str, Any]:
        return {
            "framework": self.framework, "mode": self.name, "difference": self.difference, "refused": self.refused,
            "train": self.train.to_json() if self.train else None,
            "infer": self.infer.to_json() if self.infer else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Mode":
        difference = document["difference"]
        return cls(
            str(document["framework"]), str(document["mode"]), _compared(document["train"]),
            _compared(document["infer"]), None if difference is None else float(difference), str(document["refused"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """A way to deploy a model: a format on its own runtime.

    Attributes:
        latency: of one inference, held against ONNX Runtime's.
        start_ns: to import the runtime, load the model and answer once; one for each process.
        model_bytes: of the file; runtime_bytes: of the runtime's own package, as installed.
    """

    format: str
    runtime: str
    latency: Comparison
    start_ns: tuple[int, ...]
    model_bytes: int
    runtime_bytes: int

    @property
    def latency_ns(self) -> float:
        """One inference: what ONNX Runtime's took, times the ratio of the two in turns."""
        return self.latency.candidate_ns

    @property
    def middle_start_ns(self) -> float:
        """The median start over processes."""
        return median(self.start_ns)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format, "runtime": self.runtime, "latency": self.latency.to_json(),
            "start_ns": list(self.start_ns), "model_bytes": self.model_bytes, "runtime_bytes": self.runtime_bytes,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Tool":
        return cls(
            str(document["format"]), str(document["runtime"]), Comparison.from_json(document["latency"]),
            tuple(map(int, document["start_ns"])), int(document["model_bytes"]), int(document["runtime_bytes"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Carried:
    """What of a framework's model arrives on a phone: its TFLite file."""

    framework: str
    size_bytes: int
    operators: int
    custom: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"custom": list(self.custom)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Carried":
        custom = tuple(map(str, document["custom"]))
        return cls(str(document["framework"]), int(document["size_bytes"]), int(document["operators"]), custom)


@dataclass(frozen=True)
class Scaling:
    """One framework's training with several workers, the same batch shared out, against one of them alone.

    Attributes:
        alone_ms, together_ms: median time of a step.
    """

    framework: str
    workers: int
    alone_ms: float
    together_ms: float

    @property
    def efficiency(self) -> float:
        """The speed-up, as a part of the number of workers."""
        return self.alone_ms / self.together_ms / self.workers

    def to_json(self) -> dict[str, Any]:
        return {
            "framework": self.framework, "workers": self.workers, "efficiency": self.efficiency,
            "alone_ms": self.alone_ms, "together_ms": self.together_ms,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Scaling":
        return cls(
            str(document["framework"]), int(document["workers"]), float(document["alone_ms"]),
            float(document["together_ms"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One model in both frameworks; what was not asked for is empty."""

    name: str
    modes: tuple[Mode, ...] = ()
    memory: Comparison | None = None
    tools: tuple[Tool, ...] = ()
    mobile: Comparison | None = None
    carried: tuple[Carried, ...] = ()
    scaling: tuple[Scaling, ...] = ()

    def usual(self, framework: str) -> Mode | None:
        """The mode that a framework's users run unless they ask for another."""
        wanted = (framework, MODES[framework][0])
        return next((mode for mode in self.modes if (mode.framework, mode.name) == wanted), None)

    @property
    def training(self) -> Comparison | None:
        found = self.usual(KERAS)
        return found.train if found else None

    @property
    def inference(self) -> Comparison | None:
        found = self.usual(KERAS)
        return found.infer if found else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "modes": [mode.to_json() for mode in self.modes],
            "memory": self.memory.to_json() if self.memory else None,
            "tools": [tool.to_json() for tool in self.tools],
            "mobile": self.mobile.to_json() if self.mobile else None,
            "carried": [carried.to_json() for carried in self.carried],
            "scaling": [scaling.to_json() for scaling in self.scaling],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Compared":
        return cls(
            str(document["name"]),
            tuple(map(Mode.from_json, document["modes"])),
            _compared(document["memory"]),
            tuple(map(Tool.from_json, document["tools"])),
            _compared(document["mobile"]),
            tuple(map(Carried.from_json, document["carried"])),
            tuple(map(Scaling.from_json, document["scaling"])),
        )


@dataclass(frozen=True)
class Claim:
    """What is usually said of the two, in stars, and which verdict would bear it out.

    Attributes:
        subject: the name of a property or field of `Compared`.
        expected: the verdict on TensorFlow against PyTorch.
        command: what measures it again, after ``isoform compare MODELS``.
    """

    name: str
    stars: str
    subject: str
    expected: str
    command: str


CLAIMS = (
    Claim("Training speed", "equal (4 : 4)", "training", SAME, "--only modes"),
    Claim("Inference speed", "TensorFlow slightly ahead (5 : 4)", "inference", FASTER, "--only modes"),
    Claim("Memory efficiency", "equal (4 : 4)", "memory", SAME, "--only modes"),
    Claim("Mobile deployment", "TensorFlow clearly ahead (5 : 3)", "mobile", FASTER, "--only tools"),
)

HELD, DID_NOT, MIXED, UNTOLD = "held", "did not hold", "held for some models", "cannot be told"


@dataclass(frozen=True)
class Outcome:
    """A claim, and what the models say of it.

    Attributes:
        verdicts: by model; what could not be told is among them.
    """

    claim: Claim
    verdicts: Mapping[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """Whether the claim held, by the models that could be told."""
        told = [verdict for verdict in self.verdicts.values() if verdict not in (UNCLEAR, UNFIT)]
        if not told:
            return UNTOLD
        agreeing = sum(verdict == self.claim.expected for verdict in told)
        return HELD if agreeing == len(told) else MIXED if agreeing else DID_NOT


def outcomes(models: Sequence[Compared]) -> list[Outcome]:
    """Return what the models say of each usual claim; a model where it was not measured is left out."""
    found = []
    for claim in CLAIMS:
        measured = {model.name: getattr(model, claim.subject) for model in models}
        found.append(Outcome(claim, {name: one.verdict for name, one in measured.items() if one is not None}))
    return found


def _compared(document: dict[str, Any] | None) -> Comparison | None:
    return None if document is None else Comparison.from_json(document)


def _times(found: Comparison | None) -> float | None:
    return None if found is None else found.candidate_ns


def by_group(baseline: Sequence[float], control: Sequence[float], candidate: Sequence[float]) -> Comparison:
    """Return a comparison of one figure a process, such as its memory; groups as they were alive together."""
    groups = zip(baseline, control, candidate, strict=True)
    return Comparison(0, tuple(Group((one,), (two,), (three,)) for one, two, three in groups), THRESHOLD)
