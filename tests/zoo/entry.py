"""One architecture of the zoo: how it is built and what it takes.

Not aware of frameworks: a builder is named, and imported where it runs.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAMILIES = (
    "convolutional", "attention", "hybrid", "mixer", "recurrent", "detection", "segmentation", "restoration", "video",
    "text", "encoder-decoder", "speech", "multimodal", "time series", "diffusion",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One architecture.

    Attributes:
        framework: "torch" or "keras", the format of the source.
        builder: ``module:function`` that returns the network with seeded weights.
        options: of the builder.
        inputs: as ``isoform convert --input`` takes them; a word is a dynamic dimension.
        sizes: of dynamic dimensions where speed is measured, beside `TIMED_SIZES`.
    """

    name: str
    family: str
    framework: str
    builder: str
    options: Mapping[str, Any]
    inputs: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)

    def build(self) -> Any:
        """Return the network."""
        module, _, function = self.builder.partition(":")
        return getattr(importlib.import_module(module), function)(**self.options)


TIMED_SIZES: Mapping[str, int] = {"batch": 1, "length": 32, "target": 32, "time": 32}
"""Sizes of dynamic dimensions where speed is measured."""
