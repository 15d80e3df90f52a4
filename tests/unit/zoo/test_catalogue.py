"""The rows of the catalogue are whole, and reading them loads no framework."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from isoform.core.signature import TensorSpec
from zoo.__main__ import in_turn
from zoo.catalogue import entries
from zoo.entry import FAMILIES, TIMED_SIZES, Entry
from zoo.inputs import drawn

TESTS = Path(__file__).parents[2]
ALL = list(entries().values())


def test_there_are_enough_architectures_of_every_family() -> None:
    assert len(ALL) >= 80
    assert set(Counter(entry.family for entry in ALL)) == set(FAMILIES)


@pytest.mark.parametrize("entry", [entry for entry in ALL if entry.inputs], ids=lambda entry: entry.name)
def test_declared_inputs_have_a_dynamic_batch_and_sizes_to_measure_at(entry: Entry) -> None:
    specs = [TensorSpec.parse(text) for text in entry.inputs]
    symbols = {symbol for spec in specs for symbol in spec.symbols}
    assert "batch" in symbols
    assert symbols <= {*TIMED_SIZES, *entry.sizes}
    arrays = drawn(entry)
    assert [spec.name for spec in specs] == list(arrays)
    for spec in specs:
        assert arrays[spec.name].dtype == spec.dtype
        assert arrays[spec.name].shape == spec.sizes({**TIMED_SIZES, **entry.sizes})
        if spec.high is not None:
            assert spec.low <= arrays[spec.name].min() <= arrays[spec.name].max() < spec.high


def test_reading_the_catalogue_loads_no_framework() -> None:
    code = "import sys, zoo.catalogue as c; c.entries(); print(sorted({'torch', 'keras', 'timm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTS, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_takes_the_families_in_turn() -> None:
    found = in_turn([Entry(name, name[0], "torch", "", {}, ()) for name in ("a1", "a2", "a3", "b1", "b2")])
    assert [entry.name for entry in found] == ["a1", "b1", "a2", "b2", "a3"]
