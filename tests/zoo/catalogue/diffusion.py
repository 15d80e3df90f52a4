"""The networks of diffusers' pipelines: what removes the noise, and what decodes the latents."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

_STEP = "timestep:int64[batch]:0..999"
_IMAGE = {"sample_size": 16, "layers_per_block": 1, "norm_num_groups": 8}
_TEXT = {"cross_attention_dim": 32, "attention_head_dim": 8}
_CODER = {
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"), "block_out_channels": (16, 32),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"), "latent_channels": 4, "norm_num_groups": 8,
}  # fmt: skip
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "unet2d": (
        "UNet2DModel",
        _IMAGE | {"block_out_channels": (16, 32), "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
                  "up_block_types": ("AttnUpBlock2D", "UpBlock2D"), "attention_head_dim": 8},
        ("sample:float32[batch,3,16,16]", _STEP),
    ),
    "unet2d_condition": (
        "UNet2DConditionModel",
        _IMAGE | _TEXT | {"block_out_channels": (16, 32), "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                          "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")},
        ("sample:float32[batch,4,16,16]", _STEP, "encoder_hidden_states:float32[batch,length,32]"),
    ),
    "vae_decoder": ("AutoencoderKL", _CODER | {"part": "decoder"}, ("sample:float32[batch,4,8,8]",)),
    "vae_encoder": ("AutoencoderKL", _CODER | {"part": "encoder"}, ("sample:float32[batch,3,32,32]",)),
    "vae_tiny_decoder": (
        "AutoencoderTiny",
        {"part": "decoder", "encoder_block_out_channels": (16,) * 4, "decoder_block_out_channels": (16,) * 4},
        ("x:float32[batch,4,8,8]",),
    ),
    "dit": (
        "DiTTransformer2DModel",
        {"num_attention_heads": 4, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8, "in_channels": 4,
         "out_channels": 8, "norm_num_groups": 8},
        ("hidden_states:float32[batch,4,8,8]", _STEP, "class_labels:int64[batch]:0..999"),
    ),
    "pixart": (
        "PixArtTransformer2DModel",
        {"num_attention_heads": 4, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8, "out_channels": 8,
         "cross_attention_dim": 32, "caption_channels": 16, "use_additional_conditions": False},
        ("hidden_states:float32[batch,4,8,8]", "encoder_hidden_states:float32[batch,length,16]", _STEP),
    ),
    "sd3": (
        "SD3Transformer2DModel",
        {"sample_size": 8, "num_layers": 2, "attention_head_dim": 8, "num_attention_heads": 4, "in_channels": 4,
         "out_channels": 4, "joint_attention_dim": 32, "caption_projection_dim": 32, "pooled_projection_dim": 16,
         "pos_embed_max_size": 8},
        ("hidden_states:float32[batch,4,8,8]", "encoder_hidden_states:float32[batch,length,32]",
         "pooled_projections:float32[batch,16]", _STEP),
    ),
    "controlnet": (
        "ControlNetModel",
        _TEXT | {"layers_per_block": 1, "norm_num_groups": 8, "block_out_channels": (16, 32),
                 "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                 "conditioning_embedding_out_channels": (8, 16)},
        ("sample:float32[batch,4,16,16]", _STEP, "encoder_hidden_states:float32[batch,length,32]",
         "controlnet_cond:float32[batch,3,32,32]"),
    ),
    "wan": (
        "WanTransformer3DModel",
        {"patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4,
         "out_channels": 4, "text_dim": 16, "freq_dim": 16, "ffn_dim": 32, "num_layers": 1, "rope_max_seq_len": 32},
        ("hidden_states:float32[batch,4,2,8,8]", _STEP, "encoder_hidden_states:float32[batch,length,16]"),
    ),
    "sana": (
        "SanaTransformer2DModel",
        {"in_channels": 4, "out_channels": 4, "num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 8,
         "num_cross_attention_heads": 2, "cross_attention_head_dim": 8, "cross_attention_dim": 16,
         "caption_channels": 16, "sample_size": 8},
        ("hidden_states:float32[batch,4,8,8]", "encoder_hidden_states:float32[batch,length,16]", _STEP),
    ),
}  # fmt: skip


def entries() -> Iterator[Entry]:
    """Yield the networks."""
    for name, (model, settings, inputs) in NETWORKS.items():
        yield Entry(name, "diffusion", "torch", "zoo.diffusers_networks:build", {"model": model, **settings}, inputs)
