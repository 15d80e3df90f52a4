"""OpenVINO IR told by its bytes and read with NumPy alone, from files written by hand."""

from pathlib import Path

import numpy as np
import pytest

from isoform.errors import IsoformError
from isoform.intake import openvino_ir
from isoform.intake.container import identify
from isoform.intake.contents import described

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)
SCALE = np.array(0.5, np.float64)
SIZES = np.array([1, -1], np.int64)
INNER = np.array([True, False])


def constant(name: str, kind: str, array: np.ndarray, begin: int, size: int | None = None) -> str:
    shape, size = ", ".join(map(str, array.shape)), array.nbytes if size is None else size
    data = f'<data element_type="{kind}" shape="{shape}" offset="{begin}" size="{size}"/>'
    return f'<layer id="{begin}" name="{name}" type="Const" version="opset1">{data}</layer>'


def written(folder: Path, xml: str | None = None) -> Path:
    """Return a network of three constants, and one in a branch; its weights start with four bytes of nothing."""
    branch = f"<then_body><layers>{constant('w', 'boolean', INNER, 52)}</layers></then_body>"
    layers = (
        constant("w", "f32", KERNEL, 4), constant("scale", "f64", SCALE, 28), constant("sizes", "i64", SIZES, 36),
        f'<layer id="9" name="if" type="If" version="opset8">{branch}</layer>',
        '<layer id="10" name="y" type="ReLU" version="opset1"/>',
    )  # fmt: skip
    text = f'<?xml version="1.0"?>\n<net name="n" version="11"><layers>{"".join(layers)}</layers><edges/></net>'
    (folder / "m.xml").write_text(text if xml is None else xml)
    raw = b"".join(array.tobytes() for array in (KERNEL, SCALE, SIZES, INNER))
    (folder / "m.bin").write_bytes(bytes(4) + raw)
    return folder / "m.xml"


def test_every_constant_comes_back_bit_for_bit_those_of_branches_too(tmp_path: Path) -> None:
    found = openvino_ir.weights(written(tmp_path))
    assert list(found) == ["w", "scale", "sizes", "w#3"]
    for array, expected in zip(found.values(), (KERNEL, SCALE, SIZES, INNER), strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(array, expected)


def test_a_changed_byte_of_the_weights_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path)
    data = bytearray((tmp_path / "m.bin").read_bytes())
    data[4 + 5 * 4] ^= 1
    (tmp_path / "m.bin").write_bytes(data)
    assert (openvino_ir.weights(path)["w"] != KERNEL).tolist() == [[False] * 3, [False, False, True]]


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b'<?xml version="1.0"?>\n<net name="n">', True),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\r\n<net>", True),
        (b'\n<net name="n">', True),
        (b'<?xml version="1.0"?><network>', False),
        (b'<?xml version="1.0"?><html><net ', False),
        (b"<net", False),
    ],
)
def test_it_is_told_by_its_root(head: bytes, is_one: bool) -> None:
    assert openvino_ir.is_ir(head) is is_one


def test_inspect_counts_operators_and_numbers(tmp_path: Path) -> None:
    found = described(identify(written(tmp_path)))
    assert found["operators"] == {"If": 1, "ReLU": 1}
    assert found["parameters"] == 6 + 1 + 2 + 2
    assert found["precision"] == {"float32": 6, "int64": 2, "bool": 2, "float64": 1}


def test_weights_that_are_not_there_or_too_short_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "m.bin").write_bytes(bytes(40))
    with pytest.raises(IsoformError, match=r"m.bin: ends after 40 bytes, 'sizes' needs 52"):
        openvino_ir.weights(path)
    (tmp_path / "m.bin").unlink()
    with pytest.raises(IsoformError, match="keeps weights in m.bin, which is not there"):
        openvino_ir.weights(path)


def test_weights_through_a_link_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "m.bin").rename(tmp_path / "elsewhere")
    (tmp_path / "m.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IsoformError, match="which is a link"):
        openvino_ir.weights(path)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (constant("w", "f32", KERNEL, 4, size=20), "constant 'w' of shape [2, 3] has 20 bytes"),
        (constant("w", "f32", KERNEL, -4), "constant 'w' has no place"),
        (constant("w", "f32", KERNEL, 4).replace('"2, 3"', '"2, -3"'), "constant 'w' has no place"),
        ("<layer>", "mismatched tag"),
    ],
)
def test_a_damaged_network_is_refused(tmp_path: Path, body: str, reason: str) -> None:
    path = written(tmp_path, f"<net><layers>{body}</layers></net>")
    with pytest.raises(IsoformError) as caught:
        openvino_ir.weights(path)
    assert reason in caught.value.what
    assert caught.value.kind == "damaged"


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    text = '<!DOCTYPE net [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><net name="&b;"><layers/></net>'
    with pytest.raises(IsoformError, match="it declares a document type"):
        openvino_ir.root(written(tmp_path, text))
