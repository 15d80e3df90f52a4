"""Gate 1: every legitimate rewriting of a weight is recognised, every altered value is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoform.core.fingerprint import bit_sum, digest, fingerprint
from isoform.core.matching import against_ledger, ledger, match, match_rows


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def how(source: dict, export: dict) -> dict[str, str]:
    return {entry.parameter: entry.how for entry in match(source, export)}


@given(st.permutations(range(4)))
def test_every_transpose_is_exact(order: list[int]) -> None:
    kernel = normal(8, 3, 5, 2)
    assert how({"w": kernel}, {"x": np.ascontiguousarray(kernel.transpose(order))}) == {"w": "exact"}
    assert how({"w": kernel}, {"x": kernel.transpose(order).reshape(-1)}) == {"w": "exact"}


@settings(max_examples=40)
@given(st.integers(0, 8 * 3 * 5 * 2 - 1), st.integers(0, 31))
def test_one_flipped_bit_is_found_wherever_it_is(position: int, bit: int) -> None:
    kernel = normal(8, 3, 5, 2)
    altered = kernel.copy()
    altered.view(np.uint32).reshape(-1)[position] ^= np.uint32(1 << bit)
    assert how({"w": kernel}, {"x": altered}) == {"w": "unexplained"}


@pytest.mark.parametrize(
    "fault",
    [
        lambda w: w * np.float32(1.001),
        lambda w: w.astype(np.float16).astype(np.float32),
        lambda w: normal(*w.shape, seed=1),
        lambda w: w[::-1].copy(),
        lambda w: np.nextafter(w, np.float32(9)),
    ],
    ids=["x 1.001", "rounded to fp16", "stale", "rows reversed", "one unit in the last place"],
)
def test_a_planted_fault_is_not_explained(fault) -> None:
    weight = normal(64, 32)
    assert how({"w": weight}, {"x": fault(weight)}) == {"w": "unexplained"}


def test_a_keras_lstm_is_found_in_the_onnx_operators_tensors() -> None:
    units, features = 16, 24
    kernel, recurrent, bias = normal(features, 4 * units), normal(units, 4 * units), normal(4 * units)
    order = [0, 3, 1, 2]  # Keras has i f c o, ONNX wants i o f c
    onnx = {
        "W": kernel.reshape(features, 4, units)[:, order].reshape(features, -1).T[None].copy(),
        "R": recurrent.reshape(units, 4, units)[:, order].reshape(units, -1).T[None].copy(),
        "B": np.concatenate([bias.reshape(4, units)[order].reshape(-1), np.zeros(4 * units, np.float32)])[None],
    }
    source = {"kernel": kernel, "recurrent": recurrent, "bias": bias}
    assert set(how(source, onnx).values()) == {"gates"}
    onnx["B"][0, 3] += np.float32(1e-6)
    assert how(source, onnx)["bias"] == "unexplained"


def test_both_biases_of_a_torch_lstm_are_found_in_one_tensor() -> None:
    units = 16
    first, second = normal(4 * units), normal(4 * units, seed=2)
    order = [0, 3, 1, 2]  # PyTorch has i f g o
    joined = np.stack([part.reshape(4, units)[order].reshape(-1) for part in (first, second)]).reshape(1, -1)
    recurrent = normal(4 * units, units)
    moved = recurrent.reshape(4, units, units)[order].reshape(1, 4 * units, units)
    source = {"ih": first, "hh": second, "recurrent": recurrent}
    assert set(how(source, {"B": joined, "R": moved}).values()) == {"gates"}


@pytest.mark.parametrize("directions", [1, 2])
def test_both_biases_of_an_onnx_lstm_are_found_with_their_gates_in_another_order(directions: int) -> None:
    units = 16
    order = [0, 2, 3, 1]  # ONNX has i o f c, TensorFlow's fused cell is given i f c o
    joined, recurrent = normal(directions, 8 * units), normal(directions, 4 * units, units, seed=2)
    moved = joined.reshape(directions, 2, 4, units)[:, :, order].reshape(directions, 2, -1)
    export = {f"B{number}": each.copy() for number, each in enumerate(moved)}
    assert how({"B": joined, "R": recurrent}, export | {"R": recurrent}) == {"B": "gates", "R": "exact"}
    export["B0"][1, 3] += np.float32(1e-6)
    assert how({"B": joined, "R": recurrent}, export | {"R": recurrent})["B"] == "unexplained"


def test_the_biases_of_a_simple_rnn_are_found_in_one_tensor() -> None:
    units = 16
    first, second, recurrent = normal(units), normal(units, seed=2), normal(units, units)
    source = {"ih": first, "hh": second, "recurrent": recurrent}
    export = {"B": np.concatenate([first, second])[None], "R": recurrent[None]}
    assert how(source, export) == {"ih": "gates", "hh": "gates", "recurrent": "exact"}
    export["B"][0, 3] += np.float32(1e-6)
    assert how(source, export)["ih"] == "unexplained"


@pytest.mark.parametrize("is_altered", [False, True])
def test_both_directions_of_an_onnx_gru_are_found_each_in_a_tensor_of_its_own(is_altered: bool) -> None:
    rng = np.random.default_rng(0)
    source = {"W": rng.normal(size=(2, 24, 16)).astype(np.float32), "R": rng.normal(size=(2, 24, 8)).astype(np.float32)}
    export = {}
    for name, array in source.items():
        for place, matrix in enumerate(array):
            update, reset, hidden = np.split(matrix, 3)
            export[f"{name}/{place}"] = np.concatenate([reset, update, hidden]).T.copy()
    if is_altered:
        export["W/1"][3, 5] *= 1.001
    hows = {entry.parameter: entry.how for entry in match(source, export)}
    assert hows == {"W": "unexplained" if is_altered else "gates", "R": "gates"}


def test_gates_in_an_order_that_nobody_has_are_not_explained() -> None:
    units = 16
    recurrent = normal(4 * units, units)
    swapped = recurrent.reshape(4, units, units)[[1, 0, 2, 3]].reshape(4 * units, units)
    assert how({"recurrent": recurrent}, {"R": swapped}) == {"recurrent": "unexplained"}


def test_rows_that_the_export_holds_in_pieces_are_explained_and_altered_ones_are_not() -> None:
    joined, bias = normal(96, 32), normal(96)
    export = {"q": joined[:32], "kv": joined[32:].T.copy(), "bq": bias[:32], "bkv": bias[32:], "other": normal(32, 32)}
    assert how({"w": joined, "b": bias}, export) == {"w": "pieces", "b": "pieces"}
    for fault in ({"kv": joined[33:].T.copy()}, {"q": joined[1:33]}, {"kv": np.nextafter(export["kv"], np.float32(9))}):
        assert how({"w": joined, "b": bias}, export | fault) == {"w": "unexplained", "b": "pieces"}


def test_pieces_may_lie_along_any_axis() -> None:
    table = normal(10, 64)
    assert how({"w": table}, {"query": table[:, :32].copy(), "place": table[:, 32:].copy()}) == {"w": "pieces"}
    assert how({"w": table}, {"query": table[:, :32].copy(), "place": table[:, 31:63].copy()}) == {"w": "unexplained"}


def test_one_tensor_is_not_two_pieces_nor_are_constants() -> None:
    twice = np.concatenate([normal(16, 4)] * 2)
    assert how({"w": twice}, {"half": twice[:16]}) == {"w": "unexplained"}
    ones = np.full(32, 3, np.float32)
    assert how({"b": ones}, {"x": ones[:16], "y": ones[:16]}) == {"b": "unexplained"}


def test_what_is_stored_in_half_precision_is_found_widened_and_not_altered() -> None:
    half = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float16)
    assert how({"w": half}, {"a": half.T.astype(np.float32)}) == {"w": "exact"}
    assert how({"w": half}, {"a": half.astype(np.float32) * np.float32(1.001)}) == {"w": "unexplained"}


def test_integers_are_no_parameters() -> None:
    assert match({"count": np.array([3])}, {}) == []


def test_the_ledger_names_what_was_altered_since() -> None:
    weight = normal(16, 16)
    export = {"x": weight.T.copy(), "unrelated": normal(4)}
    book = ledger(match({"w": weight}, export), export)
    assert against_ledger(book, export) == []
    export["x"][0, 0] += 1
    assert against_ledger(book, export) == ["the tensor 'x' is altered since the export was verified"]
    assert against_ledger(book, {}) == ["the tensor 'x' is gone since the export was verified"]


def test_fingerprints_ignore_order_and_see_signs_and_types() -> None:
    values = normal(1000)
    assert fingerprint(values) == fingerprint(values[::-1])
    assert fingerprint(np.array([0.0], np.float32)) != fingerprint(np.array([-0.0], np.float32))
    assert digest(values) != digest(values[::-1])
    assert digest(values) != digest(values.reshape(10, 100))


def test_what_is_proposed_is_compared_bit_for_bit() -> None:
    weight = normal(16, 8)
    altered = weight.copy()
    altered.view(np.uint32)[0, :2] += np.array([1, -1], np.int32).view(np.uint32)
    assert bit_sum(weight) == bit_sum(altered) == bit_sum(weight.T)
    assert how({"w": weight}, {"x": altered.T.copy()}) == {"w": "unexplained"}
    assert how({"gates": np.concatenate([weight] * 4)}, {"x": np.concatenate([altered] * 4)}) == {
        "gates": "unexplained"
    }


def test_a_parameter_that_the_source_does_not_use_may_be_missing_but_not_altered() -> None:
    pooler, kernel = normal(8, 8), normal(8, 4)
    source = {"pooler": pooler, "kernel": kernel}
    assert [entry.how for entry in match(source, {"k": kernel}, unused=["pooler"])] == ["unused", "exact"]
    assert [entry.how for entry in match(source, {"k": kernel * 2}, unused=["pooler"])] == ["unused", "unexplained"]


def test_a_weight_of_eight_bits_is_exact_with_or_without_a_sign() -> None:
    kernel = np.random.default_rng(0).integers(-128, 128, (8, 3, 5, 2)).astype(np.int8)
    unsigned = (kernel.astype(np.int16) + 128).astype(np.uint8)
    assert how({"w": kernel}, {"x": np.ascontiguousarray(unsigned.transpose(0, 2, 3, 1))}) == {"w": "exact"}
    altered = kernel.copy()
    altered[3, 1, 4, 0] ^= 1
    assert how({"w": unsigned}, {"x": altered}) == {"w": "unexplained"}


def test_a_list_of_zero_points_is_no_parameter() -> None:
    assert how({"zeros": np.arange(64, dtype=np.int8)}, {}) == {}


@pytest.mark.parametrize("heads", [1, 4])
def test_a_table_of_biases_read_at_fixed_places_is_gathered(heads: int) -> None:
    table = normal(49, heads)
    distance = np.array([[(i // 4 - j // 4 + 3) * 7 + i % 4 - j % 4 + 3 for j in range(16)] for i in range(16)])
    read = table[distance].transpose(2, 0, 1)[None].copy()
    assert how({"table": table}, {"bias": read}) == {"table": "gathered"}
    assert how({"table": np.ascontiguousarray(table.T)}, {"bias": read}) == {"table": "gathered"}
    read[0, 0, 3, 5] = np.nextafter(read[0, 0, 3, 5], np.float32(9))
    assert how({"table": table}, {"bias": read}) == {"table": "unexplained"}


def test_a_table_whose_channels_were_exchanged_is_not_gathered() -> None:
    table = normal(16, 4)
    assert how({"table": table}, {"bias": np.concatenate([table, table])[:, [1, 0, 2, 3]]}) == {"table": "unexplained"}


@pytest.mark.parametrize("shape", [(8,), (8, 5)])
def test_a_parameter_joined_with_others_is_found_and_an_altered_one_is_not(shape: tuple[int, ...]) -> None:
    one, other = normal(*shape), normal(*shape, seed=1)
    joined = np.concatenate([one, np.zeros(shape, np.float32), other])
    assert how({"q": one, "v": other}, {"x": joined}) == {"q": "joined", "v": "joined"}
    assert how({"q": one}, {"x": np.ascontiguousarray(joined.T)}) == {"q": "joined"}
    joined[3] = np.nextafter(joined[3], np.float32(9))
    assert how({"q": one, "v": other}, {"x": joined}) == {"q": "unexplained", "v": "joined"}


@pytest.mark.parametrize(("fill", "word"), [(0.0, "zero"), (1.0, "one"), (2.0, "unexplained")])
def test_a_neutral_vector_may_be_left_out_and_is_not_found_in_a_filling(fill: float, word: str) -> None:
    vector = np.full(8, fill, np.float32)
    assert how({"vector": vector}, {"x": np.full(24, fill, np.float32)}) == {"vector": word}


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_neutral_vector_is_not_left_out_where_an_altered_one_may_be_it(fill: float) -> None:
    vector = np.full(8, fill, np.float32)
    assert how({"vector": vector}, {"x": vector + np.float32(0.5)}) == {"vector": "unexplained"}


@pytest.mark.parametrize(
    "function",
    [np.negative, np.reciprocal, np.sqrt, lambda x: np.float32(1) / np.sqrt(x)],
    ids=["-", "1/", "root", "1/root"],
)
def test_what_a_compiler_computes_of_each_element_is_explained_and_an_altered_one_is_not(function) -> None:
    variance = np.abs(normal(3)) + np.float32(0.5)
    there = function(variance).reshape(1, 1, 1, 3)
    assert how({"variance": variance}, {"x": there}) == {"variance": "elementwise"}
    there[0, 0, 0, 1] *= np.float32(1.000001)
    assert how({"variance": variance}, {"x": there}) == {"variance": "unexplained"}


def test_a_parameter_of_one_number_is_not_found_in_a_constant_of_the_graph() -> None:
    assert how({"w": np.full(4, 2, np.float32)}, {"x": np.full(4, 0.5, np.float32)}) == {"w": "unexplained"}


def test_the_rows_of_a_table_that_are_read_explain_it_and_altered_ones_do_not() -> None:
    table = normal(1, 16, 6)
    export = {"x": table[:, [5, 6, 9, 10]].copy()}
    entries = match({"table": table}, export)

    def found(rows: dict[str, list[int]]) -> str:
        [entry] = match_rows(entries, {"table": table}, export, rows)
        return entry.how

    assert [entry.how for entry in entries] == ["unexplained"]
    assert found({"table": [5, 6, 9, 10]}) == "rows"
    assert found({"table": [5, 6, 9]}) == found({"table": [5, 6, 9, 11]}) == found({}) == "unexplained"
    export["x"][0, 2, 3] = np.nextafter(export["x"][0, 2, 3], np.float32(9))
    assert found({"table": [5, 6, 9, 10]}) == "unexplained"
