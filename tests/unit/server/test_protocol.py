"""The protocol: what is sent is what arrives, to the bit; what does not fit is refused with a word on why."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from isoform.core.signature import Signature, TensorSpec
from isoform.errors import UsageError
from isoform.server import protocol
from isoform.server.protocol import DATATYPES, Refused, Request

NUMERIC = sorted(set(DATATYPES) - {"string"})
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=4)
NUMBERS = st.sampled_from(NUMERIC).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES, elements=_elements(dtype)))
TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=5)


def _elements(dtype: str) -> Any:
    finite = {"allow_nan": False, "allow_infinity": False} if np.dtype(dtype).kind == "f" else {}
    return arrays.from_dtype(np.dtype(dtype), **finite)


def of(array: np.ndarray[Any, Any], dtype: str) -> Signature:
    spec = TensorSpec("x", dtype, tuple(f"d{axis}" for axis in range(array.ndim)))
    return Signature((spec,), (spec,))


def entry(array: np.ndarray[Any, Any], dtype: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": DATATYPES[dtype], "shape": list(array.shape), **more}


def body(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(entries), **more}).encode()


@given(array=NUMBERS, is_nested=st.booleans())
def test_numbers_in_json_arrive_as_they_are(array: np.ndarray[Any, Any], is_nested: bool) -> None:
    dtype = str(array.dtype)
    data = array.tolist() if is_nested else array.ravel().tolist()
    found = protocol.parse(body(entry(array, dtype, data=data)), None, of(array, dtype)).inputs["x"]
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()


@given(array=st.sampled_from(NUMERIC).flatmap(lambda dtype: arrays.arrays(dtype, (2, 3))))
def test_numbers_in_binary_arrive_as_they_are_nan_too(array: np.ndarray[Any, Any]) -> None:
    dtype = str(array.dtype)
    head = body(entry(array, dtype, parameters={"binary_data_size": array.nbytes}))
    found = protocol.parse(head + array.tobytes(), str(len(head)), of(array, dtype)).inputs["x"]
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()


@given(texts=TEXTS)
def test_text_arrives_as_it_is_in_both_forms(texts: list[str]) -> None:
    array = np.array(texts, object)
    signature = of(array, "string")
    plain = protocol.parse(body(entry(array, "string", data=texts)), None, signature).inputs["x"]
    blob = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    head = body(entry(array, "string", parameters={"binary_data_size": len(blob)}))
    binary = protocol.parse(head + blob, str(len(head)), signature).inputs["x"]
    assert plain.tolist() == binary.tolist() == texts


@given(array=NUMBERS, is_binary=st.booleans())
def test_what_is_answered_reads_back_to_the_bit(array: np.ndarray[Any, Any], is_binary: bool) -> None:
    dtype = str(array.dtype)
    request = Request("7", {}, ("x",), frozenset({"x"} if is_binary else ()))
    content, length = protocol.answer("m", of(array, dtype), request, {"x": array}, {"batch_size": 1})
    document = json.loads(content[:length])
    assert document["id"] == "7"
    assert document["outputs"][0]["shape"] == list(array.shape)
    if is_binary:
        found = np.frombuffer(content[length:], array.dtype)
    else:
        found = np.array(document["outputs"][0]["data"], array.dtype)
    assert found.tobytes() == array.tobytes()


@given(content=st.binary(max_size=200), length=st.none() | st.text(max_size=4))
def test_whatever_comes_is_refused_and_nothing_else_happens(content: bytes, length: str | None) -> None:
    with pytest.raises(Refused):
        protocol.parse(content, length, of(np.zeros((1, 1)), "float32"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("x") | JSON, "datatype": st.just("FP32") | JSON, "shape": st.just([2]) | JSON,
        "data": st.just([1, 2]) | JSON, "parameters": st.just({"binary_data_size": 8}) | JSON,
    },
)  # fmt: skip


@given(fields=FIELDS, outputs=JSON, parameters=JSON)
def test_any_json_gives_a_request_that_fits_or_is_refused(
    fields: dict[str, Any], outputs: Any, parameters: Any
) -> None:
    found = parsed_or_refused(body(fields, outputs=outputs, parameters=parameters))
    if isinstance(found, Refused):
        assert (found.status, "\n" in found.reason) == (400, False)
    else:
        assert found.inputs["x"].dtype == np.float32
        assert list(found.inputs["x"].shape) == fields["shape"]


def parsed_or_refused(content: bytes) -> Request | Refused:
    try:
        return protocol.parse(content, None, of(np.zeros(2), "float32"))
    except Refused as refused:
        return refused


IDS = Signature((TensorSpec("ids", "int64", ("n", "length"), low=0, high=500), TensorSpec("mask", "bool", ("n",))), ())


@pytest.mark.parametrize(
    ("ids", "mask", "reason"),
    [
        ({"data": [1.0, 2]}, {}, "Input 'ids' has elements in 'data' that are not INT64."),
        ({"data": [True, 2]}, {}, "Input 'ids' has elements in 'data' that are not INT64."),
        ({"data": [2**63, 2]}, {}, "Input 'ids' has numbers that INT64 does not hold."),
        ({"data": [500, 2]}, {}, "Input 'ids' has values outside of 0..499."),
        ({"data": [-1, 2]}, {}, "Input 'ids' has values outside of 0..499."),
        ({"data": [[1], [2]]}, {}, "Input 'ids' is not nested as its shape [1, 2] says."),
        ({"data": [[1, 2], [3, 4]]}, {}, "Input 'ids' is not nested as its shape [1, 2] says."),
        ({"data": 1}, {}, "Input 'ids' has no list 'data'."),
        ({"shape": [1, 0], "data": []}, {}, "Input 'ids' has the shape [n,length], not [1, 0]."),
        ({"shape": [True, 2]}, {}, "Input 'ids' has the shape [n,length], not [True, 2]."),
        ({}, {"data": [1]}, "Input 'mask' has elements in 'data' that are not BOOL."),
        ({}, {"shape": [2], "data": [True, False]}, "'n' is 1 and, in input 'mask', 2."),
        ({"parameters": []}, {}, "'parameters' is not an object."),
        ({"parameters": {"binary_data_size": 16}}, {}, "'binary_data_size' of 'ids' is not what follows the JSON."),
        ({"name": "mask"}, {}, "Input 'mask' is given twice."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(ids: dict[str, Any], mask: dict[str, Any], reason: str) -> None:
    first = {"name": "ids", "datatype": "INT64", "shape": [1, 2], "data": [1, 2]} | ids
    second = {"name": "mask", "datatype": "BOOL", "shape": [1], "data": [True]} | mask
    with pytest.raises(Refused) as refused:
        protocol.parse(body(first, second), None, IDS)
    assert (refused.value.status, refused.value.reason) == (400, reason)


@pytest.mark.parametrize(
    ("dtype", "blob", "reason"),
    [
        ("bool", b"\x00\x02", "Input 'x' has bytes that are neither 0 nor 1."),
        ("float32", b"1234567", "Input 'x' has 7 bytes, its shape 8."),
        ("string", b"\x01\0\0\0a", "Input 'x' has 1 elements and the shape [2]."),
        ("string", b"\x01\0\0\0a\x02\0\0\0b", "Input 'x' ends within an element."),
        ("string", b"\x01\0\0\0a\x01\0\0\0\xff", "Input 'x' holds text that is not UTF-8."),
    ],
)
def test_bytes_that_do_not_fit_are_named(dtype: str, blob: bytes, reason: str) -> None:
    array = np.zeros(2)
    head = body(entry(array, dtype, parameters={"binary_data_size": len(blob)}))
    with pytest.raises(Refused) as refused:
        protocol.parse(head + blob, str(len(head)), of(array, dtype))
    assert refused.value.reason == reason


def test_nan_is_answered_in_binary_and_never_as_json_that_is_none() -> None:
    array = np.array([1.0, np.nan], np.float32)
    asked = Request(None, {}, ("x",), frozenset())
    with pytest.raises(Refused) as refused:
        protocol.answer("m", of(array, "float32"), asked, {"x": array}, {})
    assert (refused.value.status, "NaN" in refused.value.reason) == (422, True)


def test_only_the_outputs_that_were_asked_for_are_given() -> None:
    specs = (TensorSpec("a", "float32", ("n",)), TensorSpec("b", "string", ("n",)))
    signature = Signature(specs[:1], specs)
    content = body({"name": "a", "datatype": "FP32", "shape": [1], "data": [1]}, outputs=[{"name": "b"}])
    asked = protocol.parse(content, None, signature)
    answer, _ = protocol.answer("m", signature, asked, {"a": np.ones(1), "b": np.array([b"\xc3\xa4"], object)}, {})
    assert json.loads(answer)["outputs"] == [{"name": "b", "datatype": "BYTES", "shape": [1], "data": ["ä"]}]


def test_a_dtype_that_no_client_can_send_is_a_mistake_of_the_command() -> None:
    with pytest.raises(UsageError, match="'x' is bfloat16, which cannot be served"):
        protocol.check_servable(of(np.zeros(1), "bfloat16"))
