"""PyTorch to ONNX, by tracing and the older exporter: it carries attention and recurrence that the newer cannot."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, graph, torch_graph, torch_source, torch_trace, torchscript


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: the exporter fails, the trace froze a decision taken in Python (its lines are named), or the
            graph answers otherwise than the module at sizes that were not traced.
    """
    checked = _write(source, target)  # the module's weights are released before the file's are mapped
    torch_graph.prove(target, source.signature, checked)


def _write(source: Artifact, target: Path) -> list[examples.Example]:
    signature = source.signature
    module = torchscript.Named(torch_source.load(source), signature, is_flat=True)
    checked = examples.checked(module, signature)
    model = torch_trace.traced(module, signature, [examples.traced(module, signature).inputs, checked[0].inputs])
    torch_graph.finish(model, signature)
    graph.save(model, target)
    return checked
