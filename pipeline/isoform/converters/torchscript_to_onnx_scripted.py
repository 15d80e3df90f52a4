"""TorchScript to ONNX as the program stands, by PyTorch's older exporter: its branches and loops become If and Loop."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, graph, torch_graph, torch_trace, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: an operator has no form, the graph lost an input, an output or a dynamic dimension, or it answers
            otherwise than the program at sizes that the exporter has not seen.
    """
    checked = _write(source, target)  # the module's weights are released before the file's are mapped
    torch_graph.prove(target, source.signature, checked)


def _write(source: Artifact, target: Path) -> list[examples.Example]:
    signature = source.signature
    script = torchscript.opened(source.model)
    original = torchscript.Named(script, signature, is_flat=True)
    checked = examples.checked(original, signature)
    model = torch_trace.scripted(script, signature, examples.traced(original, signature).inputs)
    torch_graph.finish(model, signature)
    graph.save(model, target)
    return checked
