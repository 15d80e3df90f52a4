"""What a mistyped command line is answered: the whole text, and exit code 2."""

from pathlib import Path

import pytest

from isoform import cli

COMMANDS = ", ".join(cli.COMMANDS)
FORMATS = "executorch, keras, onnx, openvino, ort, pt2, savedmodel, tflite, torch, torchscript"
RUNTIMES = (
    "executorch, keras, litert, onnx-reference, openvino, ort-cpu, ort-cuda, tf, torch-eager, torch-export, torch-jit, "
    "torch-jit-cuda"
)


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("convrt", "There is no command 'convrt'.", f"Did you mean 'convert'? One of: {COMMANDS}."),
        ("frobnicate", "There is no command 'frobnicate'.", f"One of: {COMMANDS}."),
        (
            "convert x.onnx --two onnx",
            "isoform convert has no option '--two'.",
            "Did you mean '--to'? See: isoform convert --help",
        ),
        ("convert --xyz", "isoform convert has no option '--xyz'.", "See: isoform convert --help"),
        ("routes keras", "Missing argument 'TARGET'.", "See: isoform routes --help"),
        ("routes kera onnx", "There is no format 'kera'.", f"Did you mean 'keras'? One of: {FORMATS}."),
        ("routes keras coreml", "There is no format 'coreml'.", f"One of: {FORMATS}."),
        ("routes keras onnx --via torchscrip", "There is no format 'torchscrip'.",
         f"Did you mean 'torchscript'? One of: {FORMATS}."),
        ("bench . --rounds x", "Invalid value for '--rounds': 'x' is not a valid integer range.",
         "See: isoform bench --help"),
        ("bench . --runtime ortcpu", "There is no runtime 'ortcpu'.", f"Did you mean 'ort-cpu'? One of: {RUNTIMES}."),
        ("export . --framework pytorch", "--framework: there is no 'pytorch'.",
         "Did you mean 'torch'? One of: torch, keras."),
        ("convert nothing.pt --to onxx", "There is no format 'onxx'.", f"Did you mean 'onnx'? One of: {FORMATS}."),
        ("convert x --io-layout nwhc", "--io-layout: there is no 'nwhc'.",
         "Did you mean 'nhwc'? One of: keep, nhwc, nchw."),
        ("export .", ".: no isoform.toml in this folder.", "See models/mlp for an example."),
        ("export zoo", "zoo: no such folder.", "Check the path."),
        ("verify model.onx", "model.onx: no such file or folder.", "Did you mean model.onnx?"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_near_match(answer, line: str, what: str, hint: str) -> None:
    Path("model.onnx").touch()
    assert answer(*line.split()) == ("", f"Error: {what}\nhint: {hint}\n", 2)


def test_a_mistyped_converter_is_not_silently_avoided_by_nobody(answer) -> None:
    _, text, code = answer("routes", "keras", "tflite", "--avoid", "onnx_to_tflit")
    assert code == 2
    assert text.startswith(
        "Error: There is no converter 'onnx_to_tflit'.\nhint: Did you mean 'onnx_to_tflite'? One of:"
    )


def test_a_mistyped_key_of_a_manifest_is_answered_with_the_near_one(answer) -> None:
    Path("isoform.toml").write_text("[model]\nnam = 'mlp'\n")
    assert answer("export", ".") == (
        "",
        "Error: isoform.toml: [model] has the unknown key 'nam'.\n"
        "hint: Did you mean 'name'? Known: description, name.\n",
        2,
    )


def test_no_command_shows_the_help(answer) -> None:
    _, text, code = answer()
    assert code == 2
    assert text.startswith("Usage: isoform [OPTIONS] COMMAND [ARGS]...")
