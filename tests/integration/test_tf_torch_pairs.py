"""Every source to every target: a small network in each form that people have, written by its own framework.

The targets are those of the registry, so that a converter that is missing is a test that fails.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from isoform import registry
from isoform.core.signature import TensorSpec
from isoform.isolation import Pool
from isoform.registry import CONVERTERS
from isoform.stages.convert import ConvertRequest, convert
from isoform.stages.export import Result

REPOSITORY = Path(__file__).parent / "pairs"
IMAGE = "image:float32[batch,3,16,16]"
SOURCES = {
    "state dict": ("torch", "weights.pt", f"{REPOSITORY}/torch_network.py:build", IMAGE),
    "TorchScript": ("torchscript", "network.ts", None, IMAGE),
    "exported program": ("pt2", "network.pt2", None, None),
    "ONNX": ("onnx", "network.onnx", None, None),
    "ORT format": ("ort", "network.ort", None, None),
    "Keras": ("keras", "network.keras", None, None),
    "Keras weights": ("keras", "network.weights.h5", f"{REPOSITORY}/keras_network.py:build", None),
    "Keras HDF5": ("keras", "network.h5", None, None),
    "SavedModel of Keras": ("savedmodel", "exported", None, None),
    "SavedModel of a tf.Module": ("savedmodel", "module", None, None),
    "SavedModel of TensorFlow 1": ("savedmodel", "session", None, None),
    "TFLite": ("tflite", "float.tflite", None, None),
    "TFLite in int8": ("tflite", "int8.tflite", None, None),
}
"""Format, file, --arch and --input."""
TARGETS = sorted({row.target for row in CONVERTERS.values()})
LACKING = {
    target: next(row.extra for row in CONVERTERS.values() if row.target == target)
    for target in TARGETS
    if all(registry.missing(row) for row in CONVERTERS.values() if row.target == target)
}
"""Targets that nothing in this environment writes, and the extra that does."""
PAIRS = [(kind, target) for kind, (source, *_) in SOURCES.items() for target in TARGETS if source != target]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], dict[str, Result]]]:
    """Return what a source becomes, by target; each is converted once, in children that all of them share."""
    folder = tmp_path_factory.mktemp("pairs")
    with Pool(folder / "logs") as pool:
        pool.call("torch_network:write", {"folder": str(folder)}, needs="torch", root=REPOSITORY)
        pool.call("keras_network:write", {"folder": str(folder)}, needs="tensorflow", root=REPOSITORY)

        @cache
        def converted(kind: str) -> dict[str, Result]:
            source, file, arch, text = SOURCES[kind]
            request = ConvertRequest(
                folder / file, tuple(target for target in TARGETS if target != source), folder / kind,
                "isoform convert", arch=arch, inputs=[TensorSpec.parse(text)] if text else [],
            )  # fmt: skip
            return {result.format: result for result in convert(request, pool, lambda subject, text: None)}

        yield converted


def test_every_format_that_converters_start_from_is_among_the_sources() -> None:
    assert {source for source, *_ in SOURCES.values()} == {row.source for row in CONVERTERS.values()}


@pytest.mark.parametrize(("kind", "target"), PAIRS, ids=[f"{kind} to {target}" for kind, target in PAIRS])
def test_a_source_becomes_a_target_that_computes_the_same(
    results: Callable[[str], dict[str, Result]], kind: str, target: str
) -> None:
    if target in LACKING:
        pytest.skip(f"not installed: pip install 'isoform[{LACKING[target]}]'")
    result = results(kind)[target]
    assert (result.verdict, result.error) == ("PASS", None)
