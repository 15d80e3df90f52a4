"""What each section makes of the records: figures worked out by hand, and what is missing or damaged."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from isoform.stages.report import write
from isoform.stages.report.collect import collect
from isoform.stages.report.ranking import tables
from isoform.stages.report.section import Section
from isoform.stages.report.sections import deployment, glance, latency, pareto, placement, roofline, throughput
from isoform.stages.report.sheet import Sheet
from written_records import artifact, measured
from written_records import placement as placed
from written_records import roofline as reached

ALL = (glance, latency, pareto, throughput, deployment, placement, roofline)
CEILINGS = {"kernel": "numpy", "threads": {"1": {"flops_per_s": 100.0, "bytes_per_s": 10.0}}}


def shown(module: Any, folder: Path) -> Section:
    found: Section = module.section(tables(collect(folder).entries))
    return found


def rows(sheet: Sheet) -> list[dict[str, Any]]:
    return [dict(zip(sheet.document["columns"], row, strict=True)) for row in sheet.document["data"]]


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_section_without_records_says_which_command_makes_them(tmp_path: Path, module: Any) -> None:
    artifact(tmp_path, "m", "onnx", "PASS")
    section = shown(module, tmp_path)
    assert (section.groups, section.table) == ((), None)
    assert section.missing
    assert section.command.startswith("isoform ")
    write(tmp_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.count("<svg") == 0
    assert text.count("<code>isoform bench FOLDER</code>") == 6


def test_the_best_of_a_model_are_those_that_cannot_be_told_apart(tmp_path: Path) -> None:
    for name, medians, size in (("onnx", (10, 14), 1000), ("tflite", (13, 15), 1004), ("savedmodel", (20, 21), 900)):
        measured(artifact(tmp_path, "m", name, "PASS", lost_bits=0.2), *medians, size_bytes=size)
    measured(artifact(tmp_path, "m", "torchscript", "FAIL", lost_bits=0.0), 1, size_bytes=1)
    table = shown(glance, tmp_path).table
    assert table is not None
    (row,) = rows(table)
    assert row["passed"] == "3 of 4"
    assert row["fastest"] == "12 ns on 1 thread: ONNX torch, TFLite torch"
    assert row["smallest"] == "900 B: SavedModel torch"
    assert row["most_exact"] == "0.2: ONNX torch, TFLite torch and 1 more"


def test_a_median_comes_with_its_interval_and_says_which_kind_it_is(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, 30)
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10, 11, 12, 13, 14, 15)
    few, many = sorted(rows(shown(latency, tmp_path).sheets[0]), key=lambda row: row["processes"])
    assert (few["median_ns"], few["interval_low_ns"], few["interval_high_ns"]) == (20, 10, 30)
    assert few["interval"] == "fastest to slowest process"
    assert many["interval"] == "95 % of the median"


def test_quantiles_of_a_process_are_queries_that_there_were(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 100, scatter=tuple(each / 100 for each in range(1, 102)))
    (row,) = rows(shown(latency, tmp_path).sheets[1])
    assert [row[f"q{part}_ns"] for part in (0, 1, 5, 25, 50, 75, 95, 99, 100)] == [1, 2, 6, 26, 51, 76, 96, 100, 101]


def precise(own: Path, r_rms: float, correct_bits: float) -> None:
    """Say of the one output how its error stands to the source's, and how many bits it has right."""
    record = json.loads((own / "artifact.json").read_text())
    (found,) = record["parity"].values()
    found["outputs"][0] |= {"r_rms": r_rms, "correct_bits": correct_bits, "lost_bits": max(0.0, math.log2(r_rms))}
    (own / "artifact.json").write_text(json.dumps(record))
    measured(own, 10)


