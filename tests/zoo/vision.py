"""timm's networks with random weights, no constant left among them, and what the other builders share."""

from typing import Any

import torch

_TORCHVISION = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float scale, SymInt height, SymInt width, int ratio, bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float scale, SymInt height, SymInt width) -> (Tensor, Tensor)",
    "ps_roi_align(Tensor input, Tensor rois, float scale, SymInt height, SymInt width, int ratio) -> (Tensor, Tensor)",
    "ps_roi_pool(Tensor input, Tensor rois, float scale, SymInt height, SymInt width) -> (Tensor, Tensor)",
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor",
    "_roi_align_backward(Tensor grad) -> Tensor",
    "_roi_pool_backward(Tensor grad) -> Tensor",
    "_ps_roi_align_backward(Tensor grad) -> Tensor",
    "_ps_roi_pool_backward(Tensor grad) -> Tensor",
    "_deform_conv2d_backward(Tensor grad) -> Tensor",
)
_declared: list[Any] = []


def build(name: str, **options: Any) -> torch.nn.Module:
    """Return a network of timm's with seeded weights, in eval mode; needs ``pip install --group zoo``."""
    declare_torchvision()
    import timm

    torch.manual_seed(0)
    return without_constants(timm.create_model(name, pretrained=False, num_classes=10, **options)).eval()


@torch.no_grad()
def without_constants(module: torch.nn.Module) -> torch.nn.Module:
    """Disturb every constant parameter in place: zero scales let converters delete whole branches unseen."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and tensor.numel() and bool((tensor == tensor.reshape(-1)[0]).all()):
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            else:
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return module


def declare_torchvision() -> None:
    """Declare torchvision's operators: its compiled ones do not load beside the CPU build, and timm imports it."""
    if not _declared:
        _declared.append(torch.library.Library("torchvision", "DEF"))
        for schema in _TORCHVISION:
            _declared[0].define(schema)
