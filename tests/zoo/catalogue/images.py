"""timm's classifiers, by family: name, image size and options; small variants, and fewer blocks where they are deep."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

CONVOLUTIONAL: dict[str, tuple[int, dict[str, Any]]] = {
    "resnet18": (64, {}), "resnet26d": (64, {}), "seresnet18": (64, {}), "resnext50_32x4d": (64, {}),
    "res2net50_26w_4s": (64, {}), "skresnet18": (64, {}), "resnest14d": (64, {}), "resnetv2_50": (64, {}),
    "vgg11_bn": (64, {}), "densenet121": (64, {}), "inception_v3": (128, {}), "inception_next_atto": (64, {}),
    "mobilenetv2_050": (64, {}), "mobilenetv3_small_050": (64, {}), "mobilenetv4_conv_small": (64, {}),
    "efficientnet_b0": (64, {}), "tf_efficientnetv2_b0": (64, {}), "tf_efficientnet_lite0": (64, {}),
    "mnasnet_small": (64, {}), "mixnet_s": (64, {}), "rexnetr_100": (64, {}), "lcnet_050": (64, {}),
    "ghostnet_100": (64, {}), "ghostnetv2_100": (64, {}), "repghostnet_050": (64, {}), "regnety_002": (64, {}),
    "nf_regnet_b0": (64, {}), "nfnet_l0": (64, {"depths": (1, 1, 2, 1)}), "convnext_atto": (64, {}),
    "convnextv2_atto": (64, {}), "convmixer_768_32": (64, {}), "repvgg_a0": (64, {}),
    "mobileone_s0": (64, {}), "fastvit_t8": (64, {}), "hrnet_w18_small": (64, {}), "dla46_c": (64, {}),
    "cspdarknet53": (64, {}), "selecsls42b": (64, {}), "ese_vovnet19b_dw": (64, {}), "hgnetv2_b0": (64, {}),
    "gernet_s": (64, {}), "starnet_s1": (64, {}), "fasternet_t0": (64, {}), "mambaout_femto": (64, {}),
    "focalnet_tiny_srf": (64, {}), "rdnet_tiny": (64, {}), "legacy_xception": (96, {}),
    "poolformer_s12": (64, {}), "poolformerv2_s12": (64, {}), "gcresnext26ts": (64, {}), "swiftformer_xs": (64, {}),
}  # fmt: skip
ATTENTION: dict[str, tuple[int, dict[str, Any]]] = {
    "vit_tiny_patch16_224": (224, {"depth": 4}), "deit_tiny_distilled_patch16_224": (224, {"depth": 4}),
    "vit_relpos_small_patch16_224": (224, {"depth": 2}), "beit_base_patch16_224": (224, {"depth": 2}),
    "eva02_tiny_patch14_224": (224, {"depth": 3}), "cait_xxs24_224": (224, {"depth": 4}),
    "swin_tiny_patch4_window7_224": (224, {"depths": (1, 1, 2, 1)}),
    "swinv2_tiny_window8_256": (256, {"depths": (1, 1, 2, 1)}), "twins_svt_small": (224, {"depths": (1, 1, 2, 1)}),
    "twins_pcpvt_small": (64, {"depths": (1, 1, 2, 1)}), "pvt_v2_b0": (64, {}), "xcit_nano_12_p16_224": (224, {}),
    "crossvit_tiny_240": (240, {}), "tnt_s_legacy_patch16_224": (224, {"depth": 2}), "pit_ti_224": (224, {}),
    "volo_d1_224": (224, {}), "hiera_tiny_224": (224, {"stages": (1, 1, 2, 1)}),
    "davit_tiny": (64, {"depths": (1, 1, 2, 1)}), "nest_tiny": (224, {}),
    "gcvit_xxtiny": (224, {}), "mvitv2_tiny": (224, {}),
    "convit_tiny": (224, {"depth": 4}), "efficientvit_m0": (224, {}), "csatv2": (512, {}),
}  # fmt: skip
HYBRID: dict[str, tuple[int, dict[str, Any]]] = {
    "mobilevit_xxs": (64, {}), "mobilevitv2_050": (64, {}), "edgenext_xx_small": (64, {}), "levit_128s": (224, {}),
    "efficientformer_l1": (224, {}), "efficientformerv2_s0": (224, {}), "coat_lite_tiny": (224, {}),
    "coatnet_nano_rw_224": (224, {}), "maxvit_rmlp_pico_rw_256": (256, {}), "visformer_tiny": (224, {}),
    "botnet26t_256": (256, {}), "lambda_resnet26t": (256, {}), "halonet26t": (256, {}), "tiny_vit_5m_224": (224, {}),
    "repvit_m0_9": (64, {}), "efficientvit_b0": (64, {}), "caformer_s18": (64, {}),
    "nextvit_small": (64, {"depths": (1, 2, 5, 1)}), "shvit_s1": (224, {}), "mobilenetv4_hybrid_medium": (64, {}),
    "fastvit_sa12": (256, {"layers": (1, 1, 2, 1)}),
}  # fmt: skip
MIXER: dict[str, tuple[int, dict[str, Any]]] = {
    "mixer_s32_224": (224, {}), "resmlp_12_224": (224, {}), "gmlp_ti16_224": (224, {}),
    "gmixer_12_224": (224, {}),
}  # fmt: skip
RECURRENT: dict[str, tuple[int, dict[str, Any]]] = {"sequencer2d_s": (224, {"layers": (1, 1, 2, 1)})}
_FAMILIES = {
    "convolutional": CONVOLUTIONAL, "attention": ATTENTION, "hybrid": HYBRID, "mixer": MIXER, "recurrent": RECURRENT,
}  # fmt: skip


def entries() -> Iterator[Entry]:
    """Yield the classifiers, the families in turn."""
    for family, networks in _FAMILIES.items():
        for name, (size, options) in networks.items():
            yield Entry(
                name, family, "torch", "zoo.vision:build", {"name": name, **options},
                (f"image:float32[batch,3,{size},{size}]",),
            )  # fmt: skip
