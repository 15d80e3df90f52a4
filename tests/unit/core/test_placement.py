"""Shares of arithmetic by hand."""

import pytest

from isoform.core.placement import FLOAT, INTEGER, NONE, NOT_TOLD, PlacedNode, Placement


def node(operator: str, target: str, arithmetic: str, macs: int | None, time_ns: int | None = None) -> PlacedNode:
    return PlacedNode(operator.lower(), operator, target, arithmetic, "float", macs, 1, time_ns)


def test_shares_are_of_arithmetic_and_of_time_and_not_of_operators() -> None:
    nodes = (
        node("Conv", "GPU", FLOAT, 700, 50), node("Conv", "CPU", INTEGER, 200, 30), node("Gather", "CPU", NONE, 0, 20),
        node("Gemm", NOT_TOLD, FLOAT, 100, 0),
    )  # fmt: skip
    found = Placement("GPU", nodes, {"copies": 2}, partitions=3).to_json()["summary"]
    assert (found["macs"], found["off_target"], found["off_target_operators"]) == (1000, 2, {"Conv": 1, "Gather": 1})
    assert (found["nodes"], found["not_told"]) == (4, 1)
    assert found["mac_share_off_target"] == pytest.approx(0.2)
    assert found["mac_share_not_told"] == pytest.approx(0.1)
    assert (found["mac_share_integer"], found["mac_share_float"]) == (pytest.approx(0.2), pytest.approx(0.8))
    assert (found["time_share_off_target"], found["time_share_float"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found["inserted"] == {"casts": 0, "copies": 2, "transposes": 0, "quantize": 0, "dequantize": 0}


def test_what_is_not_known_gives_no_share() -> None:
    nodes = (node("Conv", "CPU", FLOAT, None), node("Gemm", "CPU", FLOAT, 5))
    found = Placement("CPU", nodes, {}).to_json()["summary"]
    assert (found["macs"], found["mac_share_float"], found["time_share_float"]) == (None, None, None)


def test_a_graph_without_arithmetic_has_no_share_of_it() -> None:
    found = Placement("CPU", (node("Add", "CPU", NONE, 0),), {}).to_json()["summary"]
    assert (found["macs"], found["mac_share_off_target"]) == (0, None)
