"""PyTorch to ONNX, by torch.export and PyTorch's newer exporter, the declared dynamic dimensions kept."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, graph, torch_bounds, torch_export, torch_graph, torch_source, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: the exporter fails, the graph lost an input, an output or a dynamic dimension, or it answers
            otherwise than the module at sizes that were not traced.
    """
    checked = _write(source, target)  # the module's weights are released before the file's are mapped
    torch_graph.prove(target, source.signature, checked)


def _write(source: Artifact, target: Path) -> list[examples.Example]:
    signature = source.signature
    module = torchscript.Named(torch_source.load(source), signature, is_flat=True)
    traced, checked = examples.traced(module, signature), examples.checked(module, signature)
    exported = torch_export.program(module, signature, traced.inputs)
    checked += torch_bounds.beyond(exported, module, signature, traced)
    model = torch_export.to_onnx(exported)
    torch_graph.finish(model, signature)
    graph.save(model, target)
    return checked
