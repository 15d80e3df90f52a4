"""Networks that hear or speak, of transformers: over waves, spectrograms or codes; two layers of each."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

WAVE, MEL = "input_values:float32[batch,4000]", "input_features:float32[batch,80,200]"
_LAYERS = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
_WAV2VEC2 = _LAYERS | {"conv_dim": (32,) * 7, "vocab_size": 32, "num_conv_pos_embeddings": 16}
_WHISPER = {
    "vocab_size": 500, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_source_positions": 100,
    "num_mel_bins": 80, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 1,
}  # fmt: skip
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "wav2vec2": ("Wav2Vec2ForCTC", _WAV2VEC2, (WAVE,)),
    "hubert": ("HubertModel", _WAV2VEC2, (WAVE,)),
    "wavlm": ("WavLMModel", _WAV2VEC2, (WAVE,)),
    "unispeech_sat": ("UniSpeechSatModel", _WAV2VEC2, (WAVE,)),
    "data2vec_audio": ("Data2VecAudioModel", _WAV2VEC2, (WAVE,)),
    "sew": ("SEWModel", _LAYERS | {"conv_dim": (16,) * 13, "num_conv_pos_embeddings": 16}, (WAVE,)),
    "wav2vec2_conformer": ("Wav2Vec2ConformerModel", _WAV2VEC2, (WAVE,)),
    "wav2vec2_bert": (
        "Wav2Vec2BertModel", _LAYERS | {"feature_projection_input_dim": 40}, ("input_features:float32[batch,time,40]",),
    ),
    "whisper_encoder": ("WhisperModel.encoder", _WHISPER, (MEL,)),
    "whisper": (
        "WhisperForConditionalGeneration", _WHISPER, (MEL, "decoder_input_ids:int64[batch,target]:0..499"),
    ),
    "speech_to_text": (
        "Speech2TextModel",
        {key: value for key, value in _WHISPER.items() if key not in ("num_mel_bins", "max_source_positions")}
        | {"input_feat_per_channel": 40, "conv_channels": 32},
        ("input_features:float32[batch,time,40]", "decoder_input_ids:int64[batch,target]:0..499"),
    ),
    "ast": (
        "ASTForAudioClassification", _LAYERS | {"max_length": 128, "num_mel_bins": 64},
        ("input_values:float32[batch,128,64]",),
    ),
    "moonshine_encoder": (
        "MoonshineModel.encoder",
        {"hidden_size": 64, "intermediate_size": 128, "encoder_num_hidden_layers": 2, "decoder_num_hidden_layers": 2,
         "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4, "vocab_size": 500},
        (WAVE,),
    ),
    "hifigan": (
        "SpeechT5HifiGan", {"upsample_initial_channel": 32, "model_in_dim": 40},
        ("spectrogram:float32[batch,time,40]",),
    ),
    "encodec_encoder": (
        "EncodecModel.encoder", {"num_filters": 8, "hidden_size": 32, "num_lstm_layers": 1},
        ("hidden_states:float32[batch,1,3200]",),
    ),
    "encodec_decoder": (
        "EncodecModel.decoder", {"num_filters": 8, "hidden_size": 32, "num_lstm_layers": 1},
        ("hidden_states:float32[batch,32,10]",),
    ),
    "dac_encoder": (
        "DacModel.encoder", {"encoder_hidden_size": 8, "hidden_size": 64}, ("hidden_state:float32[batch,1,5120]",),
    ),
    "clap_audio": (
        "ClapAudioModel",
        {"spec_size": 256, "patch_embeds_hidden_size": 32, "depths": (1, 1, 1, 1), "num_attention_heads": (2, 2, 2, 2),
         "num_mel_bins": 64, "hidden_size": 256, "window_size": 8},
        ("input_features:float32[batch,1,1024,64]",),
    ),
    "univnet": (
        "UnivNetModel",
        {"model_hidden_channels": 8, "model_in_channels": 8, "num_mel_bins": 20, "kernel_predictor_hidden_channels": 8},
        ("input_features:float32[batch,time,20]", "noise_sequence:float32[batch,time,8]"),
    ),
}  # fmt: skip


def entries() -> Iterator[Entry]:
    """Yield the networks."""
    for name, (model, settings, inputs) in NETWORKS.items():
        yield Entry(name, "speech", "torch", "zoo.transformers_networks:build", {"model": model, **settings}, inputs)
