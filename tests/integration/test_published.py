"""Folders with a config.json and weights, from tiny random networks of the libraries that publish so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import isoform
from isoform.core.cases import load as load_cases
from isoform.core.signature import TensorSpec
from isoform.errors import IsoformError, MissingDependency, UsageError
from isoform.hub import published, torchvision_operators
from isoform.intake.source import FileRequest, Source, from_file
from isoform.isolation import Limits, Pool

torchvision_operators.make_importable()
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

TEXT = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 64,
}  # fmt: skip
VISION = {k: v for k, v in TEXT.items() if k.startswith(("h", "n", "i"))} | {"image_size": 16, "patch_size": 8}
BART = {
    "vocab_size": 50, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64,
}  # fmt: skip
WHISPER = {**BART, "num_mel_bins": 8, "max_source_positions": 20, "max_target_positions": 32, "pad_token_id": 0}
WAVE = {
    "conv_dim": [8, 8], "conv_stride": [5, 2], "conv_kernel": [10, 3], "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("logs"), Limits(timeout_s=240)) as pool:
        yield pool


def saved(folder: Path, name: str, shard_size: str = "5GB", **settings: Any) -> Path:
    """Save ``transformers.<name>`` with random weights as its library does."""
    torch.manual_seed(0)
    kind = getattr(transformers, name)
    kind(kind.config_class(**settings)).save_pretrained(folder, max_shard_size=shard_size)
    return folder


def opened(folder: Path, pool: Pool, *inputs: str, **arguments: Any) -> Source:
    declared = [TensorSpec.parse(text) for text in inputs]
    request = FileRequest(folder, inputs=declared, arch_arguments=arguments)
    return from_file(request, pool, folder.parent / "work")


def test_a_sharded_folder_becomes_formats_without_a_word_about_its_network(tmp_path: Path) -> None:
    folder = saved(tmp_path / "classifier", "BertForSequenceClassification", "10KB", **TEXT, num_labels=3)
    assert (folder / "model.safetensors.index.json").is_file()
    results = isoform.convert(folder, ["onnx"], out=tmp_path / "out")
    assert [(result.status, result.verdict) for result in results] == [("passed", "PASS")]
    record = json.loads((tmp_path / "out" / "classifier" / "onnx" / "artifact.json").read_text())
    assert [(spec["name"], spec["shape"]) for spec in record["signature"]["inputs"]] == [
        ("input_ids", ["batch", "length"]), ("attention_mask", ["batch", "length"]),
    ]  # fmt: skip
    assert [(spec["name"], spec["shape"]) for spec in record["signature"]["outputs"]] == [("logits", ["batch", 3])]
    cases = load_cases(tmp_path / "out" / "classifier" / "onnx" / "cases.npz")
    ids = np.concatenate([case["input_ids"].ravel() for case in cases.inputs])
    assert (ids.min(), ids.max()) == (0, 49)


@pytest.mark.parametrize(
    ("name", "settings", "inputs"),
    [
        ("ViTForImageClassification", VISION, ["pixel_values:float32[batch,3,16,16]"]),
        ("T5Model", {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
         ["input_ids:int64[batch,length]", "attention_mask:int64[batch,length]",
          "decoder_input_ids:int64[batch,target]"]),
        ("WhisperModel", WHISPER, ["input_features:float32[batch,8,40]", "decoder_input_ids:int64[batch,target]"]),
        ("Wav2Vec2ForCTC", {**TEXT, **WAVE}, ["input_values:float32[batch,samples]"]),
        ("CLIPModel", {"text_config": TEXT, "vision_config": VISION},
         ["input_ids:int64[batch,length]", "pixel_values:float32[batch,3,16,16]",
          "attention_mask:int64[batch,length]"]),
        ("VideoMAEModel", {**VISION, "num_frames": 2}, ["pixel_values:float32[batch,2,3,16,16]"]),
        ("LlamaForCausalLM", TEXT, ["input_ids:int64[batch,length]", "attention_mask:int64[batch,length]"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_inputs_follow_from_the_architecture(
    tmp_path: Path, name: str, settings: dict[str, Any], inputs: list[str]
) -> None:
    kind = getattr(transformers, name)
    folder = tmp_path / "folder"
    kind.config_class(**settings, architectures=[name]).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    arguments = {"library": "transformers", "config": config, "preprocessor": {}}
    found = published.inputs(arguments, published.build(**arguments), ())
    assert [str(spec) for spec in found] == inputs
    assert {spec.high for spec in found if spec.name.endswith("input_ids")} <= {50}


def test_outputs_have_the_librarys_names_and_a_decoder_keeps_no_cache(tmp_path: Path, pool: Pool) -> None:
    found = opened(saved(tmp_path / "m", "LlamaForCausalLM", **TEXT), pool)
    assert [str(spec) for spec in found.artifact.signature.outputs] == ["logits:float32[batch,length,50]"]


def test_optional_inputs_are_added_and_derived_ones_replaced(tmp_path: Path, pool: Pool) -> None:
    folder = saved(tmp_path / "m", "BertModel", **TEXT)
    found = opened(folder, pool, "token_type_ids:int64[batch,length]:0..1", "input_ids:int64[batch,length]:0..9")
    assert [(spec.name, spec.high) for spec in found.artifact.signature.inputs] == [
        ("input_ids", 10), ("attention_mask", 2), ("token_type_ids", 2),
    ]  # fmt: skip


def test_an_input_that_the_network_does_not_have_is_refused_with_those_it_has(tmp_path: Path, pool: Pool) -> None:
    with pytest.raises(UsageError, match="'pixels': BertModel has no such input") as caught:
        opened(saved(tmp_path / "m", "BertModel", **TEXT), pool, "pixels:float32[batch,3]")
    assert "It takes input_ids, attention_mask; optional: token_type_ids" in caught.value.hint


def test_an_input_that_does_not_follow_is_asked_for(tmp_path: Path, pool: Pool) -> None:
    settings = {"num_latents": 4, "d_latents": 8, "d_model": 8, "num_self_attends_per_block": 1, "num_blocks": 1}
    heads = {"num_self_attention_heads": 2, "num_cross_attention_heads": 2}
    folder = saved(tmp_path / "m", "PerceiverModel", **settings, **heads)
    with pytest.raises(UsageError, match="PerceiverModel: its configuration does not say what the input 'inputs' is"):
        opened(folder, pool)
    found = opened(folder, pool, "inputs:float32[batch,length,8]")
    assert [spec.name for spec in found.artifact.signature.inputs] == ["inputs"]


def test_a_setting_of_the_configuration_is_changed_by_arch_arg(tmp_path: Path, pool: Pool) -> None:
    found = opened(saved(tmp_path / "m", "BertModel", **TEXT), pool, output_hidden_states=True)
    names = [spec.name for spec in found.artifact.signature.outputs]
    assert names == ["last_hidden_state", "pooler_output", "hidden_states_0", "hidden_states_1"]


def test_names_of_older_versions_are_read_as_the_library_reads_them(tmp_path: Path, pool: Pool) -> None:
    folder = saved(tmp_path / "m", "BertModel", **TEXT)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in weights.items()}
    torch.save(old, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = opened(folder, pool)
    assert any(note.startswith("renamed 3 weights as transformers does") for note in found.notes)
    kept = safetensors.torch.load_file(found.artifact.model)
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights.items())


def test_missing_weights_are_named(tmp_path: Path, pool: Pool) -> None:
    folder = saved(tmp_path / "m", "BertModel", **TEXT)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.bias"]
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(IsoformError, match=r"1 missing: encoder\.layer\.0\.output\.dense\.bias"):
        opened(folder, pool)


def test_code_in_the_folder_is_never_run(tmp_path: Path, pool: Pool) -> None:
    folder = saved(tmp_path / "m", "BertModel", **TEXT)
    for name in ("modeling_own", "torch", "tokenizers", "regex"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    mapped = {"auto_map": {"AutoModel": "modeling_own.Own"}}
    (folder / "config.json").write_text(json.dumps(config | mapped))
    assert opened(folder, pool).artifact.signature.inputs  # transformers has a network of this type itself
    (folder / "config.json").write_text(json.dumps(config | mapped | {"model_type": "own"}))
    with pytest.raises(IsoformError, match="no network of the type 'own', whose code lies in the folder: it is"):
        opened(folder, pool)
    assert not (tmp_path / "ran").exists()


def test_quantised_weights_are_refused(tmp_path: Path, pool: Pool) -> None:
    folder = saved(tmp_path / "m", "BertModel", **TEXT)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(IsoformError, match="quantised in a way of their own"):
        opened(folder, pool)


def test_a_library_that_is_not_installed_is_named_with_its_command() -> None:
    with pytest.raises(MissingDependency) as caught:
        published.build("transformerz", {"model_type": "bert"}, {})
    assert caught.value.what == "The configuration names a network of transformerz, which is not installed."
    assert (caught.value.hint, caught.value.exit_code) == ("pip install transformerz", 3)


def test_a_folder_of_timm_has_the_image_that_its_weights_want(tmp_path: Path, pool: Pool) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("test_resnet", num_classes=4, in_chans=1)
    safetensors.torch.save_model(network, tmp_path / "model.safetensors")
    config = {
        "architecture": "test_resnet", "num_classes": 4, "model_args": {"in_chans": 1},
        "pretrained_cfg": {"input_size": [1, 32, 48]},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = opened(tmp_path, pool).artifact.signature
    assert [str(spec) for spec in (*found.inputs, *found.outputs)] == [
        "image:float32[batch,1,32,48]", "output:float32[batch,4]",
    ]  # fmt: skip


def test_a_folder_of_diffusers_has_what_its_network_cannot_do_without(tmp_path: Path, pool: Pool) -> None:
    diffusers = pytest.importorskip("diffusers")
    network = diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 8), norm_num_groups=2,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    network.save_pretrained(tmp_path / "unet")
    found = opened(tmp_path / "unet", pool).artifact.signature
    assert [str(spec) for spec in found.inputs] == ["sample:float32[batch,1,8,8]", "timestep:int64[batch]"]
    assert [str(spec) for spec in found.outputs] == ["output_sample:float32[batch,1,8,8]"]
