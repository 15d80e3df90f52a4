"""What the way to TFLite costs beside the peers: networks of the zoo of several kinds, each at one size.

ONNX to TFLite is ours; litert-torch starts from the module, so the way from there to ONNX is measured as well.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from figures.measure import Figure, measure
from zoo.interpreters import PEER

NAME = "peers"
NETWORKS = (
    "mobilenetv3_small_050", "lstm_tagger", "resnet18", "bert", "vit_tiny_patch16_224", "convnext_atto", "segformer",
    "efficientnet_b0",
)  # fmt: skip
ONNX2TF = "ONNX2TF_PYTHON"
"""The environment variable that names an interpreter with onnx2tf, which pins every package it needs."""
AT_MOST = {"litert-torch": 0.5, "onnx2tf": 1.0}
"""Of the peer's processor seconds: to them, other load on the machine adds little."""
GB = 1e9


def measured() -> Iterator[dict[str, Any]]:
    """Yield seconds, processor seconds and memory of each network, ours and the peers'."""
    with tempfile.TemporaryDirectory(prefix="figures.") as work:
        for name in NETWORKS:
            onnx = f"{work}/{name}.onnx"
            row: dict[str, Any] = {
                "name": name,
                "to_onnx": vars(measure("figures.conversions:zoo_to_onnx", name=name, target=onnx)),
            }
            row["ours"] = vars(measure("figures.conversions:onnx_to_tflite", source=onnx, target=f"{work}/ours.tflite"))
            row["litert-torch"] = vars(_peer(PEER, "litert_torch", name=name, target=f"{work}/peer.tflite"))
            row["onnx2tf"] = vars(_peer(ONNX2TF, "onnx2tf", source=onnx, target=f"{work}/onnx2tf"))
            print(table([row])[-1], file=sys.stderr, flush=True)
            yield row


def _peer(variable: str, function: str, **arguments: Any) -> Figure:
    python = os.environ.get(variable)
    if not python:
        return Figure(error=f"not measured: {variable} names no interpreter")
    return measure(f"figures.peer_conversions:{function}", python=python, **arguments)


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the section of docs/figures.md."""
    text = [
        "Seconds, on processors, and GB above what was held before; a ratio is of processor seconds, ONNX to TFLite.",
        "",
        "| network | PyTorch -> ONNX | ONNX -> TFLite | litert-torch | ours / litert-torch, at most 0.5 "
        "| onnx2tf | ours / onnx2tf, at most 1 |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        cells = [_cost(row["to_onnx"]), _cost(row["ours"])]
        for peer in AT_MOST:
            cells += [_cost(row[peer]), _ratio(row["ours"], row[peer])]
        text.append(f"| {row['name']} | {' | '.join(cells)} |")
    return text


def _cost(figure: Mapping[str, Any]) -> str:
    if figure["error"]:
        return f"failed: {figure['error'][:60]}".replace("|", "/")
    above = (figure["peak_bytes"] - figure["before_bytes"]) / GB
    return f"{figure['seconds']:.1f} s, {figure['busy_s']:.1f} s, {above:.2f} GB"


def _ratio(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    return "" if ours["error"] or peer["error"] else f"{ours['busy_s'] / peer['busy_s']:.2f}"


SECTIONS = {NAME: measured}
