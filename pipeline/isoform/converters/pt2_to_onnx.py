"""An exported program (.pt2) to ONNX, by PyTorch's newer exporter, its dynamic dimensions kept."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, graph, pt2_archive, torch_export, torch_graph, torch_program


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: the archive could run code, an operator has no form, the graph lost an input, an output or a
            dynamic dimension, or it answers otherwise than the program.
    """
    checked = _write(source, target)  # the program's weights are released before the file's are mapped
    torch_graph.prove(target, source.signature, checked)


def _write(source: Artifact, target: Path) -> list[examples.Example]:
    program = pt2_archive.opened(source.model)
    checked = examples.checked(torch_program.FlatProgram(program), source.signature)
    model = torch_export.to_onnx(program)
    torch_graph.finish(model, source.signature)
    graph.save(model, target)
    return checked
