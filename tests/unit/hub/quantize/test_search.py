"""The search over made-up layers, and over a network with one layer that eight bits ruin."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from isoform.core.cases import Tensors
from isoform.hub.quantize import calibration
from isoform.hub.quantize.local_error import signal_to_noise
from isoform.hub.quantize.quantizer import Quantizer, answers, decibels
from isoform.hub.quantize.scales import UNSATURATED
from isoform.hub.quantize.search import MOST_TRIALS, Trial, search
from unit.hub.quantize.networks import drawn, model_of, silent, within_a_tenth

LAYERS = [f"layer{place}" for place in range(20)]


def attempt_needing(needed: set[str], needs_cut: bool = False) -> object:
    """Return a trial that passes if all of ``needed`` are kept, each layer kept costing a hundred bytes."""

    def attempt(kept: Sequence[str], is_cut: bool) -> Trial:
        missing = needed - set(kept)
        agreement = 1 - 0.1 * len(missing) - (0.001 if needs_cut and not is_cut else 0)
        passed = not missing and (is_cut or not needs_cut)
        return Trial(tuple(kept), is_cut, 1000 + 100 * len(kept), 1.0, agreement, agreement, 30.0, None, passed)

    return attempt


def test_nothing_is_kept_where_nothing_has_to_be_and_no_layer_is_asked_about() -> None:
    def layers() -> list[str]:
        raise AssertionError("not needed")

    found = search(attempt_needing(set()), layers, silent)
    assert (found.chosen.kept, len(found.trials)) == ((), 1)


def test_cutting_tails_is_tried_before_layers_are_kept() -> None:
    found = search(attempt_needing(set(), needs_cut=True), lambda: LAYERS, silent)
    assert (found.chosen.is_cut, found.chosen.kept) == (True, ())


def test_where_activations_have_no_ranges_none_are_cut() -> None:
    found = search(attempt_needing({"layer3"}), lambda: LAYERS, silent, has_ranges=False)
    assert set(found.chosen.kept) == {"layer3"}
    assert not any(trial.is_cut for trial in found.trials)


@pytest.mark.parametrize("needed", [{"layer0"}, {"layer3"}, {"layer1", "layer6"}, {"layer19"}, set(LAYERS[:19])])
def test_just_the_layers_that_have_to_be_kept_are(needed: set[str]) -> None:
    found = search(attempt_needing(needed), lambda: LAYERS, silent)
    assert set(found.chosen.kept) == needed
    assert found.chosen.passed


def test_it_ends_and_says_so_where_trials_run_out() -> None:
    many = [f"layer{place}" for place in range(500)]
    found = search(attempt_needing({"layer3", "layer400"}), lambda: many, silent)
    assert found.chosen.passed
    assert found.is_exhausted
    assert len(found.trials) <= MOST_TRIALS + 1


def test_where_nothing_passes_the_closest_is_taken() -> None:
    found = search(attempt_needing({*LAYERS, "no such layer"}), lambda: LAYERS, silent)
    assert not found.chosen.passed
    assert set(found.chosen.kept) == set(LAYERS[:16])  # the last trial before all of them


def test_all_layers_in_float_are_no_choice_but_stand_in_the_table() -> None:
    found = search(attempt_needing(set(LAYERS)), lambda: LAYERS, silent)
    assert not found.chosen.passed
    assert len(found.chosen.kept) == len(LAYERS) - 1  # the closest one
    assert set(found.front[-1].kept) == set(LAYERS)
    assert not found.front[-1].passed


def test_the_front_holds_what_nothing_beats_in_size_and_agreement() -> None:
    found = search(attempt_needing({"layer1", "layer6"}), lambda: LAYERS, silent)
    front = found.front
    assert [trial.size_bytes for trial in front] == sorted(trial.size_bytes for trial in front)
    agreements = [trial.agreement for trial in front]
    assert agreements == sorted(set(agreements))
    assert front[0].kept == ()
    assert found.chosen in front


BODY = "a = Gemm(x, w) r = Relu(a) b = Gemm(r, v) s = Tanh(b) c = Gemm(s, u) y = Softmax(c)"
UNITS = 64


def ruined() -> ir.Model:
    """Return a network of three layers; one unit of the second reaches 1e4, and the others around one."""
    rng = np.random.default_rng(5)
    spoilt = rng.standard_normal((UNITS, UNITS)) / UNITS
    spoilt[:, 3] *= 1e4
    return model_of(
        "float[n,8] x", "float[n,4] y", BODY,
        w=rng.standard_normal((8, UNITS)), v=spoilt, u=rng.standard_normal((UNITS, 4)),
    )  # fmt: skip


def samples() -> Sequence[Tensors]:
    return list(drawn(8, 64, 8)())


def test_the_search_keeps_just_the_layer_that_eight_bits_ruin() -> None:
    model = ruined()
    [_, second, _] = [str(node.name) for node in model.graph if node.op_type == "Gemm"]
    made = Quantizer(model, samples, within_a_tenth, silent)
    assert made.layers()[0] == second
    assert not made.trial((), False).passed
    found = search(made.trial, made.layers, silent)
    assert found.chosen.passed
    assert found.chosen.kept == (second,)


def loud() -> ir.Model:
    """Return a network whose first layer gives one unit of 1e4, which the second hardly listens to."""
    rng = np.random.default_rng(5)
    first, second = rng.standard_normal((8, UNITS)), rng.standard_normal((UNITS, UNITS)) / UNITS
    first[:, 3] *= 1e4
    second[3] *= 1e-4
    return model_of(
        "float[n,8] x", "float[n,4] y", BODY, w=first, v=second, u=rng.standard_normal((UNITS, 4))
    )  # fmt: skip


def test_of_weights_alone_the_layer_is_kept_whose_inputs_have_one_scale_too_few() -> None:
    model = loud()
    [_, second, _] = [str(node.name) for node in model.graph if node.op_type == "Gemm"]
    made = Quantizer(model, samples, within_a_tenth, silent, is_calibrated=False)
    assert made.layers()[0] == second
    assert not made.trial((), False).passed
    found = search(made.trial, made.layers, silent, has_ranges=False)
    assert found.chosen.passed
    assert found.chosen.kept == (second,)
    stored = {
        node.inputs[0].name for node in made.graph(found.chosen.kept, False).graph if node.op_type == "DequantizeLinear"
    }
    assert stored == {"w/integers", "u/integers"}


def test_onnx_runtime_s_kernels_give_what_the_integers_mean_whatever_the_processor() -> None:
    """Without VNNI, weights of eight bits would leave 22 dB of these 37: their sums saturate at sixteen bits."""
    model = model_of(
        "float[n,64] x", "float[n,32] y", "y = MatMul(x, w)", w=np.random.default_rng(0).standard_normal((64, 32))
    )
    inputs = drawn(8, 32, 64)
    made = Quantizer(model, inputs, within_a_tenth, silent).graph((), is_cut=False)
    found = []
    for is_plain in (False, True):
        settings = onnxruntime.SessionOptions()
        settings.add_session_config_entry("session.disable_quant_qdq", str(int(is_plain)))
        session = onnxruntime.InferenceSession(ir.to_proto(made).SerializeToString(), settings)
        found.append(answers(session, inputs))
    assert decibels(found[1], found[0]) > 60
    with calibration.opened(model) as session:
        assert decibels(answers(session, inputs), found[0]) > 35


def test_a_layer_that_stays_as_it_is_without_ranges_is_not_proposed() -> None:
    rng = np.random.default_rng(1)
    body = "h = ConvTranspose(x, w) f = Flatten(h) y = Gemm(f, v)"
    model = model_of(
        "float[n,2,3,3] x", "float[n,4] y", body, w=rng.standard_normal((2, 3, 2, 2)), v=rng.standard_normal((48, 4))
    )  # fmt: skip
    names = {node.op_type: str(node.name) for node in model.graph}
    made = Quantizer(model, drawn(4, 16, 2, 3, 3), within_a_tenth, silent, is_calibrated=False)
    assert made.layers() == [names["Gemm"]]


def test_the_error_of_a_layer_is_that_of_its_rounded_copy_given_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((6, 5)).astype(np.float32)
    model = model_of("float[n,6] x", "float[n,5] y", "y = MatMul(x, w)", w=weight)
    made = Quantizer(model, drawn(5, 32, 6), within_a_tenth, silent)
    [(name, found)] = signal_to_noise(model, made.parameters(), drawn(5, 32, 6), silent).items()
    x = np.concatenate([sample["x"] for sample in drawn(5, 32, 6)()])
    steps = {key: (each.step, each.zero) for key, each in made.parameters().items()}
    y = x @ weight

    def through(array: np.ndarray, step: float, zero: int) -> np.ndarray:
        return (np.clip(np.round(array / step) + zero, -128, 127) - zero) * step

    scale = np.abs(weight).max(axis=0) / UNSATURATED
    given = through(x, *steps["x"]) @ (np.round(weight / scale) * scale)
    noise = through(given, *steps["y"]) - y
    shares = np.square(noise).sum(axis=0) / np.square(y).sum(axis=0)
    assert found == pytest.approx(-10 * np.log10(shares.mean()), abs=0.1)
    assert name
