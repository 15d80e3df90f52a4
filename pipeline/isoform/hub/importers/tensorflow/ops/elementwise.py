"""Elementwise functions."""

from isoform.hub.importers.tensorflow.ops.table import Call, Form


def erfc(call: Call) -> str:
    """Return ``1 - erf(x)``."""
    return call.make("Sub", [call.constant(1), call.make("Erf", call.inputs)])


FORMS: dict[str, Form] = {"Erfc": erfc}
