"""Which signature of a TFLite file is meant, and what its inputs and outputs are called; not aware of operators."""

from collections.abc import Sequence

from isoform.core import spelling
from isoform.errors import IsoformError, UsageError
from isoform.hub.importers.tflite_file import Signature, SubGraph, TfliteFile

_DEFAULT_SIGNATURE = "serving_default"


def entry_of(file: TfliteFile, key: str | None) -> Signature:
    """Return the signature asked for, its names in the order of the sub-graph.

    Args:
        key: its name; ``serving_default``, or the only one, unless given.

    Raises:
        UsageError: there is none of this name, or none to choose.
        IsoformError: the signature does not fit its sub-graph.
    """
    if key is not None and key not in file.signatures:
        raise UsageError(
            f"There is no signature '{key}' in the file.", spelling.hint(key, file.signatures, "Its signatures")
        )
    if key is None and file.signatures:
        key = _DEFAULT_SIGNATURE if _DEFAULT_SIGNATURE in file.signatures else next(iter(file.signatures))
        if key != _DEFAULT_SIGNATURE and len(file.signatures) > 1:
            raise UsageError("The file has several signatures.", f"Name one of: {', '.join(file.signatures)}.")
    if key is None:
        main = file.sub_graphs[0]
        return Signature(0, _tensor_names(main, main.inputs), _tensor_names(main, main.outputs))
    found = file.signatures[key]
    graph = file.sub_graphs[found.sub_graph]
    if not (set(found.inputs.values()) <= set(graph.inputs) and set(found.outputs.values()) <= set(graph.outputs)):
        raise IsoformError(
            f"The signature '{key}' names tensors that are no inputs and outputs of its graph.",
            "Export or fetch the file again.",
            kind="damaged",
        )
    return Signature(
        found.sub_graph,
        dict(sorted(found.inputs.items(), key=lambda item: graph.inputs.index(item[1]))),
        dict(sorted(found.outputs.items(), key=lambda item: graph.outputs.index(item[1]))),
    )


def other_entries(file: TfliteFile, key: str | None) -> set[int]:
    """Return the sub-graphs that other signatures than the one asked for name, and that one does not."""
    own = entry_of(file, key).sub_graph if key is not None else None
    entries = {signature.sub_graph for signature in file.signatures.values()}
    return set() if own is None else entries - {own}


def _tensor_names(graph: SubGraph, places: Sequence[int]) -> dict[str, int]:
    names = [graph.tensors[place].name or f"tensor_{place}" for place in places]
    if len(set(names)) < len(names):
        raise IsoformError(
            f"Two inputs or outputs have one name among {', '.join(names)}.",
            "Export the file with a signature that names them.",
            kind="signature",
        )
    return dict(zip(names, places, strict=True))
