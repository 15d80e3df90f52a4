"""StableHLO's operators that LiteRT has kernels for, element by element.

Integers wrap around, so narrow ones are computed wider. The others have no kernel that a result could be held against.
"""

import onnx_ir as ir

from isoform.hub.importers.tflite_ops.call import Call, op

_BINARY = {
    "STABLEHLO_ADD": "Add", "STABLEHLO_MAXIMUM": "Max", "STABLEHLO_MINIMUM": "Min", "STABLEHLO_MULTIPLY": "Mul",
}  # fmt: skip
_WIDER = {"int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}


@op(*_BINARY)
def binary(call: Call) -> ir.Value:
    dtype = call.real_dtype(0)
    if dtype == "bool":
        raise call.refusal("arithmetic of truth values")
    wide = _WIDER.get(dtype)
    if wide is None:
        return call.emit(_BINARY[call.operator.name], call[0], call[1])
    result = call.emit(_BINARY[call.operator.name], call.cast(call[0], wide), call.cast(call[1], wide))
    return call.cast(result, dtype)


@op("STABLEHLO_AND")
def bitwise_and(call: Call) -> ir.Value:
    return call.emit("And" if call.real_dtype(0) == "bool" else "BitwiseAnd", call[0], call[1])
