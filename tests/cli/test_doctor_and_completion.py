"""Doctor's exit codes, and what a shell is given to complete."""

import json

import pytest

from isoform.stages import doctor
from isoform.stages.doctor import Finding

WORKS = Finding("torch", "package", "works", "2.13.0 (at least 2.10)")
MISSING = Finding("tf", "runtime", "missing", "not installed", "pip install 'isoform[tensorflow]'")
OLD = Finding("onnx", "package", "too old", "1.21.0: old", "pip install 'onnx>=1.22'")


@pytest.mark.parametrize(("findings", "code"), [([WORKS], 0), ([WORKS, MISSING], 0), ([MISSING, OLD, WORKS], 3)])
def test_only_what_is_too_old_is_a_failure(answer, monkeypatch: pytest.MonkeyPatch, findings, code: int) -> None:
    monkeypatch.setattr(doctor, "examine", lambda pool: findings)
    assert answer("doctor").code == code
    out, err, ended = answer("doctor", "--json")
    assert (json.loads(out), err, ended) == ([row.to_json() for row in findings], "", code)


def test_a_remedy_stands_under_what_it_mends(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda pool: [WORKS, MISSING])
    assert answer("doctor").out == (
        "works    package    torch                  2.13.0 (at least 2.10)\n"
        "missing  runtime    tf                     not installed\n"
        "         pip install 'isoform[tensorflow]'\n"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_isoform(answer, shell: str) -> None:
    out, _, code = answer("completion", shell)
    assert code == 0
    assert f"_ISOFORM_COMPLETE={shell}_complete" in out


def test_another_shell_gets_the_near_one(answer) -> None:
    assert answer("completion", "bsh") == (
        "",
        "Error: shell: there is no 'bsh'.\nhint: Did you mean 'bash'? One of: bash, zsh, fish.\n",
        2,
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("conv", ["convert"]),
        ("convert m --to onnx,tf", ["onnx,tflite"]),
        ("convert m --via to", ["torch", "torchscript"]),
        ("convert m --avoid keras_to", ["keras_to_onnx", "keras_to_savedmodel"]),
        ("convert m --io-layout n", ["nhwc", "nchw"]),
        ("verify --runtime ort", ["ort-cpu", "ort-cuda"]),
        ("bench --runtime li", ["litert"]),
        ("routes ke", ["keras"]),
        ("routes keras tf", ["tflite"]),
        ("inspect --operators s", ["savedmodel"]),
        ("export --framework to", ["torch"]),
        ("convert --allow-p", ["--allow-pickle"]),
    ],
)
def test_words_are_completed(answer, monkeypatch: pytest.MonkeyPatch, line: str, words: list[str]) -> None:
    monkeypatch.setenv("_ISOFORM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"isoform {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    out, _, code = answer()
    assert code == 0
    assert out.splitlines() == [f"plain,{word}" for word in words]
