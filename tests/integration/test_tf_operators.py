"""Every operator that the TensorFlow emitter carries, on ONNX' own backend tests: right, or refused, never wrong.

All cases: ``make conformance TARGETS="tensorflow tensorflow_weights"``.
"""

import pytest

from conformance import sample

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning"),
]


@pytest.mark.parametrize("target", ["tensorflow", "tensorflow_weights"])
def test_no_case_is_wrong_and_none_is_worse_than_recorded(target: str) -> None:
    worse = sample.worse(target)
    assert not worse, worse
