"""Gate 0: everything that has to be equal exactly."""

import numpy as np

from isoform.core.cases import Cases
from isoform.core.signature import Signature, TensorSpec
from isoform.core.structure import changed_decisions, compare_outputs, compare_runs, compare_signatures


def signature(*, x: str = "x:float32[batch,3]", y: str = "y:float32[batch,2]") -> Signature:
    return Signature((TensorSpec.parse(x),), (TensorSpec.parse(y),))


def test_equal_signatures_have_no_findings_whatever_dynamic_dimensions_are_called() -> None:
    assert compare_signatures(signature(), signature(x="x:float32[unk,3]", y="y:float32[unk,2]")) == []


def test_a_frozen_axis_is_a_finding_of_its_own() -> None:
    found = compare_signatures(signature(), signature(x="x:float32[1,3]"))
    assert found == ["axis 0 of 'x' ('batch') is frozen at 1"]


def test_names_dtypes_and_ranks_are_compared() -> None:
    assert compare_signatures(signature(), signature(x="z:float32[b,3]")) == ["inputs are ['z'], declared ['x']"]
    assert compare_signatures(signature(), signature(x="x:int64[b,3]")) == ["'x' is int64, declared float32"]
    assert compare_signatures(signature(), signature(y="y:float32[b]")) == [
        "'y' has the shape ['b'], declared ['batch', 2]"
    ]
    assert compare_signatures(signature(), signature(x="x:float32[b,4]")) == ["axis 1 of 'x' is 4, declared 3"]


def test_the_order_of_outputs_matters() -> None:
    first, second = TensorSpec.parse("a:float32[1]"), TensorSpec.parse("b:float32[1]")
    found = compare_signatures(Signature((), (first, second)), Signature((), (second, first)))
    assert found == ["outputs are ['b', 'a'], declared ['a', 'b']"]


def compared(reference: np.ndarray, export: np.ndarray, y: str = "y:float32[batch,2]") -> list[str]:
    source = reference.astype(np.float32) if reference.dtype.kind == "f" else reference
    cases = Cases(("given",), ({"x": np.zeros((2, 3))},), ({"y": reference},), ({"y": source},))
    return compare_outputs(signature(y=y), cases, [{"y": export}])


def test_shapes_dtypes_and_non_finite_places_are_compared_case_by_case() -> None:
    reference = np.array([[1.0, np.nan], [np.inf, 2.0]])
    assert compared(reference, reference.astype(np.float32)) == []
    moved = reference.astype(np.float32)[::-1]
    assert compared(reference, moved) == [
        "'y' has NaN in other places than the source (case 0: x[2, 3])",
        "'y' has +Inf in other places than the source (case 0: x[2, 3])",
    ]
    assert "came out as [1, 2], the source gives [2, 2]" in compared(reference, reference[:1].astype(np.float32))[0]
    assert "came out as float64, declared float32" in compared(reference, reference)[0]


def test_integer_outputs_have_to_be_equal() -> None:
    wanted = np.array([[1, 2], [3, 4]])
    assert compared(wanted, wanted, "y:int64[batch,2]") == []
    assert "differs in 1 of 4 values" in compared(wanted, wanted + (wanted == 3), "y:int64[batch,2]")[0]


def test_a_dimension_that_runs_at_some_sizes_only_is_called_frozen() -> None:
    inputs = [{"x": np.zeros((size, 3))} for size in (1, 2, 1, 5)]
    found = compare_runs(signature(), inputs, {1: "bad shape", 3: "bad shape"})
    assert found == ["'batch' is frozen: it runs at [1], not at [2, 5] (bad shape)"]
    assert compare_runs(signature(), inputs, {}) == []
    assert compare_runs(signature(), inputs, {0: "no memory"}) == ["case 0 (x[1, 3]) does not run: no memory"]


def test_another_decision_counts_only_beyond_rounding() -> None:
    reference = np.array([[0.5, 0.5 + 1e-9], [0.1, 0.9]])
    swapped = reference[:, ::-1]
    assert changed_decisions(reference, swapped, allowed=1e-8) == 1
    assert changed_decisions(reference, swapped, allowed=1.0) == 0
    assert changed_decisions(reference, reference, allowed=0.0) == 0
