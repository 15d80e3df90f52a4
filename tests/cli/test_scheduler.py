"""What ``--scheduler`` refuses before anything is started."""

from pathlib import Path

import pytest


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    (tmp_path / "jobs.toml").write_text("[[jobs]]\nsource = 'a.onnx'\nto = 'ort'\n")
    return "jobs.toml"


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (("head:8786",), "--scheduler 'head:8786' is no address.", "Write tcp://HOST:PORT, tls://HOST:PORT or local."),
        (
            ("tcp://head:8786", "--workers", "3"), "--workers does not go with a scheduler of your own.",
            "Its workers are those that were started for it.",
        ),
        (
            ("tls://head:8786",), "Dask's configuration names no certificates for tls://head:8786.",
            "Set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY: see docs/cluster.md.",
        ),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be(answer, jobs: str, words: tuple[str, ...], what: str, hint: str) -> None:
    pytest.importorskip("distributed", reason="not installed: pip install 'isoform[cluster]'")
    told = answer("convert", "--batch", jobs, "--scheduler", *words)
    assert (told.err, told.code) == (f"Error: {what}\nhint: {hint}\n", 2)


def test_one_conversion_is_no_batch(answer) -> None:
    told = answer("convert", "a.onnx", "--to", "ort", "--scheduler", "local")
    assert (told.err.splitlines()[0], told.code) == ("Error: --scheduler goes with --batch.", 2)


def test_without_distributed_it_says_what_to_install(answer, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    told = answer("convert", "--batch", jobs, "--scheduler", "local")
    assert told.code == 3
    assert told.err == (
        "Error: --scheduler needs the package 'distributed', which is not installed.\n"
        "hint: pip install 'isoform[cluster]'\n"
    )