def test_half_precision_that_loses_nothing_as_such_loses_bits_against_float32(tmp_path: Path) -> None:
    """The float32 export: four times the source's error, 20 bits right. So the source has 22; 22 - 11.5 are lost."""
    precise(artifact(tmp_path, "m", "onnx", "PASS"), 4.0, 20.0)
    precise(artifact(tmp_path, "m", "onnx", "PASS", precision="fp16"), 0.5, 11.5)
    found = {row["export"]: row["lost_bits_against_float32"] for row in rows(shown(pareto, tmp_path).sheets[0])}
    assert found == {"ONNX torch": 2.0, "ONNX torch fp16": 10.5}
    table = shown(glance, tmp_path).table
    assert table is not None
    assert rows(table)[0]["most_exact"] == "2.0: ONNX torch"


def test_half_precision_without_a_float32_export_beside_it_is_on_no_front_and_says_so(tmp_path: Path) -> None:
    precise(artifact(tmp_path, "m", "onnx", "PASS", precision="fp16"), 0.5, 11.5)
    precise(artifact(tmp_path, "m", "tflite", "PASS", "keras"), 1.0, 20.0)
    section = shown(pareto, tmp_path)
    assert {row["export"]: row["on_front"] for row in rows(section.sheets[0])} == {
        "ONNX torch fp16": None, "TFLite keras": True,
    }  # fmt: skip
    note = section.groups[0].figures[1].note
    assert note == "No float32 export of the same source to hold against: ONNX torch fp16."


def test_what_failed_is_on_no_front_even_if_it_is_best_in_everything(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "FAIL", lost_bits=0.0), 10, size_bytes=10)
    measured(artifact(tmp_path, "m", "tflite", "PASS", lost_bits=1.0), 500)
    section = shown(pareto, tmp_path)
    assert {row["export"]: row["on_front"] for row in rows(section.sheets[0])} == {
        "ONNX torch": None, "TFLite torch": True,
    }  # fmt: skip
    drawing = section.groups[0].figures[0].drawing
    assert drawing.count('class="cross"') == 1
    assert 'class="label strong"' in drawing
    assert 'class="label struck"' in drawing


def test_an_export_that_loses_every_bit_is_named_and_not_drawn(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "FAIL", lost_bits=None), 10)
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10)
    figure = shown(pareto, tmp_path).groups[0].figures[1]
    assert figure.note == "Not drawn, for they lose every bit: ONNX torch."
    assert "ONNX" not in figure.drawing.partition("</desc>")[2]


def test_throughput_is_drawn_over_the_batches_that_were_measured(tmp_path: Path) -> None:
    """A process of three queries of 4 ms each: 250 queries a second, times the batch."""
    own = artifact(tmp_path, "m", "onnx", "PASS")
    for batch in (1, 32):
        measured(own, *[4_000_000] * 6, batch=batch)
    (group,) = shown(throughput, tmp_path).groups
    (figure,) = group.figures
    keys = ("batch", "samples_per_s", "low_per_s", "high_per_s")
    assert [tuple(row[key] for key in keys) for row in rows(figure.sheet)] == [
        (1, 250.0, 250.0, 250.0), (32, 8000.0, 8000.0, 8000.0),
    ]  # fmt: skip
    assert ">32</text>" in figure.drawing
    assert "Most: ONNX torch with 8.00 ksamples/s at batch 32." in figure.drawing


def test_a_slow_query_counts_in_throughput_and_not_in_the_median(tmp_path: Path) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS")
    for batch in (1, 2):
        measured(own, 1_000_000, batch=batch, scatter=(1, 1, 1, 7))
    first, _ = rows(shown(throughput, tmp_path).sheets[0])
    assert first["samples_per_s"] == 400  # four in 10 ms
    assert rows(shown(latency, tmp_path).sheets[0])[0]["median_ns"] == 1_000_000


def test_one_batch_alone_is_no_curve(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10)
    assert shown(throughput, tmp_path).groups == ()


