"""Wrappers come off only towards the network's own names, and every step is told."""

from typing import Any

from isoform.core.state_dict import differences, fit_names, unwrap_record

NAMES = ("conv.weight", "head.bias")
STATE = {"conv.weight": 1.0, "head.bias": 2.0}


def is_tensor(value: Any) -> bool:
    return isinstance(value, float)


def prefixed(prefix: str) -> dict[str, float]:
    return {prefix + name: value for name, value in STATE.items()}


def test_a_plain_state_dict_takes_no_step() -> None:
    found = unwrap_record(STATE, is_tensor)
    assert found is not None
    assert (dict(found.tensors), found.steps) == (STATE, ())
    assert fit_names(STATE, NAMES).steps == ()


def test_records_come_off_as_deep_as_they_go() -> None:
    found = unwrap_record({"epoch": 3, "model": {"net": STATE}}, is_tensor)
    assert found is not None
    assert found.tensors == STATE
    assert found.steps == ("took the weights under 'model'", "took the weights under 'net'")


def test_ordinary_weights_win_over_averaged_ones_and_that_is_said() -> None:
    found = unwrap_record({"state_dict": STATE, "model_ema": prefixed("module.")}, is_tensor)
    assert found is not None
    assert found.tensors == STATE
    assert found.steps[1] == "left the averaged weights under 'model_ema' (save them alone to convert them)"


def test_averaged_weights_alone_are_taken() -> None:
    found = unwrap_record({"ema_state_dict": STATE}, is_tensor)
    assert found is not None
    assert found.steps == ("took the weights under 'ema_state_dict'",)


def test_entries_that_are_no_tensors_are_named() -> None:
    found = unwrap_record({**STATE, "epoch": 3}, is_tensor)
    assert found is not None
    assert found.steps == ("left out what is no tensor: epoch",)


def test_what_holds_no_weights_is_none() -> None:
    assert unwrap_record({"epoch": 3}, is_tensor) is None
    assert unwrap_record([1.0], is_tensor) is None


def test_a_record_that_contains_itself_ends() -> None:
    record: dict[str, Any] = {}
    record["model"] = record
    assert unwrap_record(record, is_tensor) is None


def test_prefixes_come_off_one_after_the_other() -> None:
    found = fit_names(prefixed("module._orig_mod."), NAMES)
    assert found.tensors == STATE
    assert found.steps == ("took 'module.' off 2 names", "took '_orig_mod.' out of the names")


def test_a_compiled_part_has_the_word_inside_its_names() -> None:
    found = fit_names({"conv._orig_mod.weight": 1.0, "head.bias": 2.0}, NAMES)
    assert found.tensors == STATE


def test_a_prefix_that_the_network_has_itself_stays() -> None:
    state = prefixed("model.")
    found = fit_names(state, list(state))
    assert (found.tensors, found.steps) == (state, ())


def test_what_stands_outside_of_a_whole_network_is_left_out_and_named() -> None:
    found = fit_names({**prefixed("model."), "loss.weight": 3.0}, NAMES)
    assert found.tensors == STATE
    assert found.steps[-1] == "left out 1 outside of it: loss.weight"


def test_what_stands_outside_stays_where_something_is_missing() -> None:
    found = fit_names({"model.conv.weight": 1.0, "head.biases": 3.0}, NAMES)
    assert found.tensors == {"conv.weight": 1.0, "head.biases": 3.0}


def test_an_extra_weight_without_a_prefix_is_never_dropped() -> None:
    state = {**STATE, "extra": 1.0}
    assert fit_names(state, NAMES).tensors == state


def test_differences_have_counts_first_names_shapes_and_near_names() -> None:
    wanted = {"a.weight": (2, 3), "b.bias": (4,), **{f"c{number}": (1,) for number in range(6)}}
    found = {"a.weight": (3, 2), "b.biases": (4,)}
    assert differences(wanted, found) == [
        "7 missing: b.bias, c0, c1, c2, c3 and 2 more",
        "1 unexpected: b.biases",
        "1 misshapen: a.weight [3, 2], the network has [2, 3]",
        "near names in the file: 'b.biases' for 'b.bias'",
    ]
    assert differences(found, found) == []
