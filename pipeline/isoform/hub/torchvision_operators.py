"""torchvision where its compiled operators do not load beside the PyTorch that is installed: its Python half imports.

Libraries of networks import torchvision for its transforms and never call these operators; importing it fails
nonetheless, because it describes each of them. Declared without a kernel, an operator that is called after all raises.
"""

import sys
from importlib.util import find_spec
from typing import Any

import torch

_SCHEMAS = (
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


def make_importable() -> None:
    """Declare torchvision's operators if it is installed and they do not load; else do nothing."""
    if _declared or find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declared.append(torch.library.Library("torchvision", "DEF"))
        for schema in _SCHEMAS:
            _declared[0].define(schema)
