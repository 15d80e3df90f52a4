"""What is written as text is read back by protobuf's own parser as the same message."""

from typing import Any

import pytest
from google.protobuf import json_format, text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from isoform.stages.package.textproto import Enum, written

PRINTABLE = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
TENSORS = st.builds(
    lambda name, dims: {"name": name, "data_type": Enum("TYPE_FP32"), "dims": dims},
    PRINTABLE, st.lists(st.integers(-1, 2**40), max_size=4),
)  # fmt: skip


def read(message: dict[str, Any]) -> dict[str, Any]:
    parsed = text_format.Parse(written(message), model_config_pb2.ModelConfig())
    found: dict[str, Any] = json_format.MessageToDict(parsed, preserving_proto_field_name=True)
    return found


@given(PRINTABLE, st.integers(0, 2**31 - 1), st.lists(TENSORS, max_size=3))
def test_protobuf_reads_what_was_written(name: str, size: int, tensors: list[dict[str, Any]]) -> None:
    parsed = text_format.Parse(
        written({"name": name, "max_batch_size": size, "input": tensors}), model_config_pb2.ModelConfig()
    )
    assert (parsed.name, parsed.max_batch_size) == (name, size)
    assert [(one.name, list(one.dims)) for one in parsed.input] == [(one["name"], one["dims"]) for one in tensors]


def test_messages_in_messages_lists_and_truth() -> None:
    message = {
        "dynamic_batching": {"preferred_batch_size": [4, 8], "preserve_ordering": True},
        "instance_group": [{"kind": Enum("KIND_CPU")}, {"count": 2}],
    }
    assert read(message) == message | {"instance_group": [{"kind": "KIND_CPU"}, {"count": 2}]}


@pytest.mark.parametrize("message", [{}, {"input": []}])
def test_nothing_is_nothing(message: dict[str, Any]) -> None:
    assert read(message) == {}
