"""Detection, segmentation, restoration, video, and image beside text: transformers' and torchvision's networks."""

from collections.abc import Iterator
from typing import Any

from zoo.entry import Entry

_LAYERS = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
_TOKENS = "input_ids:int64[batch,length]:0..499"
_RESNET = (
    "ResNetConfig",
    {"embedding_size": 16, "hidden_sizes": [16, 32, 32, 64], "depths": [1, 1, 1, 1], "layer_type": "basic",
     "out_features": ["stage2", "stage3", "stage4"]},
)  # fmt: skip
_DETR = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_queries": 10, "use_timm_backbone": False,
    "use_pretrained_backbone": False, "backbone": None, "num_labels": 5,
}  # fmt: skip
_SWIN = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 4}


def _image(size: int) -> str:
    return f"pixel_values:float32[batch,3,{size},{size}]"


TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "yolos": ("detection", "YolosForObjectDetection",
              _LAYERS | {"image_size": [64, 64], "num_detection_tokens": 10}, (_image(64),)),
    "detr": ("detection", "DetrForObjectDetection",
             _DETR | {"backbone": (_RESNET[0], _RESNET[1] | {"out_features": ["stage4"]})}, (_image(96),)),
    "conditional_detr": ("detection", "ConditionalDetrForObjectDetection",
                         _DETR | {"backbone": (_RESNET[0], _RESNET[1] | {"out_features": ["stage4"]})}, (_image(96),)),
    "deformable_detr": ("detection", "DeformableDetrForObjectDetection",
                        _DETR | {"backbone": _RESNET, "num_feature_levels": 3, "decoder_layers": 2}, (_image(96),)),
    "rt_detr": ("detection", "RTDetrForObjectDetection",
                {"backbone": ("RTDetrResNetConfig", {"embedding_size": 16, "hidden_sizes": [16, 32, 32, 64],
                                                     "depths": [1, 1, 1, 1], "layer_type": "basic",
                                                     "out_features": ["stage2", "stage3", "stage4"]}),
                 "encoder_hidden_dim": 32, "encoder_in_channels": [32, 32, 64], "encoder_ffn_dim": 64, "d_model": 32,
                 "decoder_in_channels": [32, 32, 32], "decoder_ffn_dim": 64, "decoder_layers": 1, "num_queries": 10,
                 "encoder_attention_heads": 4, "decoder_attention_heads": 4, "anchor_image_size": [96, 96],
                 "num_labels": 5, "num_denoising": 0}, (_image(96),)),
    "owlvit_vision": ("detection", "OwlViTVisionModel", _LAYERS | {"image_size": 64, "patch_size": 16}, (_image(64),)),
    "segformer": ("segmentation", "SegformerForSemanticSegmentation",
                  {"hidden_sizes": [16, 32, 64, 64], "depths": [1, 1, 1, 1], "decoder_hidden_size": 32}, (_image(64),)),
    "upernet": ("segmentation", "UperNetForSemanticSegmentation",
                {"backbone": ("ConvNextConfig", {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1],
                                                 "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
                 "hidden_size": 32, "auxiliary_channels": 16, "auxiliary_in_channels": 32}, (_image(64),)),
    "mobilevit_deeplabv3": ("segmentation", "MobileViTForSemanticSegmentation",
                            {"image_size": 128, "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8] * 7,
                             "aspp_out_channels": 32}, (_image(128),)),
    "mobilenetv2_deeplabv3": ("segmentation", "MobileNetV2ForSemanticSegmentation",
                              {"depth_multiplier": 0.35}, (_image(96),)),
    "beit_segmentation": ("segmentation", "BeitForSemanticSegmentation",
                          {**_LAYERS, "num_hidden_layers": 4, "image_size": 64, "patch_size": 16,
                           "out_indices": [1, 2, 3, 4], "auxiliary_channels": 16}, (_image(64),)),
    "maskformer": ("segmentation", "MaskFormerForInstanceSegmentation",
                   {"backbone": ("SwinConfig", _SWIN | {"out_features": ["stage1", "stage2", "stage3", "stage4"]}),
                    "fpn_feature_size": 32, "mask_feature_size": 32, "num_labels": 5}, (_image(128),)),
    "dpt": ("segmentation", "DPTForDepthEstimation",
            {**_LAYERS, "num_hidden_layers": 4, "image_size": 64, "patch_size": 16,
             "backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [8, 16, 32, 32], "fusion_hidden_size": 32},
            (_image(64),)),
    "glpn": ("segmentation", "GLPNForDepthEstimation",
             {"hidden_sizes": [16, 32, 80, 64], "depths": [1, 1, 1, 1], "decoder_hidden_size": 32}, (_image(64),)),
    "sam_vision": ("segmentation", "SamModel.vision_encoder",
                   {"vision_config": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                                      "image_size": 128, "mlp_dim": 128, "window_size": 4, "output_channels": 32,
                                      "global_attn_indexes": [1]}}, (_image(128),)),
    "clipseg": ("segmentation", "CLIPSegForImageSegmentation",
                {"vision_config": {**_LAYERS, "num_hidden_layers": 3, "image_size": 64, "patch_size": 16},
                 "text_config": _LAYERS | {"vocab_size": 500, "max_position_embeddings": 64, "eos_token_id": 499},
                 "extract_layers": [0, 1, 2], "projection_dim": 32, "reduce_dim": 16, "decoder_num_attention_heads": 2,
                 "decoder_intermediate_size": 32}, (_TOKENS, _image(64))),
    "swin2sr": ("restoration", "Swin2SRForImageSuperResolution",
                {"image_size": 32, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 2], "window_size": 8,
                 "upscale": 2}, (_image(32),)),
    "superpoint": ("restoration", "SuperPointForKeypointDetection.encoder", {"encoder_hidden_sizes": [8, 8, 16, 16]},
                   ("input:float32[batch,1,64,64]",)),
    "videomae": ("video", "VideoMAEForVideoClassification",
                 _LAYERS | {"image_size": 32, "patch_size": 8, "num_frames": 4},
                 ("pixel_values:float32[batch,4,3,32,32]",)),
    "timesformer": ("video", "TimesformerModel", _LAYERS | {"image_size": 32, "patch_size": 8, "num_frames": 4},
                    ("pixel_values:float32[batch,4,3,32,32]",)),
    "vivit": ("video", "VivitModel", _LAYERS | {"image_size": 32, "num_frames": 4, "tubelet_size": [2, 8, 8]},
              ("pixel_values:float32[batch,4,3,32,32]",)),
    "clip": ("multimodal", "CLIPModel",
             {"vision_config": _LAYERS | {"image_size": 64, "patch_size": 16},
              "text_config": _LAYERS | {"vocab_size": 500, "eos_token_id": 499}, "projection_dim": 32},
             ("input_ids:int64[batch,length]:0..499", _image(64))),
    "siglip": ("multimodal", "SiglipModel",
               {"vision_config": _LAYERS | {"image_size": 64, "patch_size": 16},
                "text_config": _LAYERS | {"vocab_size": 500}},
               ("input_ids:int64[batch,length]:0..499", _image(64))),
    "vilt": ("multimodal", "ViltModel", _LAYERS | {"vocab_size": 500, "image_size": 64, "patch_size": 16},
             (_TOKENS, _image(64))),
    "visual_bert": ("multimodal", "VisualBertModel", _LAYERS | {"vocab_size": 500, "visual_embedding_dim": 32},
                    (_TOKENS, "visual_embeds:float32[batch,regions,32]")),
    "dinov2": ("attention", "Dinov2Model", _LAYERS | {"image_size": 56, "patch_size": 14}, (_image(56),)),
    "cvt": ("hybrid", "CvtForImageClassification",
            {"embed_dim": [16, 32, 64], "num_heads": [1, 2, 4], "depth": [1, 2, 10]}, (_image(64),)),
}  # fmt: skip
TORCHVISION: dict[str, tuple[str, str, str, dict[str, Any], str]] = {
    "shufflenet_v2_x0_5": ("convolutional", "", "shufflenet_v2_x0_5", {}, "image:float32[batch,3,64,64]"),
    "squeezenet1_1": ("convolutional", "", "squeezenet1_1", {}, "image:float32[batch,3,64,64]"),
    "googlenet": ("convolutional", "", "googlenet", {"init_weights": False}, "image:float32[batch,3,64,64]"),
    "lraspp_mobilenet_v3_large": (
        "segmentation", "segmentation", "lraspp_mobilenet_v3_large", {"weights_backbone": None},
        "image:float32[batch,3,96,96]",
    ),
    "deeplabv3_mobilenet_v3_large": (
        "segmentation", "segmentation", "deeplabv3_mobilenet_v3_large", {"weights_backbone": None},
        "image:float32[batch,3,96,96]",
    ),
    "fcn_resnet50": (
        "segmentation", "segmentation", "fcn_resnet50", {"weights_backbone": None}, "image:float32[batch,3,64,64]",
    ),
    "r3d_18": ("video", "video", "r3d_18", {"num_classes": 10}, "video:float32[batch,3,4,32,32]"),
    "r2plus1d_18": ("video", "video", "r2plus1d_18", {"num_classes": 10}, "video:float32[batch,3,4,32,32]"),
}  # fmt: skip
DETECTORS = {
    "retinanet": "resnet18", "fcos": "mobilenetv2_050", "ssd": "mobilenetv3_small_050", "rpn": "regnety_002",
}  # fmt: skip


def entries() -> Iterator[Entry]:
    """Yield the networks, transformers' first."""
    for name, (family, model, settings, inputs) in TRANSFORMERS.items():
        options = {"model": model, **settings}
        yield Entry(name, family, "torch", "zoo.transformers_networks:build", options, inputs, {"regions": 8})
    for name, (family, package, function, settings, image) in TORCHVISION.items():
        options = {"package": package, "name": function, **settings}
        yield Entry(name, family, "torch", "zoo.torchvision_networks:build", options, (image,))
    for head, backbone in DETECTORS.items():
        options = {"head": head, "backbone": backbone}
        image = "image:float32[batch,3,128,128]"
        yield Entry(f"{head}_head", "detection", "torch", "zoo.torchvision_networks:detector", options, (image,))
