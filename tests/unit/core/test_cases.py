"""Cases: the mix, the sizes, and the file."""

from pathlib import Path

import numpy as np
import pytest

from isoform.core import cases as case_files
from isoform.core import generation
from isoform.core.cases import Floor
from isoform.core.signature import Signature, TensorSpec
from isoform.errors import IsoformError, UsageError

TEXT = Signature(
    (TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=100),), (TensorSpec.parse("p:float32[batch,1]"),)
)
IMAGE = Signature((TensorSpec.parse("image:float32[batch,2,4,4]"),), ())


def test_the_mix_is_that_of_the_method() -> None:
    kinds = generation.generate(IMAGE).kinds
    assert len(kinds) == 32
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "representative": 16, "gaussian": 8, "zeros": 1, "ones": 1, "large": 2, "tiny": 2, "repeated": 2,
    }  # fmt: skip


def test_every_dynamic_dimension_takes_several_sizes_one_among_them() -> None:
    shapes = {case["tokens"].shape for case in generation.generate(TEXT).inputs}
    assert {batch for batch, _ in shapes} == {1, 2, 3, 5}
    assert {length for _, length in shapes} == {1, 7, 13, 32}


def test_integers_cover_their_declared_range_and_stay_in_it() -> None:
    values = np.concatenate([case["tokens"].ravel() for case in generation.generate(TEXT).inputs])
    assert values.min() == 0
    assert values.max() == 99


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        case_files.save(generation.generate(TEXT), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_representative_cases_come_from_the_samples() -> None:
    samples = np.arange(5 * 2 * 4 * 4, dtype=np.float32).reshape(5, 2, 4, 4)
    cases = generation.generate(IMAGE, [{"image": samples}])
    first = [case["image"] for kind, case in zip(cases.kinds, cases.inputs, strict=True) if kind == "representative"]
    assert all(any(np.array_equal(row, sample) for sample in samples) for image in first for row in image)


def test_what_is_saved_loads_with_its_references(tmp_path: Path) -> None:
    cases = generation.generate(TEXT)
    answers = [{"p": np.ones((len(case["tokens"]), 1))} for case in cases.inputs]
    floors = {"p": tuple(Floor(1.0 * place, 2.0 * place) for place in range(len(cases)))}
    case_files.save(cases.with_reference(answers, answers, floors), tmp_path / "c.npz")
    again = case_files.load(tmp_path / "c.npz")
    assert again.kinds == cases.kinds
    assert again.floors == floors
    assert again.only([7, 3]).floors == {"p": (Floor(7.0, 14.0), Floor(3.0, 6.0))}
    assert again.reference is not None
    np.testing.assert_array_equal(again.inputs[7]["tokens"], cases.inputs[7]["tokens"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(IsoformError, match="not a readable cases file"):
        case_files.load(tmp_path / "c.npz")


def test_a_users_arrays_become_cases(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **{"tokens.0": np.zeros((1, 3), np.int64), "tokens.1": np.ones((2, 5), np.int64)})
    cases = case_files.from_user(path, TEXT)
    assert [case["tokens"].shape for case in cases.inputs] == [(1, 3), (2, 5)]


def test_a_users_array_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, tokens=np.zeros((1, 3), np.float32))
    with pytest.raises(UsageError, match="'tokens' is float32\\[1, 3\\], declared tokens:int64\\[batch,length\\]"):
        case_files.from_user(path, TEXT)
    np.savez(path, other=np.zeros(1))
    with pytest.raises(UsageError, match="case 0 has no array 'tokens'"):
        case_files.from_user(path, TEXT)


def test_a_mask_of_a_sequence_begins_with_a_step_that_is_there_and_has_no_gaps() -> None:
    signature = Signature((TensorSpec.parse("attention_mask:int64[batch,length]"),), ())
    for case in generation.generate(signature).inputs:
        mask = case["attention_mask"]
        assert (mask[:, 0] == 1).all()
        assert (np.diff(mask, axis=1) <= 0).all()


def test_a_large_network_has_single_rows_mostly_and_every_size_once() -> None:
    large = Signature((TensorSpec.parse("image:float32[batch,3,224,224]"),), ())
    rows = [len(case["image"]) for case in generation.generate(large).inputs]
    assert len(rows) == 32
    assert set(rows) == {1, 2, 3, 5}
    assert rows.count(1) > 24
    assert min(rows[-2:]) >= 2  # repeated rows need two


def test_a_batch_that_cannot_be_one_stays_what_it_can_be() -> None:
    large = Signature((TensorSpec.parse("image:float32[batch,3,224,224]"),), ())
    cases = generation.generate(large, sizes={"batch": (4, 8)})
    assert {len(case["image"]) for case in cases.inputs} == {4, 8}


def test_a_file_of_another_version_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "cases.npz"
    np.savez(path, head=np.frombuffer(b'{"kinds": [], "names": {}, "floors": {"y": [1, 2]}}', np.uint8))
    with pytest.raises(IsoformError, match=r"not a readable cases file \(version 1, and this isoform reads 2\)"):
        case_files.load(path)


def test_scalars_are_drawn_for_every_kind_and_taken_from_samples() -> None:
    specs = (TensorSpec("count", "int64", (), low=1, high=4), TensorSpec("scale", "float32", ()))
    cases = generation.generate(Signature(specs, ()), [{"scale": np.array([0.25, 0.5], np.float32)}])
    assert {case[spec.name].shape for case in cases.inputs for spec in specs} == {()}
    assert {case[spec.name].dtype.name for case in cases.inputs for spec in specs} == {"int64", "float32"}
    assert {int(case["count"]) for case in cases.inputs} == {1, 2, 3}
    drawn = [float(case["scale"]) for kind, case in zip(cases.kinds, cases.inputs, strict=True)
             if kind == "representative"]  # fmt: skip
    assert set(drawn) == {0.25, 0.5}
