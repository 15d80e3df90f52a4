"""Recurrent networks of PyTorch's cells, and transformers' networks over series of numbers."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

_IDS, _SERIES = "ids:int64[batch,length]:0..499", "series:float32[batch,length,16]"
RECURRENT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "lstm_tagger": ({"kind": "tagger", "cell": "LSTM"}, (_IDS,)),
    "gru_tagger": ({"kind": "tagger", "cell": "GRU"}, (_IDS,)),
    "rnn_tagger": ({"kind": "tagger", "cell": "RNN", "bidirectional": False}, (_IDS,)),
    "lstm_forecaster": ({"kind": "forecaster", "cell": "LSTM"}, (_SERIES,)),
    "gru_forecaster": ({"kind": "forecaster", "cell": "GRU"}, (_SERIES,)),
    "lstm_resumed": (
        {"kind": "resumed"}, (_SERIES, "hidden:float32[1,batch,24]", "cell:float32[1,batch,24]"),
    ),
    "deepspeech2": ({"kind": "deepspeech2"}, ("spectrogram:float32[batch,40,time]",)),
    "crnn": ({"kind": "crnn"}, ("image:float32[batch,1,32,width]",)),
    "gru_translator": ({"kind": "translator"}, (_IDS, "target:int64[batch,target_length]:0..499")),
}  # fmt: skip
_PATCH = {"context_length": 64, "prediction_length": 8, "num_input_channels": 4, "patch_length": 8, "patch_stride": 8}
SERIES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "patchtst": (
        "PatchTSTForPrediction",
        _PATCH | {"d_model": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64, "loss": "mse"},
        ("past_values:float32[batch,64,4]",),
    ),
    "patchtsmixer": (
        "PatchTSMixerForPrediction", _PATCH | {"d_model": 16, "num_layers": 2}, ("past_values:float32[batch,64,4]",),
    ),
    "decision_transformer": (
        "DecisionTransformerModel",
        {"state_dim": 8, "act_dim": 4, "hidden_size": 32, "n_layer": 2, "n_head": 2, "max_ep_len": 64,
         "use_cache": False},
        (
            "states:float32[batch,length,8]", "actions:float32[batch,length,4]", "rewards:float32[batch,length,1]",
            "returns_to_go:float32[batch,length,1]", "timesteps:int64[batch,length]:0..63",
            "attention_mask:int64[batch,length]:0..1",
        ),
    ),
}  # fmt: skip


def entries() -> Iterator[Entry]:
    """Yield the recurrent networks, then those over series."""
    for name, (options, inputs) in RECURRENT.items():
        sizes = {"width": 64, "target_length": 32}
        yield Entry(name, "recurrent", "torch", "zoo.recurrent_networks:build", options, inputs, sizes)
    for name, (model, settings, inputs) in SERIES.items():
        options = {"model": model, **settings}
        yield Entry(name, "time series", "torch", "zoo.transformers_networks:build", options, inputs)
