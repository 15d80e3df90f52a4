"""TorchScript to ONNX: its graph carried out as a plain module for torch.export, declared dimensions kept dynamic."""

from pathlib import Path

from isoform.core.artifact import Artifact
from isoform.core.protocols import ConvertOptions
from isoform.hub import examples, graph, torch_bounds, torch_export, torch_graph, torchscript
from isoform.hub.torchscript_program import Interpreted


def convert(source: Artifact, target: Path, options: ConvertOptions) -> None:
    """Write the graph to ``target``, large weights beside it.

    Raises:
        IsoformError: the program decides by values, an operator has no form, the graph lost an input, an output or a
            dynamic dimension, or it answers otherwise than the program at sizes that were not traced.
    """
    checked = _write(source, target)  # the module's weights are released before the file's are mapped
    torch_graph.prove(target, source.signature, checked)


def _write(source: Artifact, target: Path) -> list[examples.Example]:
    signature = source.signature
    script = torchscript.opened(source.model)
    original = torchscript.Named(script, signature, is_flat=True)
    module = torchscript.Named(Interpreted(script), signature, is_flat=True)
    traced, checked = examples.traced(original, signature), examples.checked(original, signature)
    exported = torch_export.program(module, signature, traced.inputs)
    checked += torch_bounds.beyond(exported, original, signature, traced)
    model = torch_export.to_onnx(exported)
    torch_graph.finish(model, signature)
    graph.save(model, target)
    return checked