def test_what_mlperf_said_and_what_stays_in_float_stand_with_the_export(tmp_path: Path) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS", precision="int8")
    said = {"is_valid": True, "is_quick": False, "result": 5.25, "unit": "ms", "samples": 12_000, "duration_s": 60.4}
    measured(own, 10, mlperf={"single-stream": said, "offline": said | {"is_valid": False, "is_quick": True}})
    record = json.loads((own / "artifact.json").read_text())
    record["reduction"] = {"kept": [f"layer{n}" for n in range(14)], "notes": ["Softmax has no kernel of integers."]}
    (own / "artifact.json").write_text(json.dumps(record))
    write(tmp_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "MLPerf LoadGen, single-stream: 5.25 ms (valid, no MLPerf submission), 12000 samples in 60 s" in text
    assert "offline: 5.25 ms (not valid, shortened and so no MLPerf result)" in text
    assert "<li>Softmax has no kernel of integers.</li>" in text
    assert "layer10, layer11 and 2 more." in text


def test_phone_and_server_are_what_the_legend_says(tmp_path: Path) -> None:
    """TFLite: 2 ms with one thread, 4 MB, so 500 / 4. ONNX: 8 samples in 4 ms with two threads, so 2,000."""
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 2_000_000, size_bytes=4_000_000, threads=(1, 2))
    own = artifact(tmp_path, "m", "onnx", "PASS")
    measured(own, 2_000_000, threads=(1, 2))
    measured(own, 8_000_000, threads=(1, 2), batch=8)
    (row,) = rows(shown(deployment, tmp_path).sheets[0])
    assert row["phone_per_s_per_mb"] == pytest.approx(125)
    assert (row["server_per_s"], row["server_batch"], row["server_threads"]) == (pytest.approx(2000), 8, 2)


def test_a_source_that_failed_one_way_is_not_placed_between_phone_and_server(tmp_path: Path) -> None:
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10)
    measured(artifact(tmp_path, "m", "onnx", "FAIL"), 10)
    assert shown(deployment, tmp_path).groups == ()


def test_another_precision_is_another_source(tmp_path: Path) -> None:
    for precision in (None, "int8"):
        for name in ("tflite", "onnx"):
            measured(artifact(tmp_path, "m", name, "PASS", precision=precision), 10)
    assert {row["source"] for row in rows(shown(deployment, tmp_path).sheets[0])} == {"m torch", "m torch int8"}


def test_placement_counts_arithmetic_and_not_operators(tmp_path: Path) -> None:
    nodes = [("Conv", "XNNPACK", "float", 900), ("Gather", "CPU", "none", 0), ("Gemm", "CPU", "integer", 100)]
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10, placement=placed("XNNPACK", nodes, partitions=2))
    section = shown(placement, tmp_path)
    (row,) = rows(section.sheets[0])
    assert row["off_target_share"] == pytest.approx(0.1)
    assert row["integer_share"] == pytest.approx(0.1)
    assert (row["partitions"], row["off_target"], row["inserted"]) == (2, "1 Gather, 1 Gemm", "2 copies")
    assert "XNNPACK 90.0 %, CPU 10.0 %" in section.groups[0].figures[0].drawing
    assert "float 90.0 %, integer 10.0 %" in section.groups[0].figures[1].drawing


def test_what_a_runtime_does_not_tell_is_neither_on_target_nor_elsewhere(tmp_path: Path) -> None:
    nodes = [("Conv", "XNNPACK", "float", 600), ("Gemm", "not told", "float", 300), ("Gemm", "CPU", "float", 100)]
    measured(artifact(tmp_path, "m", "tflite", "PASS"), 10, placement=placed("XNNPACK", nodes))
    (row,) = rows(shown(placement, tmp_path).sheets[0])
    assert row["off_target_share"] == pytest.approx(0.1)
    assert row["not_told_share"] == pytest.approx(0.3)


