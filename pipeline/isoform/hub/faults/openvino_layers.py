"""Layers put into an OpenVINO IR before another one: elementwise, of the shape that the other one has."""

import copy
from xml.etree import ElementTree as ET

import numpy as np


def tanh_for_erf(net: ET.Element, data: bytearray, layer: ET.Element) -> None:
    """Make of erf(x) tanh(2/sqrt(pi) (x + 0.08943 x^3)): what the approximation of GELU puts in its place.

    Args:
        data: the weights of the IR, which the numbers of the polynomial are added to.
    """
    before = _Before(net, data, layer)
    slope = 2 / np.sqrt(np.pi)
    square = before.operator("Multiply", before.source, before.source)
    factor = before.operator(
        "Add", before.operator("Multiply", square, before.number(0.08943 * slope)), before.number(slope)
    )
    before.feed(before.operator("Multiply", before.source, factor))
    layer.set("type", "Tanh")


class _Before:
    """Writes layers before ``layer``, which has one input and the shape of it; a place is a layer and its port."""

    def __init__(self, net: ET.Element, data: bytearray, layer: ET.Element) -> None:
        self._layers, self._edges = _child(net, "layers"), _child(net, "edges")
        self._data, self._layer = data, layer
        self._edge = next(edge for edge in self._edges if edge.get("to-layer") == layer.get("id"))
        self.source = (self._edge.get("from-layer", ""), self._edge.get("from-port", ""))
        self._next = 1 + max(int(each.get("id", "0")) for each in self._layers)

    def number(self, number: float) -> tuple[str, str]:
        """Write a scalar constant, and return its place."""
        attributes = {"element_type": "f32", "shape": "", "offset": str(len(self._data)), "size": "4"}
        self._data.extend(np.float32(number).tobytes())
        layer = self._added("Const", attributes)
        ET.SubElement(ET.SubElement(layer, "output"), "port", {"id": "0", "precision": "FP32"})
        return layer.get("id", ""), "0"

    def operator(self, kind: str, *inputs: tuple[str, str]) -> tuple[str, str]:
        """Write an operator of two inputs, and return its place."""
        layer = self._added(kind, {"auto_broadcast": "numpy"})
        given = ET.SubElement(layer, "input")
        for port, (source, from_port) in enumerate(inputs):
            scalar = next(each for each in self._layers if each.get("id") == source).get("type") == "Const"
            given.append(self._port(port, is_scalar=scalar))
            names = {
                "from-layer": source,
                "from-port": from_port,
                "to-layer": layer.get("id", ""),
                "to-port": str(port),
            }
            ET.SubElement(self._edges, "edge", names)
        ET.SubElement(layer, "output").append(self._port(len(inputs)))
        return layer.get("id", ""), str(len(inputs))

    def feed(self, place: tuple[str, str]) -> None:
        """Let the layer read what stands at ``place`` instead of its source."""
        self._edge.set("from-layer", place[0])
        self._edge.set("from-port", place[1])

    def _added(self, kind: str, attributes: dict[str, str]) -> ET.Element:
        names = {"id": str(self._next), "name": f"{self._layer.get('name')}/{self._next}", "type": kind}
        layer = ET.Element("layer", names | {"version": "opset1"})
        ET.SubElement(layer, "data", attributes)
        self._layers.insert(list(self._layers).index(self._layer), layer)
        self._next += 1
        return layer

    def _port(self, number: int, *, is_scalar: bool = False) -> ET.Element:
        port = ET.Element("port", {"id": str(number), "precision": "FP32"})
        like = self._layer.find("output/port")
        if like is not None and not is_scalar:
            port.extend(copy.deepcopy(list(like)))
        return port


def _child(net: ET.Element, name: str) -> ET.Element:
    found = net.find(name)
    if found is None:
        raise ValueError(f"an IR without {name}")
    return found
