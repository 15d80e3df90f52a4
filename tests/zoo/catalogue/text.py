"""Text networks of transformers: encoders, decoders, and encoders with decoders; two layers of each."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

IDS, MASK = "input_ids:int64[batch,length]:0..499", "attention_mask:int64[batch,length]:0..1"
SHORT = "input_ids:int64[batch,16]:0..499"
"""For networks whose code loops over the length in Python: an exporter unrolls it."""
TARGET = "decoder_input_ids:int64[batch,target]:0..499"
_BERT = {
    "vocab_size": 500, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
}  # fmt: skip
_LLAMA = _BERT | {"num_key_value_heads": 2, "use_cache": False}
_GPT = {"vocab_size": 500, "n_embd": 64, "n_layer": 2, "n_head": 4, "use_cache": False}
_BART = {
    "vocab_size": 500, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "use_cache": False,
}  # fmt: skip
_T5 = {
    "vocab_size": 500, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "use_cache": False,
}  # fmt: skip
_DISTIL = {"vocab_size": 500, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128}
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertModel", _BERT),
    "distilbert": ("DistilBertForSequenceClassification", _DISTIL),
    "roberta": ("RobertaForSequenceClassification", _BERT),
    "albert": ("AlbertModel", _BERT | {"embedding_size": 32}),
    "electra": ("ElectraForTokenClassification", _BERT | {"embedding_size": 32}),
    "mpnet": ("MPNetModel", _BERT),
    "deberta": ("DebertaModel", _BERT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta_v2": ("DebertaV2Model", _BERT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "mobilebert": ("MobileBertModel", _BERT | {"embedding_size": 32, "intra_bottleneck_size": 32}),
    "squeezebert": ("SqueezeBertModel", _BERT | {"embedding_size": 64}),
    "convbert": ("ConvBertModel", _BERT | {"embedding_size": 32}),
    "roformer": ("RoFormerModel", _BERT | {"embedding_size": 64}),
    "modernbert": ("ModernBertModel", _BERT | {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2}),
    "ernie": ("ErnieModel", _BERT),
    "xlm": ("XLMModel", {"vocab_size": 500, "emb_dim": 64, "n_layers": 2, "n_heads": 4, "n_words": 500}),
    "nystromformer": ("NystromformerModel", _BERT | {"segment_means_seq_len": 16, "num_landmarks": 16}),
    "t5_encoder": ("T5EncoderModel", _T5),
    "xlnet": (
        "XLNetLMHeadModel",
        {"vocab_size": 500, "d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 128, "use_mems_eval": False},
    ),
    "tapas": ("TapasModel", _BERT),
}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", _GPT),
    "gpt_neo": (
        "GPTNeoForCausalLM",
        {
            "vocab_size": 500, "hidden_size": 64, "num_layers": 2, "num_heads": 4, "use_cache": False,
            "attention_types": [[["global", "local"], 1]],
        },
    ),
    "gpt_neox": ("GPTNeoXForCausalLM", _BERT | {"use_cache": False}),
    "codegen": ("CodeGenForCausalLM", _GPT | {"rotary_dim": 8}),
    "bloom": (
        "BloomForCausalLM", {"vocab_size": 500, "hidden_size": 64, "n_layer": 2, "n_head": 4, "use_cache": False},
    ),
    "opt": (
        "OPTForCausalLM",
        {
            "vocab_size": 500, "hidden_size": 64, "word_embed_proj_dim": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "ffn_dim": 128, "use_cache": False,
        },
    ),
    "falcon": ("FalconForCausalLM", _BERT | {"use_cache": False}),
    "llama": ("LlamaForCausalLM", _LLAMA),
    "mistral": ("MistralForCausalLM", _LLAMA | {"sliding_window": 8}),
    "qwen2": ("Qwen2ForCausalLM", _LLAMA),
    "qwen3": ("Qwen3ForCausalLM", _LLAMA | {"head_dim": 16}),
    "gemma2": ("Gemma2ForCausalLM", _LLAMA | {"head_dim": 16, "query_pre_attn_scalar": 16}),
    "phi": ("PhiForCausalLM", _BERT | {"use_cache": False}),
    "stablelm": ("StableLmForCausalLM", _LLAMA),
    "olmo2": ("Olmo2ForCausalLM", _LLAMA),
    "xglm": ("XGLMForCausalLM", {"vocab_size": 500, "d_model": 64, "ffn_dim": 128, "num_layers": 2,
                                 "attention_heads": 4, "use_cache": False}),
    "smollm3": ("SmolLM3ForCausalLM", _LLAMA | {"pad_token_id": 0}),
    "mixtral": ("MixtralForCausalLM", _LLAMA | {"num_local_experts": 4, "sliding_window": 8}),
    "gpt_oss": ("GptOssForCausalLM", _LLAMA | {"head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
                                               "sliding_window": 8, "pad_token_id": 0, "eos_token_id": 2}),
    "deepseek_v3": ("DeepseekV3ForCausalLM", _LLAMA | {
        "num_key_value_heads": 4, "q_lora_rank": 32, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
        "v_head_dim": 16, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
        "moe_intermediate_size": 32, "first_k_dense_replace": 1, "n_shared_experts": 1}),
}  # fmt: skip
SCANNED: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": ("MambaForCausalLM", {"vocab_size": 500, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 8,
                                   "use_cache": False}),
    "mamba2": ("Mamba2ForCausalLM", {"vocab_size": 500, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 8,
                                     "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8,
                                     "use_cache": False}),
    "rwkv": ("RwkvModel", {"vocab_size": 500, "hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2,
                           "use_cache": False}),
}  # fmt: skip
PAIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5ForConditionalGeneration", _T5),
    "bart": ("BartModel", _BART),
    "mbart": ("MBartModel", _BART),
    "pegasus": ("PegasusModel", _BART),
    "marian": ("MarianModel", _BART | {"pad_token_id": 499}),
    "blenderbot_small": ("BlenderbotSmallModel", _BART),
    "m2m_100": ("M2M100Model", _BART),
}


def entries() -> Iterator[Entry]:
    """Yield the networks, the families in turn."""
    groups = (
        ("text", ENCODERS, (IDS, MASK)), ("text", DECODERS, (IDS, MASK)), ("recurrent", SCANNED, (SHORT,)),
        ("encoder-decoder", PAIRS, (IDS, TARGET)),
    )  # fmt: skip
    for family, networks, inputs in groups:
        for name, (model, settings) in networks.items():
            yield Entry(name, family, "torch", "zoo.transformers_networks:build", {"model": model, **settings}, inputs)
    for name, (model, settings) in {"fnet": ("FNetModel", _BERT)}.items():
        yield Entry(name, "mixer", "torch", "zoo.transformers_networks:build", {"model": model, **settings}, (IDS,))