def test_a_graph_without_arithmetic_is_placed_by_its_operators(tmp_path: Path) -> None:
    nodes = [("Add", "A", "none", 0), ("Mul", "B", "none", 0)]
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, placement=placed("A", nodes))
    (figure,) = shown(placement, tmp_path).groups[0].figures
    assert "A 50.0 %, B 50.0 %" in figure.drawing


def test_a_runtime_that_does_not_tell_where_is_said_with_its_reason(tmp_path: Path) -> None:
    unknown = {"is_known": False, "reason": "TensorFlow does not say"}
    measured(artifact(tmp_path, "m", "savedmodel", "PASS"), 10, placement=unknown)
    assert "SavedModel torch: TensorFlow does not say" in shown(placement, tmp_path).missing
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, placement=placed("A", [("Conv", "A", "float", 5)]))
    assert "SavedModel torch: TensorFlow does not say" in shown(placement, tmp_path).groups[0].figures[0].note


def test_the_roofline_shows_what_was_reached_below_its_ceiling(tmp_path: Path) -> None:
    summary = {"roofline": reached(25.0, (2.0, 5.0), (100.0, 10.0))}
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, summaries=[summary], ceilings=CEILINGS)
    section = shown(roofline, tmp_path)
    (row,) = rows(section.sheets[0])
    assert (row["attainable_flops_per_s"], row["share"]) == (50.0, 0.5)
    assert ">ONNX torch 50 %</text>" in section.groups[0].figures[0].drawing
    assert ">100 FLOP/s</text>" in section.groups[0].figures[0].drawing


@pytest.mark.parametrize("damage", [
    {"placement": "no"}, {"placement": {"is_known": True}}, {"placement": None}, {"ceilings": {"threads": {}}},
    {"ceilings": [1]}, {"summaries": [{"roofline": {"intensity": [0, 1]}}]},
    {"mlperf": "no"}, {"mlperf": {"offline": {"is_valid": 1}}},
    {"summaries": [{"roofline": None}]},
    {"summaries": [{"roofline": reached(1.0, (1.0, 2.0), (9.0, 9.0)) | {"achieved_flops_per_s": float("nan")}}]},
])  # fmt: skip
def test_a_damaged_record_is_left_out_and_stops_nothing(tmp_path: Path, damage: dict[str, Any]) -> None:
    measured(artifact(tmp_path, "m", "onnx", "PASS"), 10, **damage)
    assert [shown(module, tmp_path).groups for module in (placement, roofline)] == [(), ()]
    assert write(tmp_path, tmp_path / "report.html")["artifacts"] == 1


def test_an_export_measured_on_another_runtime_says_which(tmp_path: Path) -> None:
    own = artifact(tmp_path, "m", "onnx", "PASS")
    measured(own, 10)
    text = (own / "bench.json").read_text().replace('"ort-cpu"', '"ort-cuda"')
    (own / "bench.json").write_text(text)
    assert rows(shown(latency, tmp_path).sheets[0])[0]["export"] == "ONNX torch on ort-cuda"


def test_names_from_records_are_text_wherever_they_are_drawn(tmp_path: Path) -> None:
    nodes = [("<b>Conv", "<script>", "float", 5)]
    measured(artifact(tmp_path, "<i>m", "onnx", "PASS"), 10, placement=placed("<script>", nodes))
    write(tmp_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert not {"<script", "<b>Conv", "<i>m"} & {found for found in ("<script", "<b>Conv", "<i>m") if found in text}


def test_a_page_of_five_hundred_exports_stays_below_forty_kilobytes_each(tmp_path: Path) -> None:
    formats = ("onnx", "tflite", "savedmodel", "torchscript")
    for number in range(500):
        own = artifact(tmp_path, f"m{number // 4}", formats[number % 4], "PASS", place=f"m{number // 4}")
        measured(own, 1000 + number, 1100 + number, 1200 + number)
    assert write(tmp_path, tmp_path / "report.html")["artifacts"] == 500
    assert (tmp_path / "report.html").stat().st_size < 500 * 40_000
