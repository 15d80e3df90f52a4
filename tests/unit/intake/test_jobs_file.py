"""A file of conversions: defaults and jobs, paths from where it lies, and every mistake told with its place."""

import shlex
from pathlib import Path

import pytest

from isoform.errors import IsoformError, UsageError
from isoform.intake import jobs_file

WHOLE = """
[defaults]
to = ["onnx", "tflite"]
allow_nonfinite = true

[[jobs]]
source = "a.onnx"

[[jobs]]
source = "w.pt"
name = "net"
to = "onnx"
arch = "code/net.py:build"
arch_args = { size = 3 }
inputs = ["image:float32[n,3,8,8]:NCHW"]
precision = ["fp32", "fp16"]
allow_nonfinite = false
verify = false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "jobs.toml"
    path.write_text(text)
    return path


def test_a_job_has_its_own_options_and_else_the_defaults(tmp_path: Path) -> None:
    one, two = jobs_file.read(written(tmp_path, WHOLE))
    assert (one.place, one.source, one.formats, one.precisions) == (
        1,
        tmp_path / "a.onnx",
        ("onnx", "tflite"),
        ("fp32",),
    )
    assert one.options["allow_nonfinite"] is True
    assert (two.formats, two.precisions, two.options["allow_nonfinite"]) == (("onnx",), ("fp32", "fp16"), False)
    assert two.options["arch"] == f"{tmp_path}/code/net.py:build"
    assert str(two.options["inputs"][0]) == "image:float32[n,3,8,8]"


def test_the_command_of_one_job_alone(tmp_path: Path) -> None:
    one, two = jobs_file.read(written(tmp_path, WHOLE))
    assert one.command == f"isoform convert {tmp_path}/a.onnx --allow-nonfinite"
    words = shlex.split(two.command)
    assert words[:3] == ["isoform", "convert", f"{tmp_path}/w.pt"]
    assert words[words.index("--arch-arg") + 1] == "size=3"
    assert words[words.index("--input") + 1] == "image:float32[n,3,8,8]:NCHW"
    assert words[-1] == "--no-verify"


def test_an_architecture_that_is_a_module_stays_one(tmp_path: Path) -> None:
    text = '[[jobs]]\nsource = "w.pt"\nto = "onnx"\narch = "package.net:build"\n'
    (one,) = jobs_file.read(written(tmp_path, text))
    assert one.options["arch"] == "package.net:build"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there are no [[jobs]]"),
        ("[job]\nsource = 'a'", "there is no section 'job'"),
        ("[[jobs]]\nto = 'onnx'", "job 1 has no 'source'"),
        ("[[jobs]]\nsource = 'a'", "job 1 has no 'to'"),
        ("[[jobs]]\nsource = 'a'\nto = 'onnx'\n[[jobs]]\nsourse = 'a'", "job 2 has the unknown key 'sourse'"),
        ("[defaults]\nverify = 1\n[[jobs]]\nsource = 'a'", "[defaults]: verify is 1"),
        ("[[jobs]]\nsource = 'a'\nto = []", "job 1: to is []"),
        ("[[jobs]]\nsource = 'a'\nto = 'onnx'\ninputs = ['x']", "job 1: 'x' does not describe an input"),
        ("[[jobs]]\nsource = 'a'\nto = 'onnx'\nio_layout = 'nhcw'", "job 1: io_layout is 'nhcw'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        jobs_file.read(written(tmp_path, text))
    assert told in error.value.what


def test_what_is_no_toml_and_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IsoformError, match="not valid TOML"):
        jobs_file.read(written(tmp_path, "[[jobs]\n"))
    with pytest.raises(UsageError, match="no such file"):
        jobs_file.read(tmp_path / "none.toml")
