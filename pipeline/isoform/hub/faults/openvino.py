"""Faults in an OpenVINO IR: its layers are edited in the XML and its constants in the file of weights.

Constants that are equal stand once in that file: a fault in one is in all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from isoform.core.artifact import Artifact
from isoform.core.protocols import Array
from isoform.core.signature import Signature
from isoform.hub.faults.openvino_layers import tanh_for_erf
from isoform.hub.faults.table import Fault, drawn, frozen_sizes, named, pair_of_outputs
from isoform.hub.faults.weights import WEIGHT_FAULTS, Change, Weight
from isoform.intake import openvino_ir

_EPSILONS = {"MVN": "eps", "BatchNormInference": "epsilon"}
"""By the type of a normalisation, what it calls its epsilon."""
_RECURRENT = {"LSTMSequence": 4, "GRUSequence": 3, "RNNSequence": 1}
_KERNELS = {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "MatMul", *_RECURRENT}
_VIEWS = {"Concat", "Convert", "Reshape", "Split", "Squeeze", "Transpose", "Unsqueeze"}


@dataclass(frozen=True)
class Network:
    """The XML and the weights of an IR, and what is known of its inputs and outputs."""

    net: ET.Element
    data: bytearray
    signature: Signature

    def layers(self, *kinds: str) -> list[ET.Element]:
        """Return the layers of the main graph that are of one of these types; all without one."""
        return [layer for layer in self.net.findall("layers/layer") if not kinds or layer.get("type") in kinds]

    def array(self, layer: ET.Element) -> Array:
        """Return the constant that a layer holds, as a view of the weights."""
        dtype, shape, begin, size_bytes = openvino_ir.placed(layer)
        return np.frombuffer(memoryview(self.data)[begin : begin + size_bytes], dtype or "u1").reshape(shape)


FAULTS: dict[str, Fault[Network]] = {}
planted = named(FAULTS)


def opened(artifact: Artifact) -> Network:
    """Return the network of an artifact."""
    data = bytearray(openvino_ir.weights_file(artifact.model).read_bytes())
    return Network(openvino_ir.root(artifact.model), data, artifact.signature)


def save(network: Network, target: Path) -> None:
    """Write the network as a file, its weights beside it."""
    target.write_bytes(ET.tostring(network.net, encoding="utf-8", xml_declaration=True))
    openvino_ir.weights_file(target).write_bytes(network.data)


@planted
def another_epsilon(network: Network, rng: np.random.Generator) -> str | None:
    layer = drawn(network.layers(*_EPSILONS), rng)
    if layer is None:
        return None
    name = _EPSILONS[layer.get("type", "")]
    epsilon = 10 * float(_data(layer)[name])
    _data(layer)[name] = repr(epsilon)
    return _told(layer, f"epsilon {epsilon:g}")


@planted
def the_other_gelu(network: Network, rng: np.random.Generator) -> str | None:
    """Take the hyperbolic tangent's approximation for the error function's GELU, or the other way."""
    layer = drawn(network.layers("Gelu", "Erf"), rng)
    if layer is None:
        return None
    if layer.get("type") == "Erf":
        told = _told(layer, "tanh")
        tanh_for_erf(network.net, network.data, layer)
        return told
    other = "ERF" if _data(layer)["approximation_mode"].upper() == "TANH" else "TANH"
    _data(layer)["approximation_mode"] = other
    return _told(layer, other.lower())


@planted
def padding_off_by_one(network: Network, rng: np.random.Generator) -> str | None:
    """Pad one less before and one more after: the size stays, the places do not."""
    layers = [layer for layer in network.layers() if any(_sizes(layer, "pads_begin"))]
    layer = drawn(layers, rng)
    if layer is None:
        return None
    begin, end = _sizes(layer, "pads_begin"), _sizes(layer, "pads_end")
    axis = next(axis for axis, size in enumerate(begin) if size)
    begin[axis] -= 1
    end[axis] += 1
    for name, sizes in (("pads_begin", begin), ("pads_end", end)):
        _data(layer)[name] = ", ".join(map(str, sizes))
    return _told(layer, f"pads {begin} {end}")


@planted
def a_leaking_relu(network: Network, rng: np.random.Generator) -> str | None:
    """Let through below zero what an ELU does: at most a hundredth."""
    layer = drawn(network.layers("ReLU"), rng)
    if layer is None:
        return None
    told = _told(layer, "Elu 0.01")
    layer.set("type", "Elu")
    layer.insert(0, ET.Element("data", {"alpha": "0.01"}))
    return told


@planted
def a_softmax_over_another_axis(network: Network, rng: np.random.Generator) -> str | None:
    layer = drawn([each for each in network.layers("SoftMax", "Softmax") if _rank(each) > 1], rng)
    if layer is None:
        return None
    other = (int(_data(layer)["axis"]) % _rank(layer) - 1) % _rank(layer)
    _data(layer)["axis"] = str(other)
    return _told(layer, f"axis {other}")


@planted
def swapped_outputs(network: Network, rng: np.random.Generator) -> str | None:
    pair = pair_of_outputs(network.signature.outputs, rng)
    if pair is None:
        return None
    one, other = (network.signature.outputs[place].name for place in pair)
    swap = {one: other, other: one}
    for element, key in ((port, "names") for port in network.net.iter("port")):
        _rename(element, key, swap)
    for layer in network.layers("Result"):
        _rename(layer, "output_names", swap)
    return f"'{one}' and '{other}'"


@planted
def a_frozen_axis(network: Network, rng: np.random.Generator) -> str | None:
    """Fix the first dynamic axis of an input, as a trace does that has seen one size."""
    for spec in network.signature.inputs:
        sizes = frozen_sizes(spec)
        layer = next((each for each in network.layers("Parameter") if spec.name in _names(each)), None)
        if sizes is None or layer is None:
            continue
        axis = next(axis for axis, dim in enumerate(spec.shape) if isinstance(dim, str))
        shape = _data(layer)["shape"].split(",")
        shape[axis] = "2"
        _data(layer)["shape"] = ",".join(shape)
        return f"axis {axis} of '{spec.name}' is 2"
    return None


def _of_weights(change: Change) -> Fault[Network]:
    def fault(network: Network, rng: np.random.Generator) -> str | None:
        found = dict(_weights(network))
        changed = change([weight for weight, _ in found.values()], rng)
        if changed is None:
            return None
        name, array = changed
        network.array(found[name][1])[...] = array
        return f"'{name}'"

    return fault


FAULTS |= {name: _of_weights(change) for name, change in WEIGHT_FAULTS.items()}


def _weights(network: Network) -> Iterator[tuple[str, tuple[Weight, ET.Element]]]:
    """Yield the kernels and biases that layers read, each with the layer that holds it."""
    by_id = {layer.get("id", ""): layer for layer in network.layers()}
    edges = sorted(network.net.findall("edges/edge"), key=lambda edge: int(edge.get("to-port", "0")))
    sources: dict[str, list[ET.Element]] = {}
    for edge in edges:
        sources.setdefault(edge.get("to-layer", ""), []).append(by_id[edge.get("from-layer", "")])

    def held(layer: ET.Element) -> Iterator[ET.Element]:
        for source in sources.get(layer.get("id", ""), []):
            if source.get("type") == "Const":
                yield source
            elif source.get("type") in _VIEWS:
                yield from held(source)

    for layer in network.layers(*_KERNELS, "Add"):
        kind = layer.get("type", "")
        for constant in held(layer):
            array, name = network.array(constant), constant.get("name", "")
            if array.dtype != np.float32 or array.size < 2:
                continue
            if kind in _KERNELS and array.ndim > 1:
                gates = (_RECURRENT[kind], 1) if kind in _RECURRENT and array.ndim == 3 else None
                yield name, (Weight(name, array, window=(2, 3) if array.ndim == 4 else None, gates=gates), constant)
            elif kind == "Add":
                yield name, (Weight(name, array, is_kernel=False), constant)


def _data(layer: ET.Element) -> dict[str, str]:
    """Return what a layer says of itself."""
    data = layer.find("data")
    return {} if data is None else data.attrib


def _sizes(layer: ET.Element, name: str) -> list[int]:
    return [int(size) for size in _data(layer).get(name, "").split(",") if size.strip()]


def _rank(layer: ET.Element) -> int:
    return len(layer.findall("output/port/dim"))


def _names(layer: ET.Element) -> list[str]:
    return [name for port in layer.findall("output/port") for name in port.get("names", "").split(",")]


def _rename(element: ET.Element, key: str, names: dict[str, str]) -> None:
    before = element.get(key)
    if before:
        element.set(key, ",".join(names.get(name, name) for name in before.split(",")))


def _told(layer: ET.Element, what: str) -> str:
    return f"'{layer.get('name')}' ({layer.get('type')}): {what}"
