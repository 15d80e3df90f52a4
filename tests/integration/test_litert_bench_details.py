"""What isoform bench writes beyond latency, of a real file, is what docs/schemas/bench.schema.json says."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import isoform
from isoform.core.bench import BenchOptions
from isoform.hub import graph
from unit.hub.quantize.networks import model_of

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "bench.schema.json").read_text())
OPTIONS = BenchOptions(
    processes=1, threads=(1,), rounds=3, warmup_s=0.01, warmup_limit_s=0.1, timed_limit_s=0.1, is_detailed=True
)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A small network as TFLite, in a published folder."""
    rng = np.random.default_rng(0)
    model = model_of(
        "float[n,3,8,8] x", "float[n,5] y",
        "a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(a) g = GlobalAveragePool(r) f = Flatten(g) y = Gemm(f, k)",
        w=rng.standard_normal((4, 3, 3, 3)), k=rng.standard_normal((4, 5)),
    )  # fmt: skip
    graph.save(model, tmp_path / "net.onnx")
    (result,) = isoform.convert(tmp_path / "net.onnx", "tflite", out=tmp_path / "out")
    assert result.path is not None
    return Path(result.path)


def test_the_record_is_what_its_schema_says(exported: Path) -> None:
    isoform.bench(exported, options=OPTIONS)
    (record,) = json.loads((exported / "bench.json").read_text())["records"]
    jsonschema.validate(record, SCHEMA)
    macs = 4 * 8 * 8 * 3 * 9 + 4 * 5
    batch = int(record["inputs"][0].partition("[")[2].partition(",")[0])
    assert record["work"]["macs"] == record["placement"]["summary"]["macs"] == batch * macs
    assert record["placement"]["target"] == "XNNPACK"
    assert record["timings"][0]["summary"]["roofline"]["share"] > 0


@pytest.mark.parametrize("damage", [{"placement": {"is_known": True}}, {"work": {}}, {"ceilings": {"threads": {}}}])
def test_the_schema_refuses_what_is_not_whole(damage: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(damage, SCHEMA)
