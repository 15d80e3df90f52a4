"""What a TFLite file holds, counted in the flatbuffer."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}


def operators(path: Path) -> Counter[str]:
    """Return how often each operator stands in the file, in all its sub-graphs."""
    model = schema.Model.GetRootAsModel(np.memmap(path, np.uint8, mode="r"), 0)
    codes = [_name(model.OperatorCodes(place)) for place in range(model.OperatorCodesLength())]
    graphs = [model.Subgraphs(place) for place in range(model.SubgraphsLength())]
    return Counter(
        codes[graph.Operators(place).OpcodeIndex()] for graph in graphs for place in range(graph.OperatorsLength())
    )


def described(path: Path) -> dict[str, Any]:
    """Return the figures of a row: operators, transposes among them, bytes."""
    found = operators(path)
    return {"operators": found.total(), "transposes": found["TRANSPOSE"], "bytes": path.stat().st_size}


def _name(code: Any) -> str:
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return _NAMES[builtin] if builtin != schema.BuiltinOperator.CUSTOM else code.CustomCode().decode()
