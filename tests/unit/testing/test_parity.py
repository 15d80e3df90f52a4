"""`assert_parity` between functions of arrays: what computes the same passes, every planted difference is named."""

import subprocess
import sys

import numpy as np
import pytest

from isoform.errors import UsageError
from isoform.testing import assert_parity

INPUTS = ["x:float32[batch,6]"]
W = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def network(x):
    return {"scores": np.tanh(x @ W), "total": x.sum(1)}


def reordered(x):
    return {"scores": np.tanh(x[:, ::-1] @ W[::-1]), "total": x[:, ::-1].sum(1)}


def off_by_a_thousandth(x):
    found = network(x)
    found["scores"][0, 1] += np.float32(1e-3)
    return found


def swapped(x):
    return dict(reversed(network(x).items()))


def halved(x):
    return {**network(x), "total": network(x)["total"].astype(np.float16)}


def frozen(x):
    return {name: array[:1] for name, array in network(x).items()}


def test_the_same_function_in_another_order_of_sums_passes() -> None:
    assert_parity(network, network, inputs=INPUTS)
    assert_parity(network, reordered, inputs=INPUTS)


def test_a_planted_difference_names_the_output_the_bits_and_the_place() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_parity(network, off_by_a_thousandth, inputs=INPUTS)
    text = str(caught.value)
    assert text.startswith("FAIL          off_by_a_thousandth ")
    assert "bits lost" in text.splitlines()[0]
    assert "'scores' differs most at [0, 1] of case" in text
    assert "  total: PASS  lost bits 0.0" in text


@pytest.mark.parametrize(
    ("other", "finding"),
    [
        (swapped, "outputs are ['total', 'scores'], declared ['scores', 'total']"),
        (halved, "'total' is float16, declared float32"),
        (frozen, "axis 0 of 'scores' ('batch') is frozen at 1"),
    ],
)
def test_another_structure_is_a_difference(other, finding: str) -> None:
    with pytest.raises(AssertionError, match="structure: FAIL") as caught:
        assert_parity(network, other, inputs=INPUTS)
    assert finding in str(caught.value)


def test_answers_without_names_are_compared_in_order() -> None:
    assert_parity(network, lambda x: tuple(network(x).values()), inputs=INPUTS)
    with pytest.raises(AssertionError):
        assert_parity(network, lambda x: tuple(reversed(network(x).values())), inputs=INPUTS)


def test_the_users_own_cases_are_used() -> None:
    seen = []

    def watched(x):
        seen.append(x)
        return network(x)

    cases = [{"x": np.full((2, 6), value, np.float32)} for value in (0.5, 3)]
    assert_parity(network, watched, cases=cases)
    np.testing.assert_array_equal(np.stack(seen), np.stack([case["x"] for case in cases]))


def test_what_can_be_called_has_to_be_told_its_inputs() -> None:
    with pytest.raises(UsageError) as caught:
        assert_parity(network, network)
    assert (caught.value.what, caught.value.hint) == (
        "What can be called does not say its inputs.",
        "Give inputs= or cases=.",
    )
    with pytest.raises(UsageError, match=r"^cases= is empty\.$"):
        assert_parity(network, network, cases=[])


def test_it_loads_no_framework_and_no_pytest() -> None:
    code = "import isoform.testing, sys; print({'torch', 'tensorflow', 'onnx', 'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
