"""What a runtime holds in its tensors on the way: ONNX Runtime asked for them as outputs, LiteRT told to keep them."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx_ir as ir

from isoform.core.artifact import Artifact
from isoform.core.cases import Tensors
from isoform.core.protocols import Session
from isoform.hub import graph
from isoform.hub.divergence.file import Observed
from isoform.hub.divergence.traced import Traced


@contextmanager
def observed(traced: Traced, names: Sequence[str], load: Callable[[Artifact], Session]) -> Iterator[Observed]:
    """Give a function that runs the file and returns its tensors called ``names``."""
    if traced.artifact.format == "tflite":
        yield _litert(traced, names)
        return
    with tempfile.TemporaryDirectory(prefix="isoform-explain.") as folder:
        path = Path(folder) / "model.onnx"
        graph.save(_asked_for(traced.model, names), path)
        session = load(Artifact("onnx", path, traced.artifact.signature))
        try:
            yield session.run
        finally:
            session.close()


def _asked_for(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """Return a copy of ``model`` with tensors as further outputs; their types are inferred."""
    own = model.clone()
    graph.infer_shapes(own)
    values = ir.convenience.create_value_mapping(own.graph, include_subgraphs=False)
    there = {value.name for value in own.graph.outputs}
    own.graph.outputs.extend(
        values[name] for name in names if name not in there and isinstance(values[name].type, ir.TensorType)
    )
    return own


def _litert(traced: Traced, names: Sequence[str]) -> Observed:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(traced.artifact.model), experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip

    def run(case: Tensors) -> Tensors:
        for name in traced.inputs:
            interpreter.resize_tensor_input(traced.places[name], case[name].shape)
        interpreter.allocate_tensors()
        for name in traced.inputs:
            interpreter.set_tensor(traced.places[name], np.ascontiguousarray(case[name]))
        interpreter.invoke()
        return {name: interpreter.get_tensor(traced.places[name]) for name in names if name in traced.places}

    return run
