"""Signatures: what parses, what is refused, what survives JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoform.core.signature import DTYPES, Signature, TensorSpec
from isoform.errors import UsageError

names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_/.]{0,12}", fullmatch=True)
dims = st.one_of(st.integers(0, 4096), st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True))


def test_an_input_is_parsed_with_words_as_dynamic_dimensions() -> None:
    spec = TensorSpec.parse("image:float32[batch,3,224,224]")
    assert spec == TensorSpec("image", "float32", ("batch", 3, 224, 224))
    assert spec.symbols == ("batch",)
    assert spec.sizes({"batch": 5}) == (5, 3, 224, 224)


def test_a_scalar_has_empty_brackets() -> None:
    assert TensorSpec.parse("t:float32[]").shape == ()


@given(names, st.sampled_from(DTYPES), st.lists(dims, max_size=5))
def test_what_is_printed_parses_back(name: str, dtype: str, shape: list[int | str]) -> None:
    spec = TensorSpec(name, dtype, tuple(shape))
    assert TensorSpec.parse(str(spec)) == spec
    assert TensorSpec.from_json(spec.to_json()) == spec


def test_a_layout_and_a_range_may_stand_behind_the_shape() -> None:
    assert TensorSpec.parse("image:float32[n,3,8,8]:NCHW").layout == "NCHW"
    ids = TensorSpec.parse("ids:int64[n,length]:0..499")
    assert (ids.low, ids.high) == (0, 500)
    with pytest.raises(UsageError, match="above"):
        TensorSpec.parse("ids:int64[n,length]:5..1")


@pytest.mark.parametrize("text", ["image", "image:float32", "image:float32[1,2", ":float32[1]", "a:float32[[1]]"])
def test_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        TensorSpec.parse(text)
    assert caught.value.what == f"'{text}' does not describe an input."
    assert caught.value.hint == "Write NAME:DTYPE[dim,dim,...], for example 'image:float32[batch,3,224,224]'."


def test_a_negative_dimension_is_refused() -> None:
    with pytest.raises(UsageError, match="'-1' in 'x:float32\\[-1\\]' is not a dimension."):
        TensorSpec.parse("x:float32[-1]")


def test_an_unknown_dtype_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        TensorSpec.parse("x:float33[1]")
    assert caught.value.what == "'x' has the unknown dtype 'float33'."
    assert "float32" in caught.value.hint


def test_a_layout_moves_the_axes() -> None:
    spec = TensorSpec("image", "float32", ("batch", 3, 32, 64), layout="NCHW")
    assert spec.with_layout("NHWC").shape == ("batch", 32, 64, 3)
    assert spec.with_layout("NHWC").with_layout("NCHW") == spec


def test_a_layout_that_does_not_name_every_axis_is_refused() -> None:
    with pytest.raises(UsageError, match="'x' has 2 dimensions and the layout 'NCHW'."):
        TensorSpec("x", "float32", (1, 2), layout="NCHW")


def test_two_inputs_of_one_name_are_refused() -> None:
    spec = TensorSpec("x", "float32", (1,))
    with pytest.raises(UsageError, match="Two inputs have one name"):
        Signature((spec, spec), ())


def test_symbols_of_a_signature_come_once_in_order() -> None:
    first = TensorSpec.parse("a:int64[batch,length]")
    second = TensorSpec.parse("b:int64[length,batch,heads]")
    signature = Signature((first, second), (first,))
    assert signature.symbols == ("batch", "length", "heads")
    assert Signature.from_json(signature.to_json()) == signature
