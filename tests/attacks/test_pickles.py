"""What a pickle would import is listed by walking its opcodes; nothing of it runs (faults 1, 2 and 4)."""

import collections
import os
import pickle
import struct
from pathlib import Path

import pytest

from attacks.archives import written
from isoform.errors import IsoformError
from isoform.intake.pickle_scan import UNKNOWN, beyond_weights, scan_bytes
from isoform.intake.torch_pickle import imports_of, refuse_code


class Payload:
    """An object whose pickle calls os.system."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self._marker}",)


@pytest.mark.parametrize("protocol", range(6))
def test_the_import_of_every_protocol_is_found_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps({"w": Payload(tmp_path / "marker")}, protocol)
    assert scan_bytes(data).beyond_weights == ("posix.system",)
    assert scan_bytes(data).end == len(data)
    assert not (tmp_path / "marker").exists()


def test_containers_of_weights_are_no_code() -> None:
    assert scan_bytes(pickle.dumps(collections.OrderedDict(a=1), 2)).imports == ("collections.OrderedDict",)
    assert scan_bytes(pickle.dumps(collections.OrderedDict(a=1), 2)).beyond_weights == ()


def test_a_name_put_together_while_loading_is_listed_as_unknown() -> None:
    strings = b"\x8c\x02os\x8c\x06system"
    assert scan_bytes(b"\x80\x04" + strings + b"\x93.").imports == ("os.system",)
    hidden = b"\x80\x04" + strings + b"\x8c\x0bcollections0\x93."  # a third string is pushed and popped again
    assert scan_bytes(hidden).imports == (UNKNOWN,)
    assert scan_bytes(hidden).beyond_weights == (UNKNOWN,)


def test_a_name_from_the_memo_is_followed() -> None:
    data = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94N0h\x00h\x01\x93."
    assert scan_bytes(data).imports == ("os.system",)


def test_an_extension_code_is_listed() -> None:
    assert scan_bytes(b"\x80\x02\x82\x07.").beyond_weights == ("extension 7",)


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "torch.load", "torch.hub.load", "torch.float.__class__", "numpy.load"]
)
def test_only_what_weights_need_counts_as_weights(name: str) -> None:
    assert beyond_weights([name]) == (name,)


def checkpoint(path: Path, data: bytes) -> Path:
    return written(path, {"m/data.pkl": data, "m/version": b"3\n"})


def test_a_checkpoint_with_code_lists_it_and_says_what_to_do(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "m.pt", pickle.dumps([Payload(tmp_path / "marker")], 2))
    with pytest.raises(IsoformError) as caught:
        refuse_code(path)
    assert caught.value.kind == "unsafe-checkpoint"
    assert caught.value.what == (f"{path}: holds more than weights; loading it would import and may run: posix.system.")
    assert caught.value.hint == (
        "Save the weights alone: torch.save(model.state_dict(), PATH). Only if you trust who made it: --allow-pickle"
    )
    assert not (tmp_path / "marker").exists()


def legacy(path: Path, data: bytes) -> Path:
    head = [pickle.dumps(item, 2) for item in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    path.write_bytes(b"".join(head) + data + pickle.dumps(["0"], 2) + struct.pack("<q", 1) + bytes(4))
    return path


def test_the_older_layout_is_walked_through_all_its_pickles(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.pth", pickle.dumps(Payload(tmp_path / "marker"), 2))
    assert imports_of(path) == ("posix.system",)


def test_a_second_pickle_behind_the_first_is_ambiguous(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(pickle.dumps({}, 2) + pickle.dumps(Payload(tmp_path / "marker"), 2))
    with pytest.raises(IsoformError, match="other bytes stand behind the pickle") as caught:
        imports_of(path)
    assert caught.value.kind == "ambiguous-container"


def test_a_second_pickle_inside_of_the_archive_member_is_ambiguous(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "m.pt", pickle.dumps({}, 2) + pickle.dumps(Payload(tmp_path / "marker"), 2))
    with pytest.raises(IsoformError, match=r"bytes stand behind the pickle 'm/data\.pkl'"):
        imports_of(path)


def test_two_pickled_objects_in_one_archive_are_ambiguous(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt", {"m/data.pkl": b"N.", "n/data.pkl": b"N."})
    with pytest.raises(IsoformError, match=r"more than one data\.pkl"):
        imports_of(path)


@pytest.mark.parametrize("data", [b"\x80\x02}q\x00(X\x01", b"\x80\x02\xff", b"\x80\x02c", b"\x80\x04\x93", b""])
def test_a_pickle_that_does_not_end_is_truncated(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(IsoformError, match="truncated or damaged"):
        imports_of(checkpoint(tmp_path / "m.pt", data))
