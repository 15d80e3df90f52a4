"""The names of outputs stay apart from those of inputs."""

import numpy as np

from isoform.jobs import describe

A, B = np.full(1, 1.0), np.full(1, 2.0)


def test_an_output_that_is_called_as_an_input_gets_a_name_of_its_own() -> None:
    assert list(describe.apart({"sample": A, "state": B}, ["sample", "step"])) == ["output_sample", "state"]
    taken = {"output_x": A, "x": B}
    assert list(describe.apart(taken, ["x"])) == ["output_x", "output_x_2"]
